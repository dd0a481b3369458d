"""MLflow: a run for each training run, with its fits nested below it."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Mapping
from hashlib import blake2b
from pathlib import Path
from typing import Any

from filelock import FileLock
from pytorch_lightning.loggers import Logger, MLFlowLogger
from pytorch_lightning.utilities import rank_zero_only

from extractors.files import write_text
from fusion.tracking.extras import require
from fusion.tracking.parameters import Plain
from fusion.tracking.place import Place, place_of

RUN_ID = "mlflow_run_id.txt"  # in the run's folder: which MLflow run it is
DATABASE = Path("runs") / "mlflow.db"
BATCH = 1000  # metrics that MLflow takes at once


class MLflowRuns:
    """One MLflow run for each training run: its configuration and its figures on test rows; its fits are nested runs.

    `mlflow ui --backend-store-uri sqlite:///runs/mlflow.db` shows them.

    Args:
        experiment: the name that MLflow groups runs under.
        tracking_uri: a server or a database; None takes $MLFLOW_TRACKING_URI, or else runs/mlflow.db.
        fits: False leaves the fits out, and their learning curves: for a cross-validation of many.
        every_seconds: between two messages about one fit.

    Raises MissingExtraError where mlflow is not installed.
    """

    def __init__(
        self,
        *,
        experiment: str = "emofuse",
        tracking_uri: str | None = None,
        fits: bool = True,
        every_seconds: float = 10.0,
    ) -> None:
        require("mlflow")
        self.experiment, self.fits, self.every_seconds = experiment, fits, every_seconds
        self._tracking_uri = tracking_uri

    @property
    def tracking_uri(self) -> str:
        uri = self._tracking_uri or os.environ.get("MLFLOW_TRACKING_URI")
        if uri:
            return uri
        DATABASE.parent.mkdir(parents=True, exist_ok=True)
        return f"sqlite:///{DATABASE.absolute()}"

    def fit_logger(self, place: Place) -> Logger | None:
        if not self.fits or rank_zero_only.rank != 0:  # type: ignore[attr-defined]
            return None
        tags = {"mlflow.parentRunId": self._run(place.run).run_id, "emofuse.run": place.group}
        return self._logger(run_name=place.name, tags=tags)

    def log_results(self, run_dir: Path, parameters: Mapping[str, Plain], metrics: Mapping[str, float]) -> None:
        logger = self._run(run_dir)
        logger.log_hyperparams(dict(parameters))
        logger.log_metrics(metrics, step=0)
        logger.finalize("success")

    def _run(self, folder: Path) -> _MLflowLogger:
        """The MLflow run of a run folder, made where it has none."""
        known = folder / RUN_ID
        if known.is_file():
            return self._logger(run_id=known.read_text().strip())
        name = place_of(folder).group
        logger = self._logger(run_name=name, tags={"emofuse.run": name})
        # two processes must not both make the database, or the experiment
        lock = (
            Path(tempfile.gettempdir()) / f"emofuse-mlflow-{blake2b(self.tracking_uri.encode()).hexdigest()[:16]}.lock"
        )
        with FileLock(lock):
            write_text(known, f"{logger.run_id}\n")
        return logger

    def _logger(self, **settings: Any) -> _MLflowLogger:
        return _MLflowLogger(
            every_seconds=self.every_seconds,
            experiment_name=self.experiment,
            tracking_uri=self.tracking_uri,
            **settings,
        )


class _MLflowLogger(MLFlowLogger):
    """By epoch, and many at once: a message for each epoch would take longer than the epoch."""

    def __init__(self, *, every_seconds: float, **settings: Any) -> None:
        super().__init__(**settings)
        self.every_seconds, self._sent = every_seconds, time.monotonic()
        self._pending: list[Any] = []

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        from mlflow.entities import Metric

        epoch, now = int(metrics.get("epoch", step or 0)), int(time.time() * 1000)
        rest = {name: float(value) for name, value in metrics.items() if name != "epoch"}
        self._pending += [Metric(key=name, value=value, timestamp=now, step=epoch) for name, value in rest.items()]
        if time.monotonic() - self._sent >= self.every_seconds:
            self._send()

    @rank_zero_only
    def finalize(self, status: str = "success") -> None:
        self._send()
        super().finalize(status)

    def _send(self) -> None:
        while self._pending:
            self.experiment.log_batch(run_id=self.run_id, metrics=self._pending[:BATCH])
            del self._pending[:BATCH]
        self._sent = time.monotonic()
