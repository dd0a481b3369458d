"""Steps over a recording: each is half a window long and heard with the window around its middle."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import ceil, isfinite
from typing import Any

import numpy as np

from extractors.audio import HOP, SAMPLE_RATE
from extractors.clips import ClipsError
from extractors.errors import InputError
from extractors.types import Embedding, Float32
from fusion.explore.trajectory.recording import FRAME_RATE, Recording
from fusion.explore.trajectory.result import Bools

WINDOW_STEPS = 2  # in a window
LEAST_SPEECH = 0.2  # share of a step's own time that must be spoken for it to count
CHUNK = 120  # steps decoded and embedded at a time, two minutes of a bundle's


@dataclass(frozen=True)
class Grid:
    """Steps of half a `window` (seconds): step i is i · hop to (i + 1) · hop, heard with the window around its middle. So
    every moment is heard twice, and what two steps apart say has no sound in common.

    >>> Grid(seconds=10.1, window=0.99)
    Traceback (most recent call last):
    ...
    extractors.errors.InputError: window: expected a multiple of 0.04 s, got 0.99
    >>> Grid(seconds=10.1, window=1.0).steps
    21
    """

    seconds: float
    window: float

    def __post_init__(self) -> None:
        given = self.window
        whole = not isinstance(given, bool) and isinstance(given, int | float) and isfinite(given) and given > 0
        if not whole or abs(given / 2 * FRAME_RATE - round(given / 2 * FRAME_RATE)) > 1e-6:
            raise InputError(f"window: expected a multiple of 0.04 s, got {given!r}")
        if self.seconds < given:
            raise InputError(
                f"the recording has {self.seconds:.2f} s, less than one window of {given:g} s",
                hint="A course needs time. Set window= lower, or ask `emofuse predict` about the clip as a whole.",
            )

    @property
    def hop(self) -> float:
        return self.window / 2

    @property
    def steps(self) -> int:
        return ceil(round(self.seconds / self.hop, 6))

    @property
    def frames(self) -> int:
        """In a step."""
        return round(self.hop * FRAME_RATE)

    def spoken(self, mask: Bools) -> Bools:
        """(steps,) bool from (frames,) bool: where enough of a step is spoken."""
        padded = np.zeros(self.steps * self.frames, bool)
        padded[: len(mask)] = mask[: len(padded)]
        rows = padded.reshape(self.steps, self.frames)
        return np.asarray(rows.sum(axis=1) >= LEAST_SPEECH * self.frames)

    def span(self, step: int, samples: int) -> tuple[int, int]:
        """(start, stop) samples of the step's window, as far as the recording goes."""
        middle = round((step + 0.5) * self.hop * SAMPLE_RATE)
        half = round(self.window * SAMPLE_RATE) // 2
        return max(0, middle - half), min(samples, middle + half)


def slide(
    extractor: Any, recording: Recording, steps: Sequence[int], grid: Grid, *, frames: bool = False
) -> Iterator[tuple[list[int], list[Embedding]]]:
    """The embeddings of the windows around `steps`, some at a time; windows that the encoder hears nothing in are left out."""
    cuts = [0, *(i for i in range(1, len(steps)) if steps[i] // CHUNK != steps[i - 1] // CHUNK), len(steps)]
    for first, last in pairwise(cuts):
        part = list(steps[first:last])
        if not part:
            continue
        spans = [grid.span(step, recording.samples) for step in part]
        begin = spans[0][0] // HOP * HOP
        wave = recording.read(begin, spans[-1][1])
        waves = [np.ascontiguousarray(wave[start - begin : stop - begin]) for start, stop in spans]
        found = extracted(extractor, waves, frames=frames)
        there = [(step, embedding) for step, embedding in zip(part, found, strict=True) if embedding is not None]
        if there:
            yield [step for step, _ in there], [embedding for _, embedding in there]


def extracted(extractor: Any, waves: Sequence[Float32], *, frames: bool = False) -> list[Embedding | None]:
    """An embedding for each wave; None for those that the encoder refuses, as it does silence where it is told to trim it."""
    if not waves:
        return []
    try:
        return list(extractor.extract(list(waves), frames=frames))
    except ClipsError as error:
        refused = set(error.reasons)
    kept = [i for i in range(len(waves)) if i not in refused]
    answers: list[Embedding | None] = [None] * len(waves)
    for place, embedding in zip(kept, extracted(extractor, [waves[i] for i in kept], frames=frames), strict=True):
        answers[place] = embedding
    return answers
