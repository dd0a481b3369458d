"""Real clips, encoders and a bundle, small enough to be embedded in a blink."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile

from extractors import AcousticExtractor
from fusion.explore.collection import Collection, Maker
from tests.fusion.random_bundle import save_random_bundle

MakeClips = Callable[..., Collection]


def tone(pitch: float, seconds: float = 0.5, seed: int = 0) -> np.ndarray:
    """(samples,) a harmonic tone that swells and fades, with a little noise."""
    time = np.arange(int(seconds * 16_000)) / 16_000
    voice = sum(np.sin(2 * np.pi * pitch * k * time) / k for k in range(1, 6))
    noise = 0.01 * np.random.default_rng(seed).normal(size=len(time))
    return (0.1 * voice * np.hanning(len(time)) + noise).astype(np.float32)


@pytest.fixture
def voices(tmp_path: Path) -> Path:
    """`voices.csv`: four tones of two speakers and two labels, a span of the first, one silent row without audio."""
    rows = ["id,audio,text,label,speaker,start,end"]
    for number, (pitch, label, speaker) in enumerate(
        [(110, "low", "ann"), (120, "low", "ben"), (330, "high", "ann"), (350, "high", "ben")]
    ):
        soundfile.write(tmp_path / f"{number}.wav", tone(pitch, seed=number), 16_000)
        rows.append(f"clip {number},{number}.wav,words {number},{label},{speaker},,")
    rows += ["clip 0 end,0.wav,,low,ann,0.2,0.45", "words only,,nothing to hear,,ben,,"]
    (tmp_path / "voices.csv").write_text("\n".join(rows) + "\n")
    return tmp_path / "voices.csv"


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A head of random weights over the real acoustic encoder."""
    folder = tmp_path_factory.mktemp("trained") / "my-run" / "bundle"
    return save_random_bundle(folder, [AcousticExtractor()], ("low", "high"), (0.5, 0.5))


def _clips(
    labels: Sequence[str | None] = ("a",) * 20 + ("b",) * 20,
    *,
    dim: int = 8,
    noise: float = 0.3,
    mean: float = 5.0,
    seed: int = 0,
    **columns: Sequence[object],
) -> Collection:
    """Vectors about one direction a label, with a large mean in common, as encoders' are."""
    rng = np.random.default_rng(seed)
    names = sorted({label for label in labels if label is not None})
    centres = np.eye(max(len(names), 1), dim)
    place = [names.index(label) if label is not None else 0 for label in labels]
    vectors = mean + centres[place] + noise * rng.normal(size=(len(labels), dim))
    about = pd.DataFrame({"label": pd.Series(list(labels), dtype=object), **columns})
    ids = tuple(f"clip {row}" for row in range(len(labels)))
    return Collection(ids, vectors.astype(np.float32), about, Maker("toy", "speech", dim, "f" * 32))


@pytest.fixture(scope="session")
def make_clips() -> MakeClips:
    return _clips
