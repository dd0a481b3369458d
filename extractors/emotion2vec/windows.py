"""Long clips in windows whose frames, laid end to end, are the whole clip's."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Literal, get_args

import numpy as np

from extractors import audio
from extractors.audio import HOP, MIN_SAMPLES
from extractors.errors import InputError
from extractors.types import Float32

Cut = Literal["quietest", "fixed", "vad"]
CUTS: tuple[str, ...] = get_args(Cut)
Span = tuple[int, int]  # samples, start and stop
FindSpeech = Callable[[Float32], list[Span]]

SHORTEST_LIMIT = 1.0  # s; below it a window is no utterance any more
_QUIET_SPAN = 10  # frames, 200 ms, over which loudness is averaged: a pause, not a zero crossing


def cut_windows(wave: Float32, *, limit: int, cut: Cut, find_speech: FindSpeech | None = None) -> list[Span]:
    """(start, stop) samples of the windows of a clip, each of at most `limit` samples.

    Every start lies on the model's 20 ms grid, and neighbours share 80 samples, because a frame sees 400 and the next
    begins after 320: so frame i of the whole clip is at i · 20 ms, with no frame lost or twice.

    "fixed" makes windows of equal length. The others end each window between half of the limit and the limit, and leave
    no last window under a third of it: "quietest" where the 200 ms around the cut are quietest, "vad" in the middle of the
    longest pause between what `find_speech` finds (samples -> (start, stop) of each stretch of speech), and as
    "quietest" where someone speaks all along. `find_speech` is asked only of clips beyond the limit.

    >>> wave = np.ones(50_000, np.float32); wave[27_000:30_000] = 0.0
    >>> cut_windows(wave, limit=32_000, cut="fixed")
    [(0, 25040), (24960, 50000)]
    >>> cut_windows(wave, limit=32_000, cut="quietest")
    [(0, 28560), (28480, 50000)]
    >>> cut_windows(wave, limit=32_000, cut="vad", find_speech=lambda wave: [(0, 20_000), (24_000, 50_000)])
    [(0, 22160), (22080, 50000)]
    """
    if cut not in CUTS:
        raise InputError(f"unknown way to cut windows: {cut!r}", hint=f"Known: {', '.join(CUTS)}.")
    if cut == "fixed" or len(wave) <= limit:
        return audio.windows(len(wave), limit)
    loudness = _loudness(wave)
    pauses: list[Span] = []
    if cut == "vad":
        if find_speech is None:
            raise ValueError("cut='vad' needs find_speech")
        pauses = _pauses(find_speech(wave), len(wave))
    longest = (limit - MIN_SAMPLES) // HOP + 1  # frames
    total = (len(wave) - MIN_SAMPLES) // HOP + 1
    edges = [0]
    while total - edges[-1] > longest:
        first = edges[-1] + longest // 2
        last = min(edges[-1] + longest, total - longest // 3)
        edges.append(_middle_of_pause(pauses, first, last) or _quietest(loudness, first, last))
    edges.append(total)
    spans = [(begin * HOP, (end - 1) * HOP + MIN_SAMPLES) for begin, end in pairwise(edges)]
    # up to 319 samples at the end that no frame sees still take part in the last window's normalisation
    spans[-1] = (spans[-1][0], min(len(wave), spans[-1][0] + limit))
    return spans


def _quietest(loudness: Float32, first: int, last: int) -> int:
    nearby = loudness[first : last + 1][::-1]  # of equally quiet places the latest: fewer windows
    return last - int(nearby.argmin())


def _middle_of_pause(pauses: list[Span], first: int, last: int) -> int | None:
    """The frame in the middle of the longest pause, as far as it lies between two frames; of equal ones the latest."""
    within = [(max(start, first), min(stop, last)) for start, stop in pauses]
    start, stop = max(within, key=lambda span: (span[1] - span[0], span[0]), default=(0, -1))
    return (start + stop) // 2 if stop >= start else None


def _pauses(speech: list[Span], samples: int) -> list[Span]:
    """(first, last) frames between the stretches of speech, that begin in the pause."""
    edges = [0, *(sample for span in speech for sample in span), samples]
    return [(-(-start // HOP), stop // HOP) for start, stop in zip(edges[::2], edges[1::2], strict=True)]


def _loudness(wave: Float32) -> Float32:
    """(frames + 1,) mean energy of the 200 ms around the start of each frame."""
    hops = len(wave) // HOP
    rows = wave[: hops * HOP].reshape(hops, HOP)
    energy = np.einsum("ij,ij->i", rows, rows, dtype=np.float64)
    totals = np.concatenate([[0.0], np.cumsum(energy)])
    centre = np.arange(hops + 1)
    start, stop = np.maximum(centre - _QUIET_SPAN // 2, 0), np.minimum(centre + _QUIET_SPAN // 2, hops)
    return ((totals[stop] - totals[start]) / (stop - start)).astype(np.float32)
