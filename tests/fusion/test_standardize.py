"""Scales learnt from present training rows alone, and safe for wild ones."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from sklearn.preprocessing import StandardScaler

from extractors.errors import InputError
from fusion import standardize
from fusion.data.sequences import ArraySequences
from fusion.data.splits import Fold
from fusion.data.table import FeatureTable
from fusion.heads.base import Sequences
from fusion.heads.cross_attention import CrossAttentionHead
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


def frames(rows: int = 60, dim: int = 4, seed: int = 0) -> ArraySequences:
    """Of wild scales, one column constant, every fifth row absent."""
    rng = np.random.default_rng(seed)
    return ArraySequences(
        [
            None
            if row % 5 == 4
            else (rng.normal(size=(rng.integers(1, 30), dim)) * [1e5, 1, 1e-5, 0] + [0, 50, 0, 3]).astype(np.float32)
            for row in range(rows)
        ]
    )


def test_frames_count_each_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(standardize, "ROWS_AT_ONCE", 7)
    reader, index = frames(), np.arange(10, 50)
    standardizer = Standardizer(dim=4)
    standardizer.fit_sequences(reader, index)
    everything = np.concatenate(reader.read(index))
    plain = fitted(everything)
    assert standardizer.mean.numpy() == pytest.approx(plain.mean.numpy(), rel=1e-5, abs=1e-6)
    assert standardizer.scale.numpy() == pytest.approx(plain.scale.numpy(), rel=1e-5)
    untouched = Standardizer(dim=4)
    untouched.fit_sequences(reader, np.array([4, 9]))
    assert untouched.scale.tolist() == [1, 1, 1, 1]


def test_of_many_frames_a_part_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    class Counting(ArraySequences):
        def read(self, index: np.ndarray) -> list[np.ndarray]:
            looked_at.extend(index.tolist())
            return super().read(index)

    reader = Counting([np.full((10, 1), row, np.float32) for row in range(400)])
    means = []
    for name, cap in (("SAMPLED_ROWS", 100), ("SAMPLED_FRAMES", 1000)):
        with monkeypatch.context() as patched:
            patched.setattr(standardize, name, cap)
            for _ in range(2):
                looked_at: list[int] = []
                standardizer = Standardizer(dim=1)
                standardizer.fit_sequences(reader, np.arange(300))
                means.append(standardizer.mean.item())
            assert 100 <= len(set(looked_at)) <= 101
            assert max(looked_at) < 300
    assert means[0] == means[1], "always the same"
    assert means[0] == pytest.approx(150, abs=30)


def test_padding_and_absent_rows_are_inert_through_the_standardizer(table: FeatureTable, fold: Fold) -> None:
    dims = {"speech": 4, "text": 3}
    rng = np.random.default_rng(0)
    table.sequences["speech"] = frames(len(table))
    table.sequences["text"] = ArraySequences([rng.normal(size=(6, 3)).astype(np.float32) for _ in range(len(table))])
    table.present["speech"][:] = table.sequences["speech"].lengths > 0
    model = FusionModel(CrossAttentionHead(dims=dims, num_classes=3, width=16)).eval()
    model.fit_standardizers(table, fold.train)
    assert model.standardizers["speech"].mean[1].item() == pytest.approx(50, abs=0.2)
    mask = torch.rand(5, 9, generator=torch.Generator().manual_seed(0)) > 0.3
    mask[0] = False
    outputs = []
    for filler in (0.0, torch.nan, torch.inf):
        features = {
            m: Sequences(torch.where(mask[:, :, None], 1.5, filler).expand(5, 9, d), mask) for m, d in dims.items()
        }
        outputs.append(model(features, {m: torch.ones(5, dtype=torch.bool) for m in dims}).logits)
    assert outputs[0].isfinite().all()
    assert torch.equal(outputs[0], outputs[1])
    assert torch.equal(outputs[0], outputs[2])


def test_tables_of_single_tokens_are_refused(table: FeatureTable, fold: Fold) -> None:
    """Pooled vectors with an axis more, of which attention would make nothing."""
    table.sequences["text"] = ArraySequences([vector[None] for vector in table.features["text"]])
    model = FusionModel(CrossAttentionHead(dims={"text": 4}, num_classes=3, width=16))
    with pytest.raises(InputError, match=r"text: none of \d+ rows is longer than one token"):
        model.fit_standardizers(table, fold.train)
    table.sequences["text"] = ArraySequences(
        [np.repeat(vector[None], 1 + row % 2, axis=0) for row, vector in enumerate(table.features["text"])]
    )
    model.fit_standardizers(table, fold.train)


def test_a_head_may_take_features_as_they_are(table: FeatureTable, fold: Fold) -> None:
    head = GatedHead(dims=table.dims, num_classes=3)
    head.standardize = False
    model = FusionModel(head)
    model.fit_standardizers(table, fold.train)
    assert not [name for name in model.state_dict() if "standard" in name]
    shown = {"speech": torch.full((1, 7), 1e9), "other": torch.zeros(1)}
    assert model.standardize(shown) == {"speech": shown["speech"]}
