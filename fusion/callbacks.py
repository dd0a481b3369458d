"""What watches a fit: the best epoch by validation, a point to resume from, progress where there is time for it."""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import Any, Literal

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback, Checkpoint
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor

from extractors.errors import InputError

log = logging.getLogger(__name__)

LAST = "last.ckpt"  # what ResumePoint writes


class BestEpoch(Checkpoint):
    """Remembers the weights of the best epoch by a validation metric, and every epoch's metrics.

    In memory: a head is a few hundred kilobytes, and a fit of a second should not spend another on writing them.
    The memory goes into checkpoints, so a resumed run knows what was best before it.

    Args:
        monitor: a metric of validation, such as `val/uar`. Metrics of test rows do not exist here.
        mode: "max" or "min".
        tie_break: where `monitor` is equal, lower is better. Recall over a few dozen rows moves in steps and is
            equal often; without this the first of the equals would win, and it is the least trained.
    """

    def __init__(self, *, monitor: str, mode: Literal["max", "min"], tie_break: str | None = "val/loss") -> None:
        self.monitor, self.mode, self.tie_break = monitor, mode, tie_break
        self.epoch = -1
        self.weights: dict[str, Tensor] = {}
        self.history: list[dict[str, float]] = []
        self._best: tuple[float, float] | None = None

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        metrics = {name: float(value) for name, value in trainer.callback_metrics.items()}
        known = [name for name in metrics if name.startswith("val/")]
        for name in (self.monitor, self.tie_break):
            if name is not None and name not in known:
                raise InputError(f"callbacks: the epoch cannot be chosen by {name!r}; there is {', '.join(known)}")
        self.history.append({"epoch": trainer.current_epoch, **metrics})
        sign = 1.0 if self.mode == "min" else -1.0
        score = (sign * metrics[self.monitor], metrics[self.tie_break] if self.tie_break else 0.0)
        if self._best is None or score < self._best:
            self._best, self.epoch = score, trainer.current_epoch
            self.weights = {
                name: tensor.detach().to("cpu", copy=True) for name, tensor in pl_module.model.state_dict().items()
            }

    def state_dict(self) -> dict[str, Any]:
        return {"epoch": self.epoch, "weights": self.weights, "history": self.history, "best": self._best}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.epoch, self.weights, self.history = state_dict["epoch"], state_dict["weights"], state_dict["history"]
        self._best = None if state_dict["best"] is None else tuple(state_dict["best"])


class ResumePoint(Callback):
    """Writes `last.ckpt` into the run's folder every so often, so that a killed fit need not start again.

    Between two epochs, when all of the last one is done: a resumed run then ends with the very weights of an
    uninterrupted one. Written to a temporary file first; a kill in mid-write leaves the older point whole.

    Args:
        every_seconds: at least so long between two points; a fit shorter than that writes none.
    """

    def __init__(self, *, every_seconds: float = 30.0) -> None:
        self.every_seconds = every_seconds
        self._since = time.monotonic()

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._since = time.monotonic()

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        due = time.monotonic() - self._since >= self.every_seconds
        if trainer.world_size > 1:  # all processes take part in a checkpoint, or none does
            due = trainer.strategy.broadcast(due)
        if due and trainer.current_epoch > 0:
            trainer.save_checkpoint(Path(trainer.default_root_dir) / LAST)
            self._since = time.monotonic()


class SlowFitProgress(Callback):
    """A progress bar with rate and time left on stderr, but only for a fit that has gone on for a while.

    Args:
        after_seconds: how long a fit may take before it is worth a line.
        name: what the line is called.
    """

    def __init__(self, *, after_seconds: float = 10.0, name: str = "training") -> None:
        self.after_seconds, self.name = after_seconds, name
        self._progress: Progress | None = None
        self._start = self._shown = 0.0
        self._steps = 0

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._start = self._shown = time.monotonic()
        self._steps = trainer.global_step

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        now = time.monotonic()
        if now - self._start < self.after_seconds or now - self._shown < 0.5 or not trainer.is_global_zero:
            return
        self._shown = now
        total = None
        if trainer.max_epochs is not None and trainer.max_epochs > 0:
            total = trainer.max_epochs * int(trainer.num_training_batches)
        if self._progress is None:
            columns = (
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("steps, {task.fields[rate]:,.0f}/s, at most"),
                TimeRemainingColumn(),
            )
            self._progress = Progress(*columns, console=Console(stderr=True), transient=True)
            self._progress.start()
            self._progress.add_task(self.name, total=total, rate=0.0)
        rate = (trainer.global_step - self._steps) / (now - self._start)
        self._progress.update(
            self._progress.task_ids[0],
            completed=trainer.global_step,
            rate=rate,
            description=f"{self.name}, epoch {trainer.current_epoch + 1}",
        )

    def teardown(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        if self._progress is not None:
            self._progress.stop()
            self._progress = None

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        self.teardown(trainer, pl_module, "fit")
