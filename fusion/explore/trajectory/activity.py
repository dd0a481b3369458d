"""Where in a recording something is said: a mask over its frames, by level or by Silero VAD. What is not is drawn as a gap."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from extractors.audio import HOP
from extractors.errors import InputError
from extractors.types import Float32
from extractors.vad import speech_detector
from fusion.explore.trajectory.recording import FRAME_RATE, Recording

Bools = NDArray[np.bool_]
Silence = Literal["energy", "vad", "none"]
SILENCES: tuple[str, ...] = get_args(Silence)

RANGE = 35.0  # dB under the loud frames (95th percentile) that still count as speech
FAINTEST = -70.0  # dBFS; nothing below it counts, however faint the rest
SHORTEST_GAP = 0.3  # s; a shorter pause belongs to what is said around it
SHORTEST_SOUND = 0.1  # s; a click is not speech
_SMOOTH = 5  # frames, 100 ms, over which the level is averaged


def levels(recording: Recording) -> Float32:
    """(frames,) float32 level of each 20 ms in dB of full scale, at least -100."""
    found = []
    for block in recording.blocks():
        hops = len(block.wave) // HOP
        rows = block.wave[: hops * HOP].reshape(hops, HOP)
        found.append(np.einsum("ij,ij->i", rows, rows, dtype=np.float64) / HOP)
    energy = np.concatenate(found)[: recording.frames]
    return (10 * np.log10(np.maximum(energy, 1e-10))).astype(np.float32)


def check_silence(silence: str) -> None:
    """Raise InputError for a way that there is not, MissingExtraError for one whose package is not there."""
    if silence not in SILENCES:
        raise InputError(f"silence: expected one of {', '.join(SILENCES)}, got {silence!r}")
    if silence == "vad":
        speech_detector()


def activity(recording: Recording, level: Float32, *, silence: Silence = "energy") -> Bools:
    """(frames,) bool: where something is said.

    "energy" : the level over 100 ms is within 35 dB of the loud frames' (95th percentile) and above -70 dB of full scale
    "vad"    : Silero VAD hears speech (the extra `vad`); music and noise are gaps then, too
    "none"   : everywhere; digital silence is then scored like speech

    Pauses under 0.3 s are filled, and stretches under 0.1 s dropped. Raises InputError where nothing is left.
    """
    check_silence(silence)
    if silence == "none":
        return np.ones(len(level), bool)
    mask = _spoken(recording, len(level)) if silence == "vad" else _loud(level)
    mask = _without_short(~_without_short(~mask, SHORTEST_GAP, inner=True), SHORTEST_SOUND)
    if not mask.any():
        loudest = f"its loudest 20 ms have {float(level.max()):.0f} dB of full scale"
        what = "Silero VAD hears no speech in it" if silence == "vad" else "nothing in it is above the threshold"
        raise InputError(
            f"{recording.path or 'the recording'} is silent: {what}; {loudest}",
            hint="Check the file; silence=none scores it all the same.",
        )
    return mask


def stretches(mask: Bools) -> list[tuple[int, int]]:
    """(start, stop) of the runs of True.

    >>> stretches(np.array([True, True, False, True]))
    [(0, 2), (3, 4)]
    """
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]]).astype(np.int8)))
    return [(int(start), int(stop)) for start, stop in zip(edges[::2], edges[1::2], strict=True)]


def _loud(level: Float32) -> Bools:
    energy = 10 ** (level.astype(np.float64) / 10)
    kernel = np.ones(min(_SMOOTH, len(energy)))
    # of frames at the ends, over as many as there are
    mean = np.convolve(energy, kernel, mode="same") / np.convolve(np.ones(len(energy)), kernel, mode="same")
    smooth = 10 * np.log10(mean)
    threshold = max(float(np.percentile(smooth, 95)) - RANGE, FAINTEST)
    return np.asarray(smooth > threshold)


def _spoken(recording: Recording, frames: int) -> Bools:
    find: Callable[[Float32], list[tuple[int, int]]] = speech_detector().speech
    mask = np.zeros(frames, bool)
    for block in recording.blocks():
        for start, stop in find(block.wave):
            mask[round((block.start + start) / HOP) : round((block.start + stop) / HOP)] = True
    return mask


def _without_short(mask: Bools, seconds: float, *, inner: bool = False) -> Bools:
    """`mask` without runs shorter than that; `inner`: runs that touch an end of it stay."""
    kept = mask.copy()
    for start, stop in stretches(mask):
        if stop - start < round(seconds * FRAME_RATE) and not (inner and (start == 0 or stop == len(mask))):
            kept[start:stop] = False
    return kept
