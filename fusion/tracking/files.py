"""Figures as files in the run's folder: metrics.csv of each fit, and TensorBoard's event files."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pytorch_lightning.loggers import CSVLogger, Logger, TensorBoardLogger
from pytorch_lightning.utilities import rank_zero_only

from fusion.tracking.parameters import Plain
from fusion.tracking.place import Place


class CsvFiles:
    """metrics.csv in the folder of each fit, a row an epoch. Final figures are in results.json anyway.

    Args:
        every_seconds: at least so long between two writes, so that a fit of a second writes once.
    """

    def __init__(self, *, every_seconds: float = 10.0) -> None:
        self.every_seconds = every_seconds

    def fit_logger(self, place: Place) -> Logger:
        return _CsvLogger(place.folder, every_seconds=self.every_seconds)

    def log_results(self, run_dir: Path, parameters: Mapping[str, Plain], metrics: Mapping[str, float]) -> None:
        """Nothing to add."""


class TensorBoardFiles:
    """Event files: learning curves by epoch beside each fit's CSV, and an HParams entry of the run in its folder.

    `tensorboard --logdir runs` shows them; the HParams tab then compares runs, and the jobs of a sweep.

    Args:
        every_seconds: between two writes.
    """

    def __init__(self, *, every_seconds: float = 10.0) -> None:
        self.every_seconds = every_seconds

    def fit_logger(self, place: Place) -> Logger:
        return _TensorBoardLogger(place.folder, every_seconds=self.every_seconds)

    def log_results(self, run_dir: Path, parameters: Mapping[str, Plain], metrics: Mapping[str, float]) -> None:
        logger = _TensorBoardLogger(run_dir, every_seconds=self.every_seconds)
        logger.log_hyperparams(dict(parameters), dict(metrics), step=0)
        logger.experiment.close()


class _CsvLogger(CSVLogger):
    """One row an epoch. Lightning tells validation and training one after the other, which makes two."""

    def __init__(self, folder: Path, *, every_seconds: float) -> None:
        super().__init__(folder, name="", version="", flush_logs_every_n_steps=sys.maxsize)
        self.every_seconds, self._saved = every_seconds, time.monotonic()

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, Any], step: int | None = None) -> None:
        rows = self.experiment.metrics
        if rows and rows[-1].get("epoch") == metrics.get("epoch"):
            rows[-1] |= {**{name: float(value) for name, value in metrics.items()}, "epoch": rows[-1].get("epoch")}
            return
        if time.monotonic() - self._saved >= self.every_seconds:  # the rows of epochs that are over
            super().save()
            self._saved = time.monotonic()
        super().log_metrics(dict(metrics), step)

    def save(self) -> None:
        """Lightning asks for this after every message, which costs a small fit a tenth of its time."""

    @rank_zero_only
    def finalize(self, status: str) -> None:
        if self._experiment is not None:
            super().save()


class _TensorBoardLogger(TensorBoardLogger):
    """By epoch, so that fits of different batch sizes lie over each other; and no HParams entry for every fit."""

    def __init__(self, folder: Path, *, every_seconds: float) -> None:
        super().__init__(folder, name="", version="", default_hp_metric=False, flush_secs=max(1, int(every_seconds)))

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        rest = {name: value for name, value in metrics.items() if name != "epoch"}
        super().log_metrics(rest, int(metrics.get("epoch", step or 0)))

    def save(self) -> None:
        """As above; the writer flushes by the clock."""
