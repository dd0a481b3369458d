"""What a caller may hand to the extractor, checked: arrays, or files that are decoded ahead of the encoder."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import Any, NamedTuple

import numpy as np

from extractors.audio import MIN_SAMPLES, SAMPLE_RATE, AudioError, load_audio
from extractors.clips import ClipsError
from extractors.conditioning import Conditioning, NoSpeechError, Treatment
from extractors.errors import InputError
from extractors.types import Float32

__all__ = ["ClipsError", "Ready", "as_list", "check_wave", "read_clips"]

WORKERS = 4  # threads that decode and condition; libsndfile, soxr and torch release the GIL
AHEAD = 16  # clips made ready before the encoder asks for them …
AHEAD_SAMPLES = 600 * SAMPLE_RATE  # … as long as they are no longer than 10 minutes together, or but one


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
        run = pool.map if conditioning.settings() else map  # with nothing to do, a thread costs more than it gives
        found = run(lambda index: _planned(clips[index], conditioning), arrays)
        plans = {index: (clips[index], plan) for index, plan in zip(arrays, found, strict=True)}
        reasons = {index: plan for index, (_, plan) in plans.items() if isinstance(plan, str)}
        if reasons and len(arrays) == len(clips):
            raise ClipsError(reasons, len(clips))
        waiting: deque[tuple[int, _Planned | Future[_Planned]]] = deque()
        todo = iter(range(len(clips)))
        longest, most = 1, 2
        while True:
            for index in islice(todo, max(0, most - len(waiting))):
                waiting.append((index, plans.get(index) or pool.submit(_decoded, clips[index], conditioning)))
            if not waiting:
                break
            index, planned = waiting.popleft()
            wave, plan = planned.result() if isinstance(planned, Future) else planned
            if isinstance(plan, str):
                reasons[index] = plan
                continue
            longest = max(len(wave), longest * 99 // 100)
            most = max(1, min(most + 1, AHEAD, AHEAD_SAMPLES // longest))
            if not reasons:
                yield Ready(index, plan.apply(wave), plan.start)
    if reasons:
        raise ClipsError(reasons, len(clips))


_Planned = tuple[Any, Treatment | str]  # a wave and what to do to it, or why it cannot be used


def _planned(wave: Any, conditioning: Conditioning) -> Treatment | str:
    if problem := check_wave(wave):
        return problem
    try:
        return conditioning.plan(wave)
    except NoSpeechError as error:
        return error.reason


def _decoded(path: str | os.PathLike[str], conditioning: Conditioning) -> _Planned:
    try:
        wave = load_audio(path)
        return wave, conditioning.plan(wave)
    except (AudioError, NoSpeechError) as error:
        return None, f"{path}: {error.reason}"


def _is_path(clip: Any) -> bool:
    return isinstance(clip, str | os.PathLike)
