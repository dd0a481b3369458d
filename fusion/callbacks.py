"""What watches a fit: the best epoch by validation, a point to resume from, and a word where it takes long."""

from __future__ import annotations

import logging
import math
import time
from copy import deepcopy
from datetime import timedelta
from math import isfinite
from pathlib import Path
from typing import Any, Literal

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Callback, Checkpoint
from torch import Tensor

from extractors.errors import InputError

log = logging.getLogger(__name__)

LAST = "last.ckpt"  # what ResumePoint writes


class BestEpoch(Checkpoint):
    """Remembers the weights of the best epoch by a validation metric, and every epoch's metrics.

    In memory: a head is a few hundred kilobytes, and a fit of a second should not spend another on writing them.
    The memory goes into checkpoints, so a resumed run knows what was best before it.

    Args:
        monitor: a metric of validation, such as `val/loss`. Metrics of test rows do not exist here.
        mode: "max" or "min".
        tie_break: where `monitor` is equal, lower is better. Recall over a few dozen rows moves in steps and is
            often equal; without this the first of the equals would win, and it is the least trained.
    """

    def __init__(self, *, monitor: str, mode: Literal["max", "min"], tie_break: str | None = "val/loss") -> None:
        if mode not in ("max", "min"):
            raise InputError(f"callbacks: mode: expected max or min, got {mode!r}")
        self.monitor, self.mode, self.tie_break = monitor, mode, tie_break
        self.epoch = -1
        self.weights: dict[str, Tensor] = {}
        self.history: list[dict[str, float]] = []
        self._best: tuple[float, float] | None = None

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        metrics = {name: float(value) for name, value in trainer.callback_metrics.items()}
        known = sorted(name for name in metrics if name.startswith("val/"))
        for name in (self.monitor, self.tie_break):
            if name is not None and name not in known:
                raise InputError(f"callbacks: expected one of {', '.join(known)} to choose the epoch by, got {name!r}")
        self.history.append({"epoch": trainer.current_epoch, **metrics})
        sign = 1.0 if self.mode == "min" else -1.0
        score = (sign * metrics[self.monitor], metrics[self.tie_break] if self.tie_break else 0.0)
        if all(map(isfinite, score)) and (self._best is None or score < self._best):
            self._best, self.epoch = score, trainer.current_epoch
            state = pl_module.get_submodule("model").state_dict()
            self.weights = {name: tensor.detach().to("cpu", copy=True) for name, tensor in state.items()}

    def state_dict(self) -> dict[str, Any]:
        return {"epoch": self.epoch, "weights": self.weights, "history": self.history, "best": self._best}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.epoch, self.weights = state_dict["epoch"], state_dict["weights"]
        self.history, self._best = list(state_dict["history"]), state_dict["best"]


class ResumePoint(Callback):
    """Writes `last.ckpt` into the run's folder every so often, so that a killed fit need not start again.

    Between two epochs: a resumed run then ends with the very weights of an uninterrupted one. Lightning can take
    up a fit at the end of an epoch but not at the beginning of the next, and between the two it steps the plateau
    scheduler. So the position is noted at the end, and all else is written at the beginning. Written to a
    temporary file first; a kill in mid-write leaves the older point whole.

    Args:
        every_seconds: at least so long between two points; a fit shorter than that writes none.
    """

    def __init__(self, *, every_seconds: float = 30.0) -> None:
        self.every_seconds = every_seconds
        self._since = time.monotonic()
        self._position: dict[str, Any] | None = None

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._since = time.monotonic()

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        due = time.monotonic() - self._since >= self.every_seconds
        if trainer.world_size > 1:  # all processes take part in a checkpoint, or none does
            due = trainer.strategy.broadcast(due)
        self._position = deepcopy(trainer.fit_loop.state_dict()) if due else None

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if self._position is None:
            return
        path = Path(trainer.default_root_dir) / LAST
        draft = path.with_name(f".{path.name}.tmp")
        trainer.save_checkpoint(draft)  # ends with a barrier
        if trainer.is_global_zero:
            draft.replace(path)
        self._position, self._since = None, time.monotonic()

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        if self._position is not None:
            checkpoint["loops"]["fit_loop"] = self._position


class LongFitLog(Callback):
    """A line with rate and time left, only for a fit that goes on for a while, and only every so often.

    A line, not a bar: it stands beside the bar over all fits, and in the log of a run that nobody watches.

    Args:
        every_seconds: between two lines; a fit shorter than that says nothing.
    """

    def __init__(self, *, every_seconds: float = 10.0) -> None:
        self.every_seconds = every_seconds
        self._start = self._said = 0.0
        self._first_step = self._epoch_step = 0

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._start = self._said = time.monotonic()
        self._first_step = trainer.global_step

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._epoch_step = trainer.global_step

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        now = time.monotonic()
        if now - self._said < self.every_seconds or not trainer.is_global_zero:
            return
        self._said = now
        rate = (trainer.global_step - self._first_step) / (now - self._start)  # steps a second
        epoch, left = f"{trainer.current_epoch + 1}", ""
        if trainer.max_epochs is not None and trainer.max_epochs > 0:
            epoch += f" of at most {trainer.max_epochs}"
            per_epoch = float(trainer.num_training_batches)
            if not math.isfinite(per_epoch):  # batches of sequences: as many as there were in the epochs so far
                per_epoch = self._epoch_step / trainer.current_epoch if trainer.current_epoch else math.nan
            steps = trainer.max_epochs * per_epoch - trainer.global_step
            if math.isfinite(steps):
                left = f", at most {timedelta(seconds=round(steps / max(rate, 1e-9)))} left"
        loss = trainer.callback_metrics.get("val/loss")
        judged = "" if loss is None else f", val/loss {float(loss):.4f}"
        log.info("training: epoch %s, %s%s%s", epoch, pace(rate), left, judged)


def pace(rate: float) -> str:
    """A rate in steps a second, as seconds a step where it is below one.

    >>> pace(64.7), pace(0.31), pace(0)
    ('65 steps/s', '3.2 s/step', 'no step yet')
    """
    if rate <= 0:
        return "no step yet"
    return f"{rate:.0f} steps/s" if rate >= 1 else f"{1 / rate:.1f} s/step"
