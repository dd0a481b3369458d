"""Tables and clips small enough to check by eye."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile

from fusion.data.labels import encode_labels
from fusion.data.table import FeatureTable

MakeTable = Callable[..., FeatureTable]


def build_table(
    labels: Sequence[str | None],
    speakers: Sequence[str | None] | None = None,
    texts: Sequence[str | None] | None = None,
    content: Sequence[str | None] | None = None,
    split: Sequence[str | None] | None = None,
    group: Sequence[str | None] | None = None,
    modalities: Sequence[str] = ("speech", "text"),
) -> FeatureTable:
    """Rows of two-dimensional vectors that hold the row's number."""
    count = len(labels)
    nothing = [None] * count
    columns = {
        "id": [f"r{row}" for row in range(count)],
        "speaker": speakers or nothing,
        "text": texts or nothing,
        "content": content or nothing,
        "split": split or nothing,
        "group": group or nothing,
    }
    targets, ordered = encode_labels(pd.Series(labels, dtype=object))
    vectors = np.repeat(np.arange(count, dtype=np.float32)[:, None], 2, axis=1)
    return FeatureTable(
        dict.fromkeys(modalities, vectors),
        {modality: np.ones(count, dtype=bool) for modality in modalities},
        targets,
        ordered,
        pd.DataFrame({name: pd.Series(list(values), dtype=object) for name, values in columns.items()}),
    )


@pytest.fixture
def make_table() -> MakeTable:
    return build_table


@pytest.fixture
def wav(tmp_path: Path) -> Callable[..., str]:
    """Writes a tone below the test's folder and returns its name, relative to it."""

    def write(name: str = "a.wav", seconds: float = 1.0, pitch: float = 220.0) -> str:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, 0.3 * np.sin(2 * np.pi * pitch * np.arange(int(seconds * 16_000)) / 16_000), 16_000)
        return name

    return write
