"""The loss of each modality alone: what it is, where it is nothing, and what it does for the weaker modality."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from fusion.auxiliary import auxiliary_loss
from fusion.classifier import EmotionClassifier
from fusion.data.datamodule import Batch, EmbeddingDataModule
from fusion.data.splits import Fold
from fusion.data.table import FeatureTable
from fusion.fitted import FittedFold
from fusion.heads.base import Sequences
from fusion.losses import CrossEntropyLoss
from fusion.model import FusionModel
from fusion.training import fit_fold, predict_logits

Part = Callable[..., Any]
Recipe = Callable[..., dict[str, Any]]
POOLED = ["concat", "film", "gated", "late", "low_rank", "tensor"]


@pytest.fixture
def batch(table: FeatureTable) -> Batch:
    tensors = EmbeddingDataModule(
        table, Fold("all", *[np.arange(len(table))] * 3), modalities=["speech", "text"]
    ).tensors()
    return Batch(*(tensors[:3]))


def weights(fitted: FittedFold) -> torch.Tensor:
    return torch.cat([tensor.flatten().float() for tensor in fitted.model.state_dict().values()])


def model_of(table: FeatureTable, part: Part, head: str) -> FusionModel:
    torch.manual_seed(0)
    return FusionModel(part("head", head, width=8)(dims=table.dims, num_classes=3))


@pytest.mark.parametrize("head", POOLED)
def test_it_is_the_mean_of_the_losses_with_one_modality_shown(
    table: FeatureTable, batch: Batch, part: Part, head: str
) -> None:
    """For every head of vectors, against the same rows cut out by hand; and every parameter is reached."""
    model = model_of(table, part, head).eval()
    loss = CrossEntropyLoss(class_counts=[50, 30, 40], weighting="balanced")
    found = auxiliary_loss(model, loss, batch.features, batch.present, batch.targets)
    both = batch.present["speech"] & batch.present["text"]
    assert 0 < int(both.sum()) < len(both)
    features = {m: values[both] for m, values in batch.features.items()}
    expected = []
    for modality in ("speech", "text"):
        shown = {m: torch.full((int(both.sum()),), m == modality) for m in batch.present}
        expected.append(loss(model(features, shown).logits, batch.targets[both]))
    torch.testing.assert_close(found, torch.stack(expected).mean())
    found.backward()
    reached = {name.split(".")[0] for name, p in model.head.named_parameters() if p.grad is not None and p.grad.any()}
    assert reached
    projections = [p.grad for name, p in model.head.named_parameters() if "project" in name and p.ndim == 2]
    assert all(grad is not None and grad.any() for grad in projections), "both modalities' own parts are taught"


@pytest.mark.parametrize("name", ["cross_attention", "bottleneck"])
def test_it_is_that_for_heads_of_sequences_too(part: Part, name: str) -> None:
    head = part("head", name, width=8, heads=2)(dims={"speech": 5, "text": 3}, num_classes=2).eval()
    generator = torch.Generator().manual_seed(0)
    features = {
        m: Sequences(
            torch.randn(6, 9, dim, generator=generator), torch.arange(9) < torch.tensor([9, 4, 8, 9, 5, 7])[:, None]
        )
        for m, dim in head.dims.items()
    }
    present = {"speech": torch.arange(6) != 1, "text": torch.arange(6) != 4}
    targets = torch.tensor([0, 1, 0, 1, 0, 1])
    loss = nn.CrossEntropyLoss()
    found = auxiliary_loss(head, loss, features, present, targets)
    both = torch.tensor([0, 2, 3, 5])
    rows = {m: Sequences(x.values[both], x.mask[both]) for m, x in features.items()}
    alone = [
        loss(head(rows, {m: torch.full((4,), m == one) for m in head.dims}).logits, targets[both]) for one in head.dims
    ]
    torch.testing.assert_close(found, torch.stack(alone).mean())
    found.backward()
    assert all(parameter.grad is None or parameter.grad.isfinite().all() for parameter in head.parameters())


def test_nothing_where_no_row_has_two(table: FeatureTable, batch: Batch, part: Part) -> None:
    present = {"speech": batch.present["speech"], "text": ~batch.present["speech"]}
    model = model_of(table, part, "gated")
    assert auxiliary_loss(model, nn.CrossEntropyLoss(), batch.features, present, batch.targets).item() == 0


def test_of_three_modalities_two_are_several(part: Part) -> None:
    head = part("head", "concat", width=4)(dims={"a": 2, "b": 2, "c": 2}, num_classes=2).eval()
    features = {m: torch.randn(4, 2) for m in "abc"}
    present = {"a": torch.tensor([1, 1, 0, 0]) > 0, "b": torch.tensor([1, 0, 1, 0]) > 0, "c": torch.zeros(4) > 0}
    targets = torch.tensor([0, 1, 0, 1])
    found = auxiliary_loss(head, nn.CrossEntropyLoss(), features, present, targets)
    row = {m: values[:1] for m, values in features.items()}
    alone = [
        nn.functional.cross_entropy(head(row, {m: torch.tensor([m == one]) for m in "abc"}).logits, targets[:1])
        for one in "ab"
    ]
    torch.testing.assert_close(found, torch.stack(alone).mean())  # only the first row has two, and none has c


def test_without_it_nothing_changes(table: FeatureTable, fold: Fold, recipe: Recipe) -> None:
    """λ = 0, and one modality alone, to the bit; λ > 0 not."""
    options = recipe(epochs=3, modality_dropout=0.3)
    plain = fit_fold(table, fold, **options)
    assert torch.equal(weights(plain), weights(fit_fold(table, fold, auxiliary_loss=0.0, mixup=0.0, **options)))
    taught = fit_fold(table, fold, auxiliary_loss=1.0, **options)
    assert not torch.equal(weights(plain), weights(taught))
    assert set(taught.history[0]) == set(plain.history[0]) | {"train/auxiliary_loss"}
    text = fit_fold(table, fold, modalities=["text"], **options)
    same = fit_fold(table, fold, modalities=["text"], auxiliary_loss=1.0, **options)
    assert torch.equal(weights(text), weights(same))
    assert text.history == same.history


def test_the_step_is_as_it_was(table: FeatureTable, batch: Batch, part: Part) -> None:
    """What a step gives back with everything off, against the one line that it was."""
    model = model_of(table, part, "gated")
    loss = CrossEntropyLoss(class_counts=[1, 1, 1])
    classifier = EmotionClassifier(model, loss=loss, optimizer=partial(torch.optim.SGD, lr=0.1)).train()
    torch.manual_seed(5)
    expected = loss(model(batch.features, batch.present).logits, batch.targets)
    torch.manual_seed(5)
    assert torch.equal(classifier.training_step(batch, 0), expected)


@pytest.mark.parametrize("head", ["tensor", "low_rank"])
def test_the_weaker_modality_is_learnt(recipe: Recipe, head: str) -> None:
    """Text tells the class at once, speech through much noise: fusion by itself leaves speech alone untaught."""
    rng = np.random.default_rng(0)
    rows, index = 700, np.arange(700)
    targets = rng.permutation(index % 4)
    features = {
        m: (rng.normal(size=(4, dim))[targets] + noise * rng.normal(size=(rows, dim))).astype(np.float32)
        for m, dim, noise in (("speech", 30, 3.0), ("text", 8, 0.3))
    }
    present = {m: np.ones(rows, dtype=bool) for m in features}
    ids = pd.DataFrame({"id": index.astype(str)})
    table = FeatureTable(features, present, targets, tuple("abcd"), ids)  # type: ignore[arg-type]
    fold = Fold("one", index[:300], index[300:400], index[400:])
    found = {}
    for weight in (0.0, 1.0):
        fitted = fit_fold(table, fold, auxiliary_loss=weight, **recipe(epochs=8, head=head, batch_size=32))
        for shown in (["speech"], ["text"], ["speech", "text"]):
            guesses = predict_logits(fitted.model, table, fold.test, modalities=shown).argmax(axis=1)  # type: ignore[arg-type]
            found[weight, *shown] = float((guesses == targets[fold.test]).mean())
    assert found[1.0, "speech"] > found[0.0, "speech"] + 0.05
    assert found[1.0, "text"] > found[0.0, "text"] - 0.02
    assert found[1.0, "speech", "text"] > 0.95
