"""A tiny checkpoint of the true architecture, our extractor on it, and FunASR's own answer to compare with."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from extractors.emotion2vec.extractor import Emotion2vecExtractor
from extractors.emotion2vec.quiet import undisturbed
from extractors.emotion2vec.synthetic import write_random_checkpoint


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> Iterator[None]:
    """Tiny products gain nothing from a second thread, and wait for each other where cores are shared."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model folder with nine classes; read it, do not change it."""
    return write_random_checkpoint(tmp_path_factory.mktemp("emotion2vec") / "tiny")


@pytest.fixture(scope="session")
def extractor(checkpoint: Path) -> Emotion2vecExtractor:
    return Emotion2vecExtractor(checkpoint, device="cpu", offline=True)


@dataclass(frozen=True)
class Answer:
    """What FunASR's `generate` says of one clip."""

    feats: np.ndarray
    scores: list[float]
    labels: list[str]


@pytest.fixture(scope="session")
def funasr(extractor: Emotion2vecExtractor) -> Callable[[Path], Callable[..., Answer]]:
    """funasr(folder)(wave, granularity) -> Answer, by FunASR's own AutoModel.

    Comes after our extractor, so that it also shows that loading one leaves FunASR whole.
    """
    with undisturbed():
        from funasr import AutoModel

    def load(folder: Path) -> Callable[..., Answer]:
        threads = torch.get_num_threads()
        with undisturbed():
            model: Any = AutoModel(
                model=str(folder), disable_update=True, disable_pbar=True, device="cpu", ncpu=threads, log_level="ERROR"
            )

        def generate(wave: np.ndarray, granularity: str = "utterance") -> Answer:
            with undisturbed():
                (found,) = model.generate(wave, granularity=granularity)
            return Answer(found["feats"], found["scores"], found["labels"])

        return generate

    return load


@pytest.fixture(scope="session")
def clip() -> Callable[..., np.ndarray]:
    """clip(seconds, seed=0) -> (samples,) float32: coloured noise with pauses, of the rhythm and level of speech."""

    def make(seconds: float, seed: int = 0) -> np.ndarray:
        random = np.random.default_rng(seed)
        samples = round(seconds * 16_000)
        noise = np.convolve(random.standard_normal(samples + 31), np.hanning(32), mode="valid")[:samples]
        phase = np.arange(samples) / 16_000 * 2 * np.pi * random.uniform(1.5, 4.0) + random.uniform(0, 6)
        return (0.02 * noise * (0.5 + 0.5 * np.sin(phase)) ** 2).astype(np.float32)

    return make
