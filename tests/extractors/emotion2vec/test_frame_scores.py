"""Scores of single frames, by the model's own head."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from extractors.emotion2vec.extractor import Emotion2vecExtractor
from extractors.emotion2vec.load import load_model
from extractors.errors import InputError

MakeClip = Callable[..., np.ndarray]


@pytest.fixture(scope="module")
def frames(extractor: Emotion2vecExtractor, clip: MakeClip) -> np.ndarray:
    (found,) = extractor.extract([clip(3.0)], granularity="frame")
    return found.frames


def test_the_head_is_the_models_own(checkpoint: Path, extractor: Emotion2vecExtractor, frames: np.ndarray) -> None:
    scores = extractor.frame_scores(frames)
    with torch.no_grad():
        expected = load_model(checkpoint).module.proj(torch.from_numpy(frames)).softmax(-1)
    assert scores.shape == (149, 9)
    assert scores.dtype == np.float32
    np.testing.assert_allclose(scores, expected, atol=1e-6)


def test_the_mean_of_the_frames_has_the_scores_of_the_clip(extractor: Emotion2vecExtractor, clip: MakeClip) -> None:
    (found,) = extractor.extract([clip(2.0, 3)], granularity="frame")
    np.testing.assert_allclose(extractor.frame_scores(found.frames.mean(0)[None])[0], found.scores, atol=1e-6)


@pytest.mark.parametrize("smooth", [0.0, 0.02, 0.5, 1.0, 1.02, 100.0])
def test_smoothing(extractor: Emotion2vecExtractor, frames: np.ndarray, smooth: float) -> None:
    """Frame i becomes the mean over all frames within half of `smooth` of it, as far as there are any."""
    scores = extractor.frame_scores(frames)
    smoothed = extractor.frame_scores(frames, smooth=smooth)
    times = np.arange(len(frames)) * 0.02
    near = np.abs(times[:, None] - times) <= smooth / 2 + 1e-6
    np.testing.assert_allclose(smoothed, near @ scores / near.sum(1, keepdims=True), atol=1e-6)
    np.testing.assert_allclose(smoothed.sum(1), 1.0, atol=1e-5)


def test_what_cannot_be_scored(extractor: Emotion2vecExtractor, frames: np.ndarray) -> None:
    assert extractor.frame_scores(frames[:0], smooth=1.0).shape == (0, 9)
    with pytest.raises(InputError, match=r"expected frames of shape \(frames, 64\), got \(64,\)"):
        extractor.frame_scores(frames[0])
    for smooth in (-1.0, float("nan"), float("inf")):
        with pytest.raises(InputError, match="smooth: expected seconds from 0"):
            extractor.frame_scores(frames, smooth=smooth)
