"""A clip's vector from its windows: by their frames or by their means, in any order."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from extractors.emotion2vec.extractor import Emotion2vecExtractor
from extractors.emotion2vec.pooling import Pool


def test_means_of_windows_make_the_vector_that_their_frames_make() -> None:
    windows = [torch.randn(frames, 16, generator=torch.Generator().manual_seed(frames)) for frames in (7, 1500, 1)]
    by_frames, by_means = Pool(windows=3), Pool(windows=3)
    for number in (2, 0, 1):
        assert not by_frames.whole
        assert not by_means.whole
        by_frames.add(number, windows[number], keep=False)
        by_means.add_mean(windows[number].mean(0), len(windows[number]))
    assert by_frames.whole
    assert by_means.whole
    expected = torch.cat(windows).mean(0).numpy()
    np.testing.assert_allclose(by_frames.vector(), expected, atol=1e-6)
    np.testing.assert_allclose(by_means.vector(), expected, atol=1e-6)
    assert by_means.stitched() is None


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA here")
def test_vectors_pooled_on_cuda_are_those_of_the_frames(checkpoint: Path, clip) -> None:
    extractor = Emotion2vecExtractor(checkpoint, device="cuda", window_seconds=2.0)
    waves = [clip(seconds, seed) for seed, seconds in enumerate((0.1, 5.0, 1.0))]
    pairs = zip(extractor.extract(waves), extractor.extract(waves, frames=True), strict=True)
    for pooled, whole in pairs:
        np.testing.assert_allclose(pooled.vector, whole.vector, atol=1e-5)
        np.testing.assert_allclose(pooled.scores, whole.scores, atol=1e-5)
        assert pooled.frames is None
