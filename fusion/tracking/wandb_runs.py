"""Weights & Biases: the runs of one training run in one group."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pytorch_lightning.loggers import Logger, WandbLogger
from pytorch_lightning.utilities import rank_zero_only

from fusion.tracking.extras import require
from fusion.tracking.parameters import Plain
from fusion.tracking.place import Place, place_of


class WandbRuns:
    """A group for each training run: a run for each fit, and one called `results` with the figures on test rows.

    `WANDB_MODE=offline`, or mode=offline, sends nothing; `wandb sync` does that later. Neither code nor the command
    line is sent, only what `fusion.tracking.parameters` lets through.

    Args:
        project: of Weights & Biases.
        entity: user or team; None takes your default.
        mode: online, offline or disabled; None takes $WANDB_MODE.
        fits: False leaves the fits out, and their learning curves: for a cross-validation of many, as each costs
            Weights & Biases a second or two.

    Raises MissingExtraError where wandb is not installed.
    """

    def __init__(
        self, *, project: str = "emofuse", entity: str | None = None, mode: str | None = None, fits: bool = True
    ) -> None:
        require("wandb")
        self.project, self.entity, self.mode, self.fits = project, entity, mode, fits

    def fit_logger(self, place: Place) -> Logger | None:
        return self._logger(place, place.name, "fit") if self.fits else None

    def log_results(self, run_dir: Path, parameters: Mapping[str, Plain], metrics: Mapping[str, float]) -> None:
        logger = self._logger(place_of(run_dir), "results", "results")
        logger.log_hyperparams(dict(parameters))
        logger.experiment.summary.update(dict(metrics))
        logger.finalize("success")

    def _logger(self, place: Place, name: str, job_type: str) -> _WandbLogger:
        from wandb import Settings

        return _WandbLogger(
            name=name,
            save_dir=place.run,
            project=self.project,
            entity=self.entity,
            group=place.group,
            job_type=job_type,
            mode=self.mode,
            settings=Settings(
                console="off", disable_git=True, disable_code=True, save_code=False, silent=True, x_disable_meta=True
            ),
        )


class _WandbLogger(WandbLogger):
    """Ends its run with the fit; Lightning leaves it open, and the next fit would write into it."""

    def __init__(self, **settings: Any) -> None:
        import wandb

        super().__init__(**settings)
        self._own = wandb.run is None  # else the program around us has opened one, and will close it

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        epoch = int(metrics.get("epoch", step or 0))
        super().log_metrics({name: float(value) for name, value in metrics.items()}, epoch)

    @rank_zero_only
    def finalize(self, status: str) -> None:
        super().finalize(status)
        if self._own and self._experiment is not None:
            self._experiment.finish(exit_code=0 if status == "success" else 1)
