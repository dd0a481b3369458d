"""What an encoder says of a recording, in bounded memory: scores of rows over time, and a vector for each step of the path."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from extractors.audio import HOP, SAMPLE_RATE
from extractors.descriptors import VOICE
from extractors.emotion2vec.windows import Cut, FindSpeech
from extractors.types import Embedding, Float32
from extractors.vad import speech_detector
from fusion.explore.trajectory.recording import FRAME_RATE, Recording, Stretch
from fusion.explore.trajectory.result import Bools
from fusion.explore.trajectory.windows import WINDOW_STEPS, Grid, extracted

GROUP_SECONDS = 240.0  # s of windows that go to the encoder together; their frames are all that is held of it
WINDOW_SECONDS = 30.0  # of encoders that do not cut long clips themselves


@dataclass(frozen=True)
class Heard:
    """rate    : rows of `scores` a second
    labels  : of the scores
    scores  : (rows, classes), not smoothed, NaN where nothing is known; None of encoders that do not classify
    vectors : (steps, dim), NaN where a step has no speech
    step_scores : (steps, classes) of those steps
    names   : (dim,) of the vectors' features, where they have any
    """

    rate: float
    labels: tuple[str, ...]
    scores: Float32 | None
    vectors: Float32
    step_scores: Float32 | None
    names: Sequence[str] = ()


def hear_frames(extractor: Any, recording: Recording, spoken: Bools, grid: Grid) -> Heard:
    """Scores of every 20 ms by the encoder's own head, and for each step the mean of the spoken frames in its window.

    The windows that the encoder hears are those of `Emotion2vecExtractor.extract`, so frames are its own, however long the
    recording is.
    """
    cut: Cut = getattr(extractor, "window", "quietest")
    find: FindSpeech | None = speech_detector().speech if cut == "vad" else None
    limit = round(getattr(extractor, "window_seconds", WINDOW_SECONDS) * SAMPLE_RATE)
    labels: tuple[str, ...] = tuple(getattr(extractor, "labels", ()))
    names: tuple[str, ...] = tuple(getattr(extractor, "frame_names", ()))
    scores = np.full((recording.frames, len(labels)), np.nan, np.float32)
    known = np.zeros(recording.frames, bool)
    means = _StepMeans(grid, getattr(extractor, "frames_dim", extractor.dim), names)
    for group in _groups(recording.windows(limit=limit, cut=cut, find_speech=find)):
        for stretch, embedding in zip(group, extracted(extractor, [s.wave for s in group], frames=True), strict=True):
            if embedding is None:  # of silence, where the encoder takes silence off
                continue
            first, frames = _placed(stretch, embedding)
            part = slice(first, first + len(frames))
            known[part] = True
            if labels:
                scores[part] = extractor.frame_scores(frames)
            means.add(first, frames, spoken[part])
    vectors = means.vectors()
    vectors[~grid.spoken(spoken & known)] = np.nan
    if not labels:
        return Heard(1 / grid.hop, (), None, vectors, None, names)
    step_scores = np.full((grid.steps, len(labels)), np.nan, np.float32)
    there = np.isfinite(vectors[:, 0])
    step_scores[there] = extractor.frame_scores(vectors[there])  # the head was trained on means
    return Heard(float(FRAME_RATE), labels, scores, vectors, step_scores)


def _placed(stretch: Stretch, embedding: Embedding) -> tuple[int, Float32]:
    """The recording's number of the first frame, and the frames that are the stretch's own."""
    assert embedding.frames is not None
    offset = round(embedding.start * FRAME_RATE)
    return stretch.first_frame + offset, embedding.frames[: stretch.frames - offset]


class _StepMeans:
    """Sums over half steps, of which any step's window is a whole number: memory follows the steps, not the frames.

    Where frames say what share of them is `voiced`, what only voices have is averaged over the voiced ones.
    """

    def __init__(self, grid: Grid, dim: int, names: Sequence[str]) -> None:
        self._grid = grid
        self._sums = np.zeros((2 * grid.steps, dim), np.float32)
        self._counts = np.zeros(2 * grid.steps, np.int64)
        self._voiced = [names.index("voiced")] if "voiced" in names else []
        self._of_voice = [names.index(name) for name in VOICE if name in names] if self._voiced else []

    def add(self, first: int, frames: Float32, inside: Bools) -> None:
        """frames (frames, dim) from frame `first` of the recording on, of which those `inside` (frames,) count."""
        if not inside.any():
            return
        frames = frames[inside]
        if self._of_voice:
            frames[:, self._of_voice] *= frames[:, self._voiced]
        places: NDArray[np.int64] = 2 * (first + np.flatnonzero(inside)) // self._grid.frames
        parts, starts = np.unique(places, return_index=True)
        self._sums[parts] += np.add.reduceat(frames, starts, axis=0)
        self._counts[parts] += np.diff(np.append(starts, len(places)))

    def vectors(self) -> Float32:
        """(steps, dim): a window of w steps around the middle of step i is half steps 2i + 1 - w to 2i + 1 + w."""
        reach = WINDOW_STEPS
        means = np.full((self._grid.steps, self._sums.shape[1]), np.nan, np.float32)
        for step in range(len(means)):
            part = slice(max(0, 2 * step + 1 - reach), 2 * step + 1 + reach)
            if many := self._counts[part].sum():
                means[step] = self._sums[part].sum(axis=0) / many
        if self._of_voice:
            share = means[:, self._voiced]
            voice = np.where(share > 0, means[:, self._of_voice] / np.where(share > 0, share, 1), np.nan)
            with np.errstate(invalid="ignore"):
                usual = np.nan_to_num(np.nanmean(voice, axis=0)) if np.isfinite(voice).any() else 0.0
            # a step without a voice has no pitch: it takes the recording's mean, which is no move
            means[:, self._of_voice] = np.where(np.isnan(voice) & np.isfinite(share), usual, voice)
        return means


def _groups(windows: Iterator[Stretch]) -> Iterator[list[Stretch]]:
    group: list[Stretch] = []
    held = 0
    for stretch in windows:
        group.append(stretch)
        held += stretch.frames
        if held * HOP >= GROUP_SECONDS * SAMPLE_RATE:
            yield group
            group, held = [], 0
    if group:
        yield group
