"""A real, tiny speech extractor for tests: how loud a clip is, in eight parts of its length."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from extractors import fingerprint as digest
from extractors.types import Clip, Embedding

PARTS = 8


class EnergyExtractor:
    """Root mean square of `PARTS` parts and of the whole, (dim,) float32. `power` is a setting that changes the numbers.

    `delay` seconds per clip and `watch`, called with each batch, change nothing.
    """

    name, modality, dim, frame_rate = "energy", "speech", PARTS + 1, None

    def __init__(self, *, power: float = 1.0, delay: float = 0.0, watch: Callable[[Sequence[Any]], None] | None = None):
        self.power, self.delay, self.watch = power, delay, watch
        self.computed = 0

    @property
    def fingerprint(self) -> str:
        return digest.fingerprint(self.describe())

    def describe(self) -> dict[str, Any]:
        return {"name": self.name, "parts": PARTS, "power": self.power}

    def extract(self, clips: Sequence[Any], *, frames: bool = False) -> list[Embedding]:
        time.sleep(self.delay * len(clips))
        if self.watch:
            self.watch(clips)
        self.computed += len(clips)
        return [self._embed(samples, frames) for samples in clips]

    def _embed(self, samples: Any, frames: bool) -> Embedding:
        parts = [np.sqrt(np.mean(part**2)) for part in np.array_split(samples, PARTS)]
        vector = np.array([*parts, np.sqrt(np.mean(samples**2))], np.float32) ** np.float32(self.power)
        ramp = np.linspace(1, 2, 1 + len(samples) // 1600, dtype=np.float32)[:, None]
        return Embedding(vector, frames=ramp * vector if frames else None)


def write_clips(folder: Path, count: int, *, seed: int = 0, shortest: float = 0.1, longest: float = 0.5) -> list[Clip]:
    """`count` different WAV files of noise, `shortest` to `longest` seconds."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    clips = []
    for i in range(count):
        samples = rng.normal(0, rng.uniform(0.05, 0.2), int(16_000 * rng.uniform(shortest, longest))).clip(-1, 1)
        soundfile.write(folder / f"{i:04}.wav", samples, 16_000)
        clips.append(Clip(f"clip {i}", audio=folder / f"{i:04}.wav"))
    return clips
