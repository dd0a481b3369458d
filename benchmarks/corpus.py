"""A corpus to measure with: clips of speech-like length and loudness, the same on every machine."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

SAMPLE_RATE = 16_000  # Hz
MEDIAN, SPREAD, SHORTEST, LONGEST = 4.0, 0.7, 0.5, 30.0  # s, of the log-normal lengths


def clip_lengths(count: int, seed: int = 0) -> NDArray[np.float64]:
    """(count,) seconds: log-normal with median 4 s, clipped to 0.5–30 s."""
    rng = np.random.default_rng(seed)
    return rng.lognormal(np.log(MEDIAN), SPREAD, count).clip(SHORTEST, LONGEST)


def voice_like(seconds: float, seed: int) -> NDArray[np.float32]:
    """(samples,) at 16 kHz: a gliding harmonic tone with noise, in syllables four a second."""
    rng = np.random.default_rng(seed)
    time = np.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    pitch = rng.uniform(90, 250) * (1 + 0.1 * np.sin(2 * np.pi * rng.uniform(0.3, 1.5) * time))  # Hz
    phase = 2 * np.pi * np.cumsum(pitch) / SAMPLE_RATE
    tone = sum(np.sin(n * phase) / n for n in range(1, 12))
    syllables = np.clip(np.sin(2 * np.pi * 4 * time + rng.uniform(0, 6)), 0, None)
    return (0.1 * tone * syllables + rng.normal(0, 0.003, len(time))).astype(np.float32)


def write_corpus(folder: Path, count: int, seed: int = 0) -> list[Path]:
    """`count` WAV files, 16 kHz PCM16, each of its own content."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for i, seconds in enumerate(clip_lengths(count, seed)):
        paths.append(folder / f"{i:05}.wav")
        soundfile.write(paths[-1], voice_like(seconds, seed * 1_000_003 + i), SAMPLE_RATE, subtype="PCM_16")
    return paths
