"""The same fit written by hand, as one writes it with Lightning and no framework."""

from __future__ import annotations

from copy import deepcopy

import numpy as np
import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from fusion.data.table import FeatureTable
from fusion.engines.base import Job
from fusion.heads.gated import GatedHead
from fusion.losses import class_weights
from fusion.modality_dropout import drop_modalities
from fusion.quiet import quiet_lightning

BATCH, HIDDEN, WIDTH = 64, 0.3, 128  # rows, modality dropout, of the head


class Plain(pl.LightningModule):
    """The same model as one writes it down."""

    def __init__(self, head: GatedHead, weight: Tensor) -> None:
        super().__init__()
        self.head, self.loss = head, nn.CrossEntropyLoss(weight=weight)

    def forward(self, speech: Tensor, text: Tensor, hidden: float = 0.0) -> Tensor:
        there = torch.ones(len(speech), dtype=torch.bool)
        present = drop_modalities({"speech": there, "text": there}, hidden)
        logits: Tensor = self.head({"speech": speech, "text": text}, present).logits
        return logits

    def training_step(self, batch: tuple[Tensor, Tensor, Tensor], batch_idx: int) -> Tensor:
        speech, text, targets = batch
        loss: Tensor = self.loss(self(speech, text, HIDDEN), targets)
        self.log("train_loss", loss, on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch: tuple[Tensor, Tensor, Tensor], batch_idx: int) -> None:
        speech, text, targets = batch
        logits = self(speech, text)
        self.log("val_loss", self.loss(logits, targets))
        self.log("val_accuracy", (logits.argmax(dim=1) == targets).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=1e-3, weight_decay=1e-2, fused=True)


class Best(pl.Callback):
    """The weights of the lowest validation loss, in memory."""

    def __init__(self) -> None:
        self.loss, self.weights = float("inf"), {}  # type: ignore[var-annotated]

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        loss = float(trainer.callback_metrics["val_loss"])
        if loss < self.loss:
            self.loss, self.weights = loss, deepcopy(pl_module.state_dict())


def fit_plainly(table: FeatureTable, job: Job, epochs: int) -> np.ndarray:
    """What a plain Lightning fit says of its test rows."""
    fold = job.fold
    pl.seed_everything(job.seed, verbose=False)
    sides: dict[str, list[Tensor]] = {"train": [], "val": [], "test": []}
    for values in table.features.values():
        mean, scale = values[fold.train].mean(axis=0), values[fold.train].std(axis=0)
        for side, tensors in sides.items():
            tensors.append(torch.from_numpy((values[getattr(fold, side)] - mean) / scale))
    targets = torch.from_numpy(table.targets)
    loaders = {
        side: DataLoader(
            TensorDataset(*sides[side], targets[getattr(fold, side)]), batch_size=BATCH, shuffle=side == "train"
        )
        for side in ("train", "val")
    }
    counts = torch.bincount(targets[fold.train], minlength=len(table.labels)).tolist()
    dims = {modality: values.shape[1] for modality, values in table.features.items()}
    model = Plain(GatedHead(dims=dims, num_classes=len(table.labels), width=WIDTH), class_weights(counts, "balanced"))
    best = Best()
    with quiet_lightning():
        trainer = pl.Trainer(
            max_epochs=epochs,
            accelerator="cpu",
            callbacks=[best],
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
        )
        trainer.fit(model, loaders["train"], loaders["val"])
    model.load_state_dict(best.weights)
    with torch.inference_mode():
        return model.eval()(*sides["test"]).numpy()
