"""Tables small enough to fit in a blink, with the parts that `fit_fold` wants as conf/ gives them; a browser."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from omegaconf import OmegaConf

from fusion.data.splits import Fold
from fusion.data.table import FeatureTable
from tests.fusion.chromium import browser  # noqa: F401  # a fixture

CONF = Path(__file__).resolve().parents[2] / "conf"

# Economy: tiny tensors gain nothing from threads, and lose much where other processes want the cores.
torch.set_num_threads(1)


def _toy_table(rows: int = 120, classes: int = 3, seed: int = 0, noise: float = 0.5) -> FeatureTable:
    """Both modalities tell the class; speech of wild scale with a constant column, each absent in a tenth of the rows."""
    rng = np.random.default_rng(seed)
    targets = rng.permutation(np.arange(rows) % classes).astype(np.int64)
    centres = {"speech": rng.normal(size=(classes, 6)), "text": rng.normal(size=(classes, 4))}
    features = {m: (c[targets] + noise * rng.normal(size=(rows, c.shape[1]))) for m, c in centres.items()}
    features["speech"] = np.column_stack([features["speech"] * [1e6, 1e-6, 1, 1, 1, 1], np.full(rows, 7.0)])
    present = {m: rng.random(rows) > 0.1 for m in features}
    present["text"] |= ~present["speech"]
    for m in features:
        features[m][~present[m]] = 0.0
    return FeatureTable(
        features={m: values.astype(np.float32) for m, values in features.items()},
        present=present,
        targets=targets,
        labels=tuple("abcdefgh"[:classes]),
        rows=pd.DataFrame({"id": [str(row) for row in range(rows)]}),
    )


def _toy_fold(rows: int = 120) -> Fold:
    index = np.arange(rows, dtype=np.int64)
    return Fold("toy", index[: rows // 2], index[rows // 2 : 3 * rows // 4], index[3 * rows // 4 :])


def _part(group: str, name: str, **changes: Any) -> Any:
    """A component of conf/, as its group gives it but for `changes`."""
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = compose(f"{group}/{name}")[group]
    OmegaConf.set_struct(config, False)
    for key, value in changes.items():
        OmegaConf.update(config, key.replace("__", "."), value, force_add=True)
    return instantiate(config)


@pytest.fixture(scope="session")
def toy_table() -> Callable[..., FeatureTable]:
    return _toy_table


@pytest.fixture(scope="session")
def toy_fold() -> Callable[..., Fold]:
    return _toy_fold


@pytest.fixture(scope="session")
def part() -> Callable[..., Any]:
    return _part


@pytest.fixture
def table() -> FeatureTable:
    return _toy_table()


@pytest.fixture
def fold() -> Fold:
    return _toy_fold()


@pytest.fixture
def recipe(tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """Keyword arguments of `fit_fold`; `epochs`, and those that a test replaces."""

    def build(*, epochs: int = 4, head: str = "gated", **changes: Any) -> dict[str, Any]:
        return {
            "head": _part("head", head, width=16),
            "loss": _part("loss", "weighted"),
            "optimizer": _part("optimizer", "adamw", lr=1e-2),
            "trainer": _part("trainer", "default", max_epochs=epochs, accelerator="cpu"),
            "callbacks": _part("callbacks", "early_stopping"),
            "batch_size": 16,
            "run_dir": tmp_path / "fit",
            **changes,
        }

    return build
