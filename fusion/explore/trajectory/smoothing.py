"""Scores over time made readable, without a word about the pauses."""

from __future__ import annotations

import numpy as np

from extractors.types import Float32
from fusion.explore.trajectory.result import Bools


def smooth_spoken(scores: Float32, spoken: Bools, rows: int) -> Float32:
    """Mean over a centred window of `rows` (made odd) of those rows of it that are spoken; NaN where the row is not.

    A boxcar: every spoken row in the window counts the same, and pauses are neither zero nor a bridge. Where nothing is
    silent it is `Emotion2vecExtractor.frame_scores(frames, smooth=…)`. Rows that sum to one still do.

    scores (rows, classes) float32, spoken (rows,) bool

    >>> smooth_spoken(np.array([[0.0], [9.0], [6.0]], np.float32), np.array([True, False, True]), 3).ravel().tolist()
    [0.0, nan, 6.0]
    """
    reach = rows // 2
    places = np.arange(len(scores))
    start, stop = np.maximum(places - reach, 0), np.minimum(places + reach + 1, len(scores))
    weighted = np.where(spoken[:, None], scores, 0.0)
    totals = np.concatenate([np.zeros((1, scores.shape[1])), np.cumsum(weighted, axis=0, dtype=np.float64)])
    counts = np.concatenate([[0], np.cumsum(spoken)])
    many = (counts[stop] - counts[start])[:, None]
    means = (totals[stop] - totals[start]) / np.maximum(many, 1)
    return np.where(spoken[:, None], means, np.nan).astype(np.float32)
