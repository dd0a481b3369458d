"""What a caller may hand to the extractor, checked: arrays, or files that are decoded ahead of the encoder."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from extractors.audio import MIN_SAMPLES, AudioError, load_audio
from extractors.errors import InputError
from extractors.types import Float32

DECODERS = 4  # threads; libsndfile and soxr release the GIL
AHEAD = 16  # clips decoded before the encoder asks for them


class ClipsError(InputError):
    """Some clips of a call cannot be used; nothing of it was returned. `reasons` maps their positions to why."""

    def __init__(self, reasons: dict[int, str], total: int) -> None:
        self.reasons = reasons
        super().__init__(
            f"{len(reasons)} of {total} clips cannot be used",
            [f"clip {index}: {reason}" for index, reason in sorted(reasons.items())],
            "Pass (samples,) float32 arrays, mono, 16 kHz, within [-1, 1], or paths of audio files.",
        )


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


def read_clips(clips: Sequence[Any]) -> Iterator[tuple[int, Float32]]:
    """(position, wave) of each clip in order, files decoded in threads a few clips ahead.

    Arrays are checked before anything is yielded. From the first file that cannot be used on nothing more is
    yielded, and when all are checked `ClipsError` names every one.
    """
    reasons = {i: why for i, clip in enumerate(clips) if not _is_path(clip) and (why := check_wave(clip))}
    if reasons and not any(map(_is_path, clips)):
        raise ClipsError(reasons, len(clips))
    waiting: deque[tuple[int, Float32 | Future[Float32]]] = deque()
    todo = iter(enumerate(clips))
    with ThreadPoolExecutor(max_workers=DECODERS, thread_name_prefix="decode") as pool:  # starts threads on demand
        while True:
            for index, clip in islice(todo, AHEAD - len(waiting)):
                waiting.append((index, pool.submit(load_audio, Path(clip)) if _is_path(clip) else clip))
            if not waiting:
                break
            index, wave = waiting.popleft()
            try:
                decoded = wave.result() if isinstance(wave, Future) else wave
            except AudioError as error:
                reasons[index] = f"{clips[index]}: {error.reason}"
                continue
            if not reasons:
                yield index, decoded
    if reasons:
        raise ClipsError(reasons, len(clips))


def _is_path(clip: Any) -> bool:
    return isinstance(clip, str | os.PathLike)
