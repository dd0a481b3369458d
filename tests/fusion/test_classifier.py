"""What the Lightning module measures, hides and configures."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import balanced_accuracy_score

from fusion.classifier import EmotionClassifier
from fusion.data import datamodule
from fusion.data.datamodule import EmbeddingDataModule
from fusion.data.splits import Fold
from fusion.data.table import FeatureTable
from fusion.heads.gated import GatedHead
from fusion.losses import CrossEntropyLoss
from fusion.modality_dropout import drop_modalities
from fusion.model import FusionModel
from fusion.quiet import quiet_lightning

Part = Callable[..., Any]


@pytest.fixture
def classifier(table: FeatureTable) -> EmotionClassifier:
    torch.manual_seed(0)
    return EmotionClassifier(
        FusionModel(GatedHead(dims=table.dims, num_classes=3, width=8)),
        loss=CrossEntropyLoss(class_counts=[1, 1, 1]),
        optimizer=partial(torch.optim.SGD, lr=0.0),
    )


def run(classifier: EmotionClassifier, data: EmbeddingDataModule, **options: Any) -> pl.Trainer:
    with quiet_lightning():
        trainer = pl.Trainer(
            accelerator="cpu",
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            **{"max_epochs": 1, **options},
        )
        trainer.fit(classifier, datamodule=data)
    return trainer


@pytest.mark.parametrize("batch_rows", [4096, 7])
def test_validation_figures_are_scikit_learns(
    classifier: EmotionClassifier, table: FeatureTable, fold: Fold, monkeypatch: pytest.MonkeyPatch, batch_rows: int
) -> None:
    """Also over several batches, and where a class does not stand in validation."""
    monkeypatch.setattr(datamodule, "VALIDATION_ROWS", batch_rows)
    for rows in (fold.val, fold.val[table.targets[fold.val] != 1]):
        data = EmbeddingDataModule(table, replace(fold, val=rows), modalities=["speech", "text"], batch_size=64)
        figures = run(classifier, data).callback_metrics
        classifier.eval()
        batch = data.tensors()
        targets = table.targets[rows]
        with torch.no_grad():
            logits = classifier.model(batch.features, batch.present).logits[rows]
        guesses = logits.argmax(dim=1).numpy()
        expected_loss = torch.nn.functional.cross_entropy(logits, torch.from_numpy(targets))
        assert figures["val/wa"].item() == pytest.approx((guesses == targets).mean(), abs=1e-6)
        assert figures["val/loss"].item() == pytest.approx(expected_loss.item(), abs=1e-5)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # scikit-learn on guesses of a class that is not there
            assert figures["val/uar"].item() == pytest.approx(balanced_accuracy_score(targets, guesses), abs=1e-6)
        classifier.train()


def test_hyperparameters_are_plain(classifier: EmotionClassifier) -> None:
    assert dict(classifier.hparams) == {"modality_dropout": 0.0, "mixup": 0.0, "auxiliary_loss": 0.0, "seed": 0}


def test_losses_are_of_distributions_where_there_are_some(
    classifier: EmotionClassifier, table: FeatureTable, fold: Fold
) -> None:
    """And accuracy is of the targets; the rows of a batch keep their own shares."""
    soft = np.eye(3, dtype=np.float32)[table.targets] * 0.6 + np.float32(0.4 / 3)
    data = EmbeddingDataModule(replace(table, soft=soft), fold, modalities=["speech", "text"], batch_size=7)
    for batch in data.train_dataloader():
        assert batch.soft is not None
        assert torch.equal(batch.soft.argmax(dim=1), batch.targets)
    figures = run(classifier, data).callback_metrics
    classifier.eval()
    batch = data.tensors()
    assert batch.soft is not None
    with torch.no_grad():
        logits = classifier.model(batch.features, batch.present).logits[fold.val]
    expected = torch.nn.functional.cross_entropy(logits, batch.soft[fold.val])
    assert figures["val/loss"].item() == pytest.approx(expected.item(), abs=1e-5)
    hits = (logits.argmax(dim=1).numpy() == table.targets[fold.val]).mean()
    assert figures["val/wa"].item() == pytest.approx(hits, abs=1e-6)


def test_distributions_teach_more_than_their_likeliest_class(table: FeatureTable, fold: Fold, part: Part) -> None:
    """Trained on shares of 0.6 and 0.2, a model is that sure of training rows, and no surer."""
    soft = np.eye(3, dtype=np.float32)[table.targets] * 0.4 + np.float32(0.2)
    found = []
    for shares in (None, soft):
        torch.manual_seed(0)
        head = part("head", "concat", width=16, dropout=0.0)(dims=table.dims, num_classes=3)
        model = FusionModel(head)
        model.fit_standardizers(table, fold.train)
        learner = EmotionClassifier(
            model, loss=CrossEntropyLoss(class_counts=[1] * 3), optimizer=part("optimizer", "adamw", lr=1e-2)
        )
        data = EmbeddingDataModule(replace(table, soft=shares), fold, modalities=["speech", "text"], batch_size=16)
        run(learner, data, max_epochs=30)
        batch = data.tensors()
        with torch.no_grad():
            logits = learner.eval().model(batch.features, batch.present).logits[fold.train]
        found.append(logits.softmax(dim=1).amax(dim=1).mean().item())
    assert found[0] > 0.9
    assert found[1] == pytest.approx(0.6, abs=0.05)


@pytest.mark.parametrize("name", ["adamw", "sgd"])
def test_optimizers_are_hydra_partials(classifier: EmotionClassifier, part: Part, name: str) -> None:
    classifier.make_optimizer = part("optimizer", name)
    optimizer = classifier.configure_optimizers()
    owned = {id(parameter) for group in optimizer.param_groups for parameter in group["params"]}
    assert owned == {id(parameter) for parameter in classifier.model.parameters()}


def test_scheduler_is_stepped_each_epoch(classifier: EmotionClassifier, part: Part) -> None:
    classifier.make_optimizer = part("optimizer", "adamw")
    classifier.make_scheduler = part("scheduler", "cosine", T_max=10)
    configured = classifier.configure_optimizers()
    assert configured["lr_scheduler"]["interval"] == "epoch"
    assert configured["lr_scheduler"]["scheduler"].optimizer is configured["optimizer"]


def test_modality_dropout_trains_and_spares_validation(
    classifier: EmotionClassifier, table: FeatureTable, fold: Fold
) -> None:
    seen: dict[bool, list[torch.Tensor]] = {True: [], False: []}
    forward = classifier.model.forward

    def watch(features: Any, present: Any) -> Any:
        seen[classifier.training].append(torch.stack(list(present.values()), dim=1))
        return forward(features, present)

    classifier.model.forward = watch  # type: ignore[method-assign]
    classifier.modality_dropout = 0.5
    data = EmbeddingDataModule(table, fold, modalities=["speech", "text"], batch_size=16)
    run(classifier, data, num_sanity_val_steps=0)
    shown, validated = torch.cat(seen[True]), torch.cat(seen[False])
    given_ = np.stack([table.present[m][fold.train] for m in ("speech", "text")], axis=1)
    assert shown.any(dim=1).all(), "a row is never shown with nothing"
    assert shown.sum() < given_.sum()
    assert (validated.numpy() == np.stack([table.present[m][fold.val] for m in ("speech", "text")], axis=1)).all()


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.booleans(), st.booleans(), st.booleans()), min_size=1, max_size=20),
    st.floats(0, 1),
    st.integers(0, 2**31),
)
def test_dropout_never_adds_nor_empties(rows: list[tuple[bool, ...]], probability: float, seed: int) -> None:
    torch.manual_seed(seed)
    mask = torch.tensor(rows)
    present = dict(zip("abc", mask.unbind(dim=1), strict=True))
    shown = torch.stack(list(drop_modalities(present, probability).values()), dim=1)
    assert not (shown & ~mask).any(), "what is absent stays absent"
    assert torch.equal(shown.any(dim=1), mask.any(dim=1)), "the last one stays"
    if probability == 1.0:
        assert (shown.sum(dim=1) <= 1).all()
    if probability == 0.0:
        assert torch.equal(shown, mask)


def test_dropout_hides_both_alike() -> None:
    torch.manual_seed(0)
    full = torch.ones(20_000, dtype=torch.bool)
    shown = drop_modalities({"speech": full, "text": full}, 0.4)
    rates = [1 - shown[m].float().mean().item() for m in ("speech", "text")]
    assert rates[0] == pytest.approx(rates[1], abs=0.02)
    # a row hides one where its lower draw is below 0.4: 1 - 0.6²; half of them each
    assert sum(rates) == pytest.approx(1 - 0.6**2, abs=0.02)
