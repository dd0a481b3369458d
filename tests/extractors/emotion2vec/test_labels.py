"""Names and scores of the classes."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from extractors.emotion2vec.labels import ClassHead, english_names, smooth_frames

OLD = ("angry", "unuse_0", "unuse_1", "happy", "neutral", "unuse_2", "sad", "unuse_3", "<unk>")
FIVE = ("生气/angry", "开心/happy", "中立/neutral", "难过/sad", "<unk>")


@pytest.fixture
def head() -> torch.nn.Linear:
    torch.manual_seed(0)
    return torch.nn.Linear(6, 9)


def test_hidden_classes_get_nothing(head: torch.nn.Linear) -> None:
    vectors = torch.randn(4, 6, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        logits = head(vectors)
    logits[:, [index for index, token in enumerate(OLD) if token.startswith("unuse")]] = -torch.inf  # as FunASR does
    expected = logits.softmax(-1)[:, [0, 3, 4, 6, 8]]
    scores = ClassHead(head, OLD)
    assert scores.labels == ("angry", "happy", "neutral", "sad", "unknown")
    assert scores.tokens == ("angry", "happy", "neutral", "sad", "<unk>")
    np.testing.assert_allclose(scores(vectors.numpy()), expected.numpy(), atol=1e-6)


def test_extreme_logits_stay_finite(head: torch.nn.Linear) -> None:
    scores = ClassHead(head, ("a", "b", "c", "d", "e", "f", "g", "h", "i"))(np.full((1, 6), 1e4, np.float32))
    assert np.isfinite(scores).all()
    assert scores.sum() == pytest.approx(1.0)


def test_english_names() -> None:
    assert english_names(FIVE) == ("angry", "happy", "neutral", "sad", "unknown")
    assert english_names(("中立/neutral", "neutral")) == ("中立/neutral", "neutral")  # two of one name: as they are


@pytest.mark.parametrize("frames", [0, 1, 2, 3, 50, 51, 500])
def test_smoothing_is_a_mean_over_what_exists(frames: int) -> None:
    values = np.random.default_rng(0).random((120, 3)).astype(np.float32)
    reach = frames // 2
    expected = [values[max(0, i - reach) : i + reach + 1].mean(0) for i in range(len(values))]
    np.testing.assert_allclose(smooth_frames(values, frames), expected, atol=1e-6)
