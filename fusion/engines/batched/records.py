"""What a fit leaves in its folder beside its weights: its history, through the loggers of the recipe."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pytorch_lightning.loggers import Logger

from fusion.quiet import quiet_lightning


def write_history(
    logger: Any, place: Path, history: Sequence[Mapping[str, float]], *, steps: int, settings: Mapping[str, Any]
) -> None:
    """Tell the loggers that the factory `logger` makes for `place` of every epoch. None has nothing to tell.

    After the fit, not during it: a stack would have as many files open as models, and nobody can watch them all.

    logger   : called with `save_dir`, `name` and `version`, as `fit_fold` calls it; a logger or several come of it
    place    : folder of the fit
    history  : of `FittedFold`
    steps    : of one epoch; loggers count in steps
    settings : what Lightning would tell them of the module's hyperparameters
    """
    if logger is None:
        return
    place.mkdir(parents=True, exist_ok=True)
    with quiet_lightning():
        made = logger(save_dir=str(place), name="", version="")
        loggers: list[Logger] = list(made) if isinstance(made, Sequence) else [made]
        for one in loggers:
            one.log_hyperparams(dict(settings))
            for epoch in history:
                one.log_metrics(dict(epoch), step=(int(epoch["epoch"]) + 1) * steps - 1)
            one.finalize("success")
