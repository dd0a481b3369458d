"""A stack of fits comes out as the same fits one after the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from pytorch_lightning.callbacks import EarlyStopping

from fusion.callbacks import BestEpoch
from fusion.data.table import FeatureTable
from fusion.engines.base import Job
from fusion.fitted import FittedFold

Jobs = Callable[..., list[Job]]
Recipe = Callable[..., dict[str, Any]]
Part = Callable[..., Any]
Run = Callable[..., list[FittedFold]]

POOLED = {
    "concat": {"width": 16},
    "gated": {"width": 16},
    "late": {"width": 16},
    "film": {"width": 16},
    "low_rank": {"width": 8, "rank": 3},
    "tensor": {"width": 5, "hidden": 12},
}
CLOSE = 1e-4


def assert_alike(stacked: Sequence[FittedFold], reference: Sequence[FittedFold], close: float = CLOSE) -> None:
    assert len(stacked) == len(reference)
    for one, other in zip(stacked, reference, strict=True):
        assert one.best_epoch == other.best_epoch
        assert one.excluded == other.excluded
        assert len(one.history) == len(other.history)
        for mine, theirs in zip(one.history, other.history, strict=True):
            assert list(mine) == list(theirs)
            assert mine == pytest.approx(theirs, abs=close)
        mine, theirs = one.model.state_dict(), other.model.state_dict()
        assert list(mine) == list(theirs)
        for name, values in mine.items():
            assert values.is_contiguous()
            torch.testing.assert_close(values, theirs[name], atol=close, rtol=close)
        assert not one.model.training
        assert one.seconds > 0


@pytest.mark.parametrize("dropout", [0.0, 0.4])
@pytest.mark.parametrize("head", POOLED)
def test_every_pooled_head(
    head: str,
    dropout: float,
    table: FeatureTable,
    jobs_of: Jobs,
    shared_recipe: Recipe,
    part: Part,
    one_by_one: Run,
    together: Run,
) -> None:
    """Unequal folds, rows without a modality; with dropout each model draws what it would draw by itself."""
    recipe = shared_recipe(epochs=4, modality_dropout=dropout)
    recipe["head"] = part("head", head, dropout=dropout, **POOLED[head])
    jobs = jobs_of()
    assert_alike(together(table, jobs, recipe), one_by_one(table, jobs, recipe))


@pytest.mark.parametrize("modality", ["speech", "text"])
def test_one_modality(
    modality: str, table: FeatureTable, jobs_of: Jobs, shared_recipe: Recipe, one_by_one: Run, together: Run
) -> None:
    recipe, jobs = shared_recipe(modality_dropout=0.3), jobs_of(modalities=(modality,))
    assert_alike(together(table, jobs, recipe), one_by_one(table, jobs, recipe))


OPTIMIZERS = {
    "adamw": partial(torch.optim.AdamW, lr=1e-2, weight_decay=0.1, fused=True),
    "adamw, not fused": partial(torch.optim.AdamW, lr=1e-2, amsgrad=True),
    "adam": partial(torch.optim.Adam, lr=1e-2, weight_decay=0.01),
    "sgd": partial(torch.optim.SGD, lr=1e-2, momentum=0.9, nesterov=True, weight_decay=1e-3),
    "rmsprop": partial(torch.optim.RMSprop, lr=1e-3, momentum=0.5),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer(
    name: str, table: FeatureTable, jobs_of: Jobs, shared_recipe: Recipe, one_by_one: Run, together: Run
) -> None:
    recipe, jobs = shared_recipe(epochs=6, optimizer=OPTIMIZERS[name], modality_dropout=0.3), jobs_of()
    assert_alike(together(table, jobs, recipe), one_by_one(table, jobs, recipe))


@pytest.mark.parametrize(
    ("name", "changes"),
    [("cosine", {"T_max": 6}), ("plateau", {"patience": 0, "threshold": 10.0, "threshold_mode": "abs"})],
)
def test_every_scheduler(
    name: str,
    changes: dict[str, Any],
    table: FeatureTable,
    jobs_of: Jobs,
    shared_recipe: Recipe,
    part: Part,
    one_by_one: Run,
    together: Run,
) -> None:
    recipe, jobs = shared_recipe(epochs=6, scheduler=part("scheduler", name, **changes)), jobs_of()
    reference = one_by_one(table, jobs, recipe)
    assert_alike(together(table, jobs, recipe), reference)
    constant = one_by_one(table, jobs[:1], {**recipe, "scheduler": None})
    assert constant[0].history != reference[0].history, "the scheduler does something"


@pytest.mark.parametrize(
    "stop",
    [
        partial(EarlyStopping, monitor="val/loss", mode="min", patience=1),
        partial(EarlyStopping, monitor="val/uar", mode="max", patience=2, min_delta=0.01),
        partial(EarlyStopping, monitor="train/loss", mode="min", patience=50, stopping_threshold=0.5),
        partial(EarlyStopping, monitor="val/loss", mode="min", patience=2, check_on_train_epoch_end=False),
    ],
)
@pytest.mark.slow
def test_each_stops_on_its_own(
    stop: Any, table: FeatureTable, jobs_of: Jobs, shared_recipe: Recipe, one_by_one: Run, together: Run
) -> None:
    """A stack of two makes room for the next job as one ends; so members are at different epochs of their fits."""
    watch = {"best": partial(BestEpoch, monitor="val/uar", mode="max"), "stop": stop}
    recipe, jobs = shared_recipe(epochs=25, callbacks=watch, modality_dropout=0.3), jobs_of(seeds=(1, 2, 3))
    reference = one_by_one(table, jobs, recipe)
    lengths = {len(fitted.history) for fitted in reference}
    assert len(lengths) > 2, "they stop at different epochs"
    assert min(lengths) < 25
    two = 2 * 16 * sum(parameter.numel() for parameter in reference[0].model.parameters())  # bytes
    assert_alike(together(table, jobs, recipe, workers=1, stack_bytes=two), reference)
    assert_alike(together(table, jobs, recipe, workers=2), reference)


def test_balanced_sampling_and_the_other_losses(
    table: FeatureTable, jobs_of: Jobs, shared_recipe: Recipe, part: Part, one_by_one: Run, together: Run
) -> None:
    for loss in ("focal", "label_smoothing"):
        recipe, jobs = shared_recipe(loss=part("loss", loss), sampling="balanced"), jobs_of()
        assert_alike(together(table, jobs, recipe), one_by_one(table, jobs, recipe))


def test_divided_labels(
    table: FeatureTable, jobs_of: Jobs, shared_recipe: Recipe, one_by_one: Run, together: Run
) -> None:
    sure = np.eye(3, dtype=np.float32)[table.targets]
    divided = replace(table, soft=0.7 * sure + np.float32(0.1))
    recipe, jobs = shared_recipe(), jobs_of()
    reference = one_by_one(divided, jobs, recipe)
    assert_alike(together(divided, jobs, recipe), reference)
    assert reference[0].history != one_by_one(table, jobs[:1], recipe)[0].history


def test_rows_without_label_or_modality_and_rows_too_many_to_hold_twice(
    table: FeatureTable,
    jobs_of: Jobs,
    shared_recipe: Recipe,
    one_by_one: Run,
    together: Run,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    table.targets[::7] = -1
    table.present["text"][::5] = False
    recipe, jobs = shared_recipe(modality_dropout=0.3), jobs_of()
    reference = one_by_one(table, jobs, recipe)
    assert reference[0].excluded["train"]["no label"] > 0
    assert_alike(together(table, jobs, recipe), reference)
    monkeypatch.setattr("fusion.engines.batched.rows.AHEAD", 0)
    assert_alike(together(table, jobs, recipe), reference)
