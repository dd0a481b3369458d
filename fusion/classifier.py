"""The Lightning module: how a fusion model learns, and what is measured while it does."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytorch_lightning as pl
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn
from torchmetrics.classification import MulticlassConfusionMatrix

from extractors.errors import InputError
from fusion.auxiliary import auxiliary_loss as loss_of_each_alone
from fusion.data.datamodule import Batch
from fusion.mixup import mix_rows
from fusion.modality_dropout import drop_modalities
from fusion.model import FusionModel as FusionModel

OptimizerFactory = Callable[[Iterable[nn.Parameter]], torch.optim.Optimizer]
SchedulerFactory = Callable[[torch.optim.Optimizer], Any]


class EmotionClassifier(pl.LightningModule):
    """Trains a `FusionModel`. It knows neither the head, nor the loss, nor the optimizer by name.

    Logged at the end of each epoch: `train/loss`, the mean over the rows as they were shown; `val/loss`; `val/uar`,
    recall averaged over the classes that validation holds; `val/wa`, accuracy. With an auxiliary loss also
    `train/auxiliary_loss`, before its weight; `train/loss` is without it, so that it can be held against `val/loss`.

    Where the batch has distributions over the labels, the losses are of these; accuracy and recall are of `targets`.

    Args:
        model: what is trained; its standardizers are fitted already.
        loss: (logits, targets) -> scalar.
        optimizer: called with the parameters; a Hydra partial.
        scheduler: called with the optimizer and stepped each epoch; a plateau scheduler watches `val/loss`.
        modality_dropout: chance that a modality of a training row is hidden; see `drop_modalities`.
        mixup: alpha of the Beta distribution by which rows are blended, 0 for none; see `mix_rows`.
        auxiliary_loss: weight of the loss of each modality alone, 0 for none; see `fusion.auxiliary`.
        seed: each epoch's random numbers follow from it, the epoch and the process, so that a resumed run is
            the run that was not interrupted.

    Raises InputError for mixup with a head of sequences.
    """

    def __init__(
        self,
        model: FusionModel,
        *,
        loss: nn.Module,
        optimizer: OptimizerFactory,
        scheduler: SchedulerFactory | None = None,
        modality_dropout: float = 0.0,
        mixup: float = 0.0,
        auxiliary_loss: float = 0.0,
        seed: int = 0,
    ) -> None:
        super().__init__()
        if mixup > 0 and model.head.needs_sequences:
            raise InputError(
                f"mixup={mixup:g}: it blends pooled vectors, and this head reads sequences",
                hint="Set mixup=0, or take a head of pooled vectors.",
            )
        # plain numbers: a checkpoint loads with weights_only
        self.save_hyperparameters("modality_dropout", "mixup", "auxiliary_loss", "seed")
        self.model, self.loss = model, loss
        self.make_optimizer, self.make_scheduler = optimizer, scheduler
        self.modality_dropout, self.mixup, self.auxiliary_loss = modality_dropout, mixup, auxiliary_loss
        self.seed = seed
        self.confusion = MulticlassConfusionMatrix(num_classes=model.head.num_classes, validate_args=False)
        self._sums: dict[str, tuple[Tensor | float, int]] = {}  # "train", "val", … -> sum of the loss over rows, rows

    def on_train_epoch_start(self) -> None:
        torch.manual_seed(1_000_003 * (self.seed + 1) + 1009 * self.current_epoch + self.global_rank)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        features, targets = batch.features, _goal(batch)
        if self.mixup > 0:
            shares = targets if batch.soft is not None else F.one_hot(targets, self.model.head.num_classes).float()
            features, targets = mix_rows(features, batch.present, shares, alpha=self.mixup)
        shown = drop_modalities(batch.present, self.modality_dropout)
        loss: Tensor = self.loss(self.model(features, shown).logits, targets)
        self._add("train", loss, len(targets))
        if self.auxiliary_loss > 0 and len(batch.present) > 1:
            alone = loss_of_each_alone(self.model, self.loss, features, batch.present, targets)
            self._add("auxiliary", alone, len(targets))
            loss = loss + self.auxiliary_loss * alone
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        logits = self.model(batch.features, batch.present).logits
        self._add("val", self.loss(logits, _goal(batch)), len(batch.targets))
        self.confusion.update(logits.argmax(dim=1), batch.targets)

    def on_validation_epoch_end(self) -> None:
        counts = self.confusion.compute().double()  # (classes, classes), true by predicted
        self.confusion.reset()
        support = counts.sum(dim=1)
        recall = counts.diagonal() / support
        # every process has seen all validation rows, so there is nothing to average between them
        self.log("val/loss", self._mean("val"))
        self.log("val/uar", recall[support > 0].mean().float())
        self.log("val/wa", (counts.diagonal().sum() / support.sum()).float())

    def on_train_epoch_end(self) -> None:
        self.log("train/loss", self._mean("train"), sync_dist=True)
        if "auxiliary" in self._sums:
            self.log("train/auxiliary_loss", self._mean("auxiliary"), sync_dist=True)

    def configure_optimizers(self) -> Any:
        optimizer = self.make_optimizer(self.model.parameters())
        if self.make_scheduler is None:
            return optimizer
        scheduler = {"scheduler": self.make_scheduler(optimizer), "interval": "epoch", "monitor": "val/loss"}
        return {"optimizer": optimizer, "lr_scheduler": scheduler}

    # Lightning's own running mean costs as much as a small head's step; one addition on the device does the same
    def _add(self, side: str, loss: Tensor, rows: int) -> None:
        total, seen = self._sums.get(side, (0.0, 0))
        self._sums[side] = (total + loss.detach() * rows, seen + rows)

    def _mean(self, side: str) -> Tensor:
        total, seen = self._sums.pop(side)
        return torch.as_tensor(total) / seen


def _goal(batch: Batch) -> Tensor:
    """What the losses are held against: (batch,) int64 classes, or (batch, classes) float where labels are divided."""
    return batch.targets if batch.soft is None else batch.soft
