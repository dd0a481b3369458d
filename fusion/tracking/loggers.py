"""Several Lightning loggers as one part of a recipe, and the end of a run told to all of them."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from hydra.utils import instantiate
from omegaconf import DictConfig
from pytorch_lightning.loggers import Logger
from pytorch_lightning.utilities import rank_zero_only

from fusion.tracking.parameters import Plain, figures, hyperparameters
from fusion.tracking.place import Place, place_of

log = logging.getLogger(__name__)


class Tracker(Protocol):
    """One destination of figures."""

    def fit_logger(self, place: Place) -> Logger | None:
        """The logger of one fit; None where fits are not told one by one."""

    def log_results(self, run_dir: Path, parameters: Mapping[str, Plain], metrics: Mapping[str, float]) -> None:
        """A finished run: its configuration and its figures on test rows."""


class Loggers:
    """What `logger=` configures. A fit calls it for its loggers, the end of a run calls `log_results`.

    Args:
        trackers: name -> destination, in the order in which they are told; None leaves one out.
    """

    def __init__(self, **trackers: Tracker | None) -> None:
        self.trackers = {name: tracker for name, tracker in trackers.items() if tracker is not None}

    def __call__(self, *, save_dir: str | Path, name: str = "", version: str = "") -> list[Logger]:
        """The loggers of the fit that writes into `save_dir`; `name` and `version` are taken as Lightning gives them."""
        place = place_of(Path(save_dir) / name / version)
        loggers = [tracker.fit_logger(place) for tracker in self.trackers.values()]
        return [logger for logger in loggers if logger is not None]

    def log_results(self, run_dir: Path, parameters: Mapping[str, Plain], metrics: Mapping[str, float]) -> None:
        """To all; where one cannot be reached the others are still told, and the run is not lost."""
        for name, tracker in self.trackers.items():
            try:
                tracker.log_results(run_dir, parameters, metrics)
            except Exception as error:  # a server that is away; the figures are in the run's folder
                log.warning("%s: the results could not be logged (%s: %s)", name, type(error).__name__, error)


@rank_zero_only
def log_results(cfg: DictConfig, results: Mapping[str, Any], run_dir: Path) -> None:
    """Tell the loggers of `cfg` what was configured and what came out on test rows. Nothing secret is told."""
    loggers = instantiate(cfg.logger)
    if loggers is None:
        return
    chosen = {name: value for name, value in (results.get("run") or {}).items() if isinstance(value, str)}
    parameters, metrics = hyperparameters(cfg, chosen), figures(results)
    if isinstance(loggers, Loggers):
        loggers.log_results(run_dir, parameters, metrics)
        return
    logger = loggers(save_dir=str(run_dir), name="", version="")  # one of Lightning's own, or the user's
    logger.log_hyperparams(parameters)
    logger.log_metrics(metrics)
    logger.finalize("success")
