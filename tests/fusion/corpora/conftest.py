"""Corpora in small: folders with the names and annotations of the real ones, and a second of noise in each clip."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile

from fusion.corpora import Built, Corpus, build_manifest
from fusion.data.manifest import read_manifest

Clips = Callable[..., None]
Manifest = Callable[..., tuple[pd.DataFrame, Built]]


def write_clip(path: Path, seconds: float = 0.05) -> None:
    """Noise of its own for every name: no two clips are copies of each other."""
    path.parent.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(zlib.crc32(str(path).encode()))
    soundfile.write(path, 0.1 * random.normal(size=round(16_000 * seconds)), 16_000)


@pytest.fixture
def clips(tmp_path: Path) -> Clips:
    """clips("AudioWAV/1001_….wav", …) writes these below the test's folder."""

    def write(*names: str, seconds: float = 0.05) -> None:
        for name in names:
            write_clip(tmp_path / name, seconds)

    return write


@pytest.fixture
def manifest(tmp_path: Path) -> Manifest:
    """Build the manifest of the test's folder, and read it as training would: every column declared, audio looked at."""

    def build(corpus: Corpus, **options: object) -> tuple[pd.DataFrame, Built]:
        built = build_manifest(corpus, tmp_path, **options)
        frame = read_manifest(built.path, extra_columns=corpus.extra, check_audio=True)
        assert len(frame) == len(built.frame)
        return frame.set_index("id", drop=False), built

    return build
