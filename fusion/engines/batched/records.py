"""What a fit leaves in its folder beside its weights: its history, through the loggers of the recipe."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pytorch_lightning.loggers import Logger


def write_history(logger: Any, place: Path, history: Sequence[Mapping[str, float]]) -> None:
    """Tell the loggers that the factory `logger` makes for `place` of every epoch. None has nothing to tell.

    After the fit, not during it: a stack would have as many files open as models, and nobody can watch them all.
    """
    if logger is None:
        return
    place.mkdir(parents=True, exist_ok=True)
    made = logger(save_dir=str(place), name="", version="")
    loggers: list[Logger] = list(made) if isinstance(made, Sequence) else [made]
    for one in loggers:
        for epoch in history:
            one.log_metrics(dict(epoch), step=int(epoch["epoch"]))
        one.finalize("success")
