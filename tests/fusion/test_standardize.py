"""Scales learnt from present training rows alone, and safe for wild ones."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from sklearn.preprocessing import StandardScaler

from fusion import standardize
from fusion.data.splits import Fold
from fusion.data.table import FeatureTable
from fusion.heads.gated import GatedHead
from fusion.model import FusionModel
from fusion.standardize import LIMIT, Standardizer


def fitted(values: np.ndarray) -> Standardizer:
    standardizer = Standardizer(dim=values.shape[1])
    standardizer.fit(values.astype(np.float32))
    return standardizer


def test_is_scikit_learns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(standardize, "CHUNK", 7)
    values = np.random.default_rng(0).normal(3, 2, size=(50, 4)).astype(np.float32)
    assert fitted(values)(torch.from_numpy(values)).numpy() == pytest.approx(
        StandardScaler().fit_transform(values), abs=1e-5
    )


@pytest.mark.parametrize("scale", [1e-30, 1e-3, 1.0, 1e6, 1e30])
@pytest.mark.parametrize("offset", [0.0, 100.0])
def test_wild_scales(scale: float, offset: float) -> None:
    values = ((np.random.default_rng(0).normal(size=(200, 3)) + offset) * scale).astype(np.float32)
    out = fitted(values)(torch.from_numpy(values))
    assert out.mean(dim=0).numpy() == pytest.approx(np.zeros(3), abs=1e-3)
    assert out.std(dim=0).numpy() == pytest.approx(np.ones(3), abs=1e-2)


@pytest.mark.parametrize("value", [0.0, 0.1, 1e9, -3e-20, 1e38])
def test_a_constant_column_says_nothing(value: float) -> None:
    values = np.full((31, 1), value, dtype=np.float32)
    standardizer = fitted(values)
    assert standardizer.scale.item() == 1.0
    assert standardizer(torch.from_numpy(values)).abs().max() < 1e-6 * max(1.0, abs(value)) or abs(value) > 1e6
    assert standardizer(torch.tensor([[3e38]])).item() <= LIMIT


def test_one_row_and_none() -> None:
    assert fitted(np.array([[5.0, -2.0]]))(torch.tensor([[5.0, -1.0]])).tolist() == [[0.0, 1.0]]
    untouched = Standardizer(dim=2)
    untouched.fit(np.zeros((0, 2), dtype=np.float32))
    assert untouched(torch.tensor([[1.0, -3.0]])).tolist() == [[1.0, -3.0]]


def test_only_present_training_rows_count(table: FeatureTable, fold: Fold) -> None:
    model = FusionModel(GatedHead(dims=table.dims, num_classes=3))
    model.fit_standardizers(table, fold.train)
    rows = fold.train[table.present["speech"][fold.train]]
    assert len(rows) < len(fold.train)
    means = model.standardizers["speech"].mean.numpy()
    assert means == pytest.approx(table.features["speech"][rows].mean(axis=0, dtype=np.float64), rel=1e-4)
    for m, values in table.features.items():
        values[~table.present[m]] = np.nan
        values[fold.test] = np.inf
    again = FusionModel(GatedHead(dims=table.dims, num_classes=3))
    again.fit_standardizers(table, fold.train)
    assert all(torch.equal(again.standardizers[m].mean, model.standardizers[m].mean) for m in table.dims)


def test_model_is_saved_whole(
    table: FeatureTable, fold: Fold, tmp_path: Path, toy_table: Callable[..., FeatureTable]
) -> None:
    model = FusionModel(GatedHead(dims=table.dims, num_classes=3)).eval()
    model.fit_standardizers(table, fold.train)
    save_file(model.state_dict(), tmp_path / "model.safetensors")
    again = FusionModel(GatedHead(dims=table.dims, num_classes=3)).eval()
    again.load_state_dict(load_file(tmp_path / "model.safetensors"))
    features = {m: torch.from_numpy(values) for m, values in toy_table(seed=1).features.items()}
    present = {m: torch.from_numpy(flags) for m, flags in table.present.items()}
    assert torch.equal(again(features, present).logits, model(features, present).logits)


def test_absent_content_is_inert_through_the_standardizer(table: FeatureTable, fold: Fold) -> None:
    model = FusionModel(GatedHead(dims=table.dims, num_classes=3)).eval()
    model.fit_standardizers(table, fold.train)
    present = {m: torch.from_numpy(flags) for m, flags in table.present.items()}
    outputs = []
    for filler in (0.0, torch.nan, torch.inf):
        features = {m: torch.where(present[m][:, None], torch.from_numpy(v), filler) for m, v in table.features.items()}
        outputs.append(model(features, present).logits)
    assert torch.equal(outputs[0], outputs[1])
    assert torch.equal(outputs[0], outputs[2])
