"""One fit of a stack: everything of `fit_fold` but the forward and backward pass, which the stack does for all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from fusion.classifier import EmotionClassifier
from fusion.data.datamodule import Batch, EmbeddingDataModule
from fusion.data.order import epoch_order
from fusion.engines.base import Job
from fusion.engines.batched.rows import FoldRows
from fusion.engines.batched.updates import Updates
from fusion.engines.batched.watch import Watch
from fusion.heads.base import Head, HeadOutput
from fusion.model import FusionModel


class Bare(nn.Module):
    """A head under the name that it has in a `FusionModel`, for features that are standardised already."""

    def __init__(self, head: Head) -> None:
        super().__init__()
        self.head = head

    def forward(self, features: Mapping[str, Tensor], present: Mapping[str, Tensor]) -> HeadOutput:
        return self.head(features, present)


class Classifier(EmotionClassifier):
    """The reference's own validation, means and optimizers, with what it logs in `logged`."""

    logged: dict[str, Tensor]

    def log(self, name: str, value: Any, **_: Any) -> None:  # type: ignore[override]
        self.logged[name] = value

    def add_step(self, loss: Tensor, rows: int) -> None:
        """What `training_step` keeps of a loss."""
        self._add("train", loss, rows)

    def add_validation(self, logits: Tensor, batch: Batch) -> None:
        """What `validation_step` keeps of the logits of a batch."""
        self._add("val", self.loss(logits, batch.targets if batch.soft is None else batch.soft), len(batch.targets))
        self.confusion.update(logits.argmax(dim=1), batch.targets)


class Member:
    """A fit under way.

    Args:
        job: which fit it is.
        data: the rows of its fold.
        model: with initial weights.
        rows: the same rows on the device.
        recipe: as an engine is given it.
        device: where it is trained.
    """

    def __init__(
        self,
        job: Job,
        data: EmbeddingDataModule,
        model: FusionModel,
        rows: FoldRows,
        recipe: Mapping[str, Any],
        device: torch.device,
    ) -> None:
        model.standardizers.load_state_dict(rows.standardizers)
        self.job, self.data, self.rows, self.model = job, data, rows, model
        self.sampling, self.batch_size = recipe.get("sampling", "shuffled"), recipe["batch_size"]
        bare: Any = Bare(model.head)
        self.classifier = Classifier(
            bare,
            loss=recipe["loss"](class_counts=data.class_counts),
            optimizer=recipe["optimizer"],
            scheduler=recipe.get("scheduler"),
            seed=job.seed,
        ).to(device)
        self.parameters = [parameter for parameter in model.head.parameters() if parameter.requires_grad]
        self.generator = torch.Generator(device)
        self.watch = Watch(recipe["callbacks"], self.classifier)
        self.epoch, self.seconds = 0, 0.0
        self.batches: list[Tensor] = []
        self._updates: Updates | None = None
        self._scheduler: Any = None

    @property
    def head(self) -> Head:
        return self.model.head

    def begin_epoch(self) -> None:
        """Draw the order of the rows into `batches`, positions in the training side."""
        train = self.rows.train
        order = epoch_order(
            torch.arange(len(train)), train.targets.cpu(), sampling=self.sampling, seed=self.job.seed, epoch=self.epoch
        )
        self.batches = list(order.to(train.targets.device).split(self.batch_size))
        # as EmotionClassifier.on_train_epoch_start seeds torch
        self.generator.manual_seed(1_000_003 * (self.job.seed + 1) + 1009 * self.epoch)

    def rows_of(self, number: int) -> int:
        """How many rows the step `number` of this epoch has; 0 where the epoch has no such step."""
        return len(self.batches[number]) if number < len(self.batches) else 0

    @property
    def updates(self) -> Updates:
        """The optimizer of the parameters, in their order."""
        if self._updates is None:
            # not before: the stack has moved the parameters to where they are trained
            made = self.classifier.configure_optimizers()
            if isinstance(made, dict):
                made, self._scheduler = made["optimizer"], made["lr_scheduler"]["scheduler"]
            self._updates = Updates(made, self.parameters)
        return self._updates

    def adapt_rate(self) -> None:
        """Step the scheduler, before validation as Lightning does; a plateau scheduler waits for its result."""
        if self._scheduler is not None and not self._on_plateau:
            self._scheduler.step()

    @property
    def _on_plateau(self) -> bool:
        return isinstance(self._scheduler, torch.optim.lr_scheduler.ReduceLROnPlateau)

    def end_epoch(self) -> None:
        """After validation: take its means, and tell the callbacks."""
        classifier = self.classifier
        classifier.logged = {}
        classifier.on_validation_epoch_end()
        validation, classifier.logged = classifier.logged, {}
        classifier.on_train_epoch_end()
        self.watch.epoch_ends(self.epoch, validation, classifier.logged)
        if self._on_plateau:
            self._scheduler.step(validation["val/loss"])
        self.epoch += 1
