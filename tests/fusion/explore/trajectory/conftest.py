"""A tiny checkpoint of the true architecture, voices and tones with known changes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from extractors.acoustic import AcousticExtractor
from extractors.audio import load_audio
from extractors.emotion2vec.extractor import Emotion2vecExtractor
from extractors.emotion2vec.synthetic import write_random_checkpoint

SAMPLES = Path(__file__).resolve().parents[4] / "samples" / "audio"
torch.set_num_threads(1)


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_random_checkpoint(tmp_path_factory.mktemp("trajectory") / "tiny")


@pytest.fixture(scope="session")
def encoder(checkpoint: Path) -> Emotion2vecExtractor:
    return Emotion2vecExtractor(checkpoint, device="cpu", offline=True)


@pytest.fixture(scope="session")
def acoustic() -> AcousticExtractor:
    return AcousticExtractor()


@pytest.fixture(scope="session")
def speech() -> np.ndarray:
    """(samples,) eight clips of one speaker, a second and a half of digital silence after the fourth."""
    waves = [load_audio(path) for path in sorted(SAMPLES.glob("us-f1-0*"))[:8]]
    return np.concatenate([*waves[:4], np.zeros(24_000, np.float32), *waves[4:]])


@pytest.fixture(scope="session")
def tone() -> Callable[..., np.ndarray]:
    """tone(hertz, seconds) -> (samples,) a tone of four harmonics in a little noise."""

    def make(hertz: float, seconds: float, seed: int = 0) -> np.ndarray:
        at = np.arange(round(seconds * 16_000)) / 16_000
        wave = sum(0.3 / n * np.sin(2 * np.pi * n * hertz * at) for n in range(1, 5))
        return (0.5 * wave + np.random.default_rng(seed).normal(0, 0.01, len(at))).astype(np.float32)

    return make
