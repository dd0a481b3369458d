"""What a caller may hand to the extractor, checked: arrays, or files that are decoded ahead of the encoder."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from extractors.audio import MIN_SAMPLES, SAMPLE_RATE, AudioError, load_audio
from extractors.conditioning import Conditioning, NoSpeechError, Treatment
from extractors.errors import InputError
from extractors.types import Float32

WORKERS = 4  # threads that decode and condition; libsndfile, soxr and torch release the GIL
AHEAD = 16  # clips made ready before the encoder asks for them …
AHEAD_SAMPLES = 600 * SAMPLE_RATE  # … as long as they are no longer than 10 minutes together, or but one


class ClipsError(InputError):
    """Some clips of a call cannot be used; nothing of it was returned. `reasons` maps their positions to why."""

    def __init__(self, reasons: dict[int, str], total: int) -> None:
        self.reasons = reasons
        super().__init__(
            f"{len(reasons)} of {total} clips cannot be used",
            [f"clip {index}: {reason}" for index, reason in sorted(reasons.items())],
            "Pass (samples,) float32 arrays, mono, 16 kHz, within [-1, 1], or paths of audio files.",
        )


class Ready(NamedTuple):
    """The clip at `position` of a call, as the encoder shall hear it; `start`: samples taken off its beginning."""

    position: int
    wave: Float32
    start: int


def as_list(clips: Iterable[Any]) -> list[Any]:
    """The clips of a call. Raises InputError for a lone path or array, which would be taken apart.

    >>> as_list("call.wav")
    Traceback (most recent call last):
    ...
    extractors.errors.InputError: expected a list of clips, got one str
    For a single clip, pass [clip].
    """
    if isinstance(clips, np.ndarray):
        raise InputError(
            f"expected a list of clips, got one array {clips.shape}", hint="For a single clip, pass [clip]."
        )
    if _is_path(clips) or not isinstance(clips, Iterable):
        raise InputError(
            f"expected a list of clips, got one {type(clips).__name__}", hint="For a single clip, pass [clip]."
        )
    return list(clips)


def check_wave(wave: Any) -> str | None:
    """Why `wave` is not a clip for the encoder, or None.

    >>> check_wave(np.zeros(16_000, np.float32)), check_wave(np.zeros(399, np.float32))
    (None, '399 samples are too short: one frame needs 400 (25 ms)')
    """
    if not isinstance(wave, np.ndarray):
        return f"expected a numpy array or a path, got {type(wave).__name__}"
    if wave.ndim != 1:
        return f"expected one channel, (samples,), got shape {wave.shape}; average the channels"
    if wave.dtype != np.float32:
        scale = "; divide integers by their full scale" if np.issubdtype(wave.dtype, np.integer) else ""
        return f"expected float32, got {wave.dtype}{scale}"
    if len(wave) < MIN_SAMPLES:
        return f"{len(wave)} samples are too short: one frame needs {MIN_SAMPLES} (25 ms)"
    # the extremes alone say it: NaN and infinity pass through max and min, and no copy is made
    if not np.isfinite(wave.max()) or not np.isfinite(wave.min()):
        return "holds NaN or infinite samples"
    return None


def read_clips(clips: Sequence[Any], conditioning: Conditioning) -> Iterator[Ready]:
    """Each clip in order, decoded and conditioned in threads a few clips ahead.

    Arrays are checked before anything is yielded. From the first file that cannot be used on nothing more is
    yielded, and when all are checked `ClipsError` names every one.
    """
    with ThreadPoolExecutor(max_workers=WORKERS, thread_name_prefix="clips") as pool:  # starts threads on demand
        arrays = [index for index, clip in enumerate(clips) if not _is_path(clip)]
        plans = dict(zip(arrays, pool.map(lambda index: _plan(clips[index], conditioning), arrays), strict=True))
        reasons = {index: plan for index, plan in plans.items() if isinstance(plan, str)}
        if reasons and len(arrays) == len(clips):
            raise ClipsError(reasons, len(clips))
        waiting: deque[tuple[int, Future[tuple[Float32, int] | str]]] = deque()
        todo = iter(enumerate(clips))
        longest, most = 1, 2
        while True:
            for index, clip in islice(todo, max(0, most - len(waiting))):
                waiting.append((index, pool.submit(_ready, clip, plans.get(index), conditioning)))
            if not waiting:
                break
            index, future = waiting.popleft()
            found = future.result()
            if isinstance(found, str):
                reasons[index] = found
                continue
            longest = max(len(found[0]), longest * 99 // 100)
            most = max(1, min(most + 1, AHEAD, AHEAD_SAMPLES // longest))
            if not reasons:
                yield Ready(index, *found)
    if reasons:
        raise ClipsError(reasons, len(clips))


def _plan(clip: Any, conditioning: Conditioning) -> Treatment | str:
    """What to do to an array, or why it cannot be used."""
    if problem := check_wave(clip):
        return problem
    try:
        return conditioning.plan(clip)
    except NoSpeechError as error:
        return error.reason


def _ready(clip: Any, plan: Treatment | str | None, conditioning: Conditioning) -> tuple[Float32, int] | str:
    """(wave, samples taken off its beginning) of an array with its plan, or of a file; or why it cannot be used."""
    try:
        wave = clip if plan is not None else load_audio(Path(clip))
        if plan is None:
            plan = conditioning.plan(wave)
    except (AudioError, NoSpeechError) as error:
        return f"{clip}: {error.reason}"
    return plan if isinstance(plan, str) else (plan.apply(wave), plan.start)


def _is_path(clip: Any) -> bool:
    return isinstance(clip, str | os.PathLike)
