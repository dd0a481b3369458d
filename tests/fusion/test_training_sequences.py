"""A fold of sequences fitted: it learns what pooling loses, repeats itself, resumes, and predicts in order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pytorch_lightning.callbacks import Callback

from fusion.callbacks import LAST
from fusion.data import batches
from fusion.data.datamodule import EmbeddingDataModule
from fusion.data.sequences import ArraySequences
from fusion.data.splits import Fold
from fusion.data.table import FeatureTable
from fusion.training import FittedFold, fit_fold, predict_logits

Recipe = Callable[..., dict[str, Any]]
HEADS = ("cross_attention", "bottleneck")


def sequences(table: FeatureTable, seed: int = 0) -> FeatureTable:
    """Two classes that only the order of frames tells apart; of both, frames have the same mean. Clips of all lengths."""
    rng = np.random.default_rng(seed)
    targets = np.arange(len(table)) % 2
    arrays: dict[str, list[np.ndarray | None]] = {"speech": [], "text": []}
    for row, target in enumerate(targets):
        for m, (least, most) in {"speech": (16, 60), "text": (4, 12)}.items():
            length = int(rng.integers(least, most))
            ramp = np.linspace(-1, 1, length) * (1 if target else -1)
            frames = np.stack([ramp, rng.normal(size=length), np.full(length, 7.0)], axis=1)
            arrays[m].append(frames.astype(np.float32) if table.present[m][row] else None)  # type: ignore[index]
    return replace(
        table, targets=targets, labels=("down", "up"), sequences={m: ArraySequences(arrays[m], dim=3) for m in arrays}
    )


def weights(fitted: FittedFold) -> torch.Tensor:
    return torch.cat([tensor.flatten().double() for tensor in fitted.model.state_dict().values()])


@pytest.mark.parametrize("head", HEADS)
def test_learns_from_the_order_of_frames(table: FeatureTable, fold: Fold, recipe: Recipe, head: str, part: Any) -> None:
    table = sequences(table)
    base = recipe(epochs=20, modality_dropout=0.3)
    fitted = fit_fold(table, fold, **{**base, "head": part("head", head, width=16, dropout=0.0)})
    assert fitted.model.head.dims == {"speech": 3, "text": 3}
    right = predict_logits(fitted.model, table, fold.test).argmax(axis=1) == table.targets[fold.test]
    assert right.mean() > 0.9
    for m in ("speech", "text"):
        rows = fold.test[table.present[m][fold.test]]
        alone = predict_logits(fitted.model, table, rows, modalities=[m]).argmax(axis=1) == table.targets[rows]
        assert alone.mean() > 0.8


@pytest.mark.parametrize("head", HEADS)
def test_resumes_to_the_very_same_end(
    table: FeatureTable, fold: Fold, recipe: Recipe, head: str, tmp_path: Path, part: Any, monkeypatch: Any
) -> None:
    monkeypatch.setattr(batches, "POOL", 2)
    table = sequences(table)

    class Kill(Callback):
        def on_train_batch_end(self, trainer: Any, *_: Any) -> None:
            if trainer.current_epoch == 2:
                raise RuntimeError("killed")

    base = recipe(epochs=4, head=head, modality_dropout=0.3, seed=5, batch_size=8)
    watch = {**part("callbacks", "early_stopping", resume__every_seconds=0.0)}
    whole = fit_fold(table, fold, **{**base, "callbacks": watch, "run_dir": tmp_path / "whole"})
    with pytest.raises(RuntimeError, match="killed"):
        fit_fold(table, fold, **{**base, "callbacks": {**watch, "kill": Kill}, "run_dir": tmp_path / "killed"})
    resumed = fit_fold(
        table, fold, **{**base, "callbacks": watch, "run_dir": tmp_path / "on"}, ckpt_path=tmp_path / "killed" / LAST
    )
    assert resumed.history == whole.history
    assert len(whole.history) == 4
    assert torch.equal(weights(resumed), weights(whole))


def test_every_row_is_shown_however_many_batches_an_epoch_has(
    table: FeatureTable, fold: Fold, recipe: Recipe, monkeypatch: Any
) -> None:
    """Long clips cut batches short, more often in one epoch than in another; Lightning must not stop before the last."""
    shown: list[list[int]] = []

    class Count(Callback):
        def on_train_epoch_start(self, *_: Any) -> None:
            shown.append([])

        def on_train_batch_end(self, trainer: Any, module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
            shown[-1].append(len(batch.targets))

    table = sequences(table)
    monkeypatch.setattr(batches, "POOL", 1)
    monkeypatch.setattr("fusion.training.EmbeddingDataModule", partial(EmbeddingDataModule, max_frames=150))
    base = recipe(epochs=6, head="bottleneck", batch_size=4)
    fit_fold(table, fold, **{**base, "callbacks": {**base["callbacks"], "count": Count}})
    assert [sum(epoch) for epoch in shown] == [len(fold.train)] * 6
    assert len({len(epoch) for epoch in shown}) > 1, "the test's own premise"


def test_predictions_do_not_depend_on_their_batches(table: FeatureTable, fold: Fold, recipe: Recipe) -> None:
    table = sequences(table)
    fitted = fit_fold(table, fold, **recipe(epochs=1, head="cross_attention"))
    index = np.random.default_rng(0).permutation(fold.test)
    together = predict_logits(fitted.model, table, index)
    for place, row in enumerate(index):
        alone = predict_logits(fitted.model, table, np.array([row]))
        np.testing.assert_allclose(alone[0], together[place], atol=1e-5)
    assert predict_logits(fitted.model, table, index[:0]).shape == (0, 2)
