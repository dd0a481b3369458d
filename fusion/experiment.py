"""Every system on every fold: fusion and each modality alone, trained by one recipe on the same rows, and scored."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from scipy.special import softmax

from extractors.types import Modality
from fusion.callbacks import LAST
from fusion.data.folds import Fold
from fusion.data.table import FeatureTable
from fusion.evaluation.calibration import Calibration, calibrate
from fusion.evaluation.scored import Scored
from fusion.evaluation.verdict import FUSION, primary
from fusion.training import FittedFold, fit_fold, predict_logits

log = logging.getLogger(__name__)

Systems = dict[str, tuple[Modality, ...]]


@dataclass(frozen=True)
class Trial:
    """One system on one fold: the fitted model, what validation taught about its confidence, and its test rows."""

    fitted: FittedFold
    calibration: Calibration
    scored: Scored


def systems_of(modalities: Sequence[Modality]) -> Systems:
    """What a run trains: fusion, then each modality alone; just the one where there is only one.

    >>> systems_of(["speech", "text"])
    {'fusion': ('speech', 'text'), 'speech': ('speech',), 'text': ('text',)}
    >>> systems_of(["text"])
    {'text': ('text',)}
    """
    alone: Systems = {modality: (modality,) for modality in modalities}
    return {FUSION: tuple(modalities), **alone} if len(modalities) > 1 else alone


def run_trials(
    table: FeatureTable,
    folds: Sequence[Fold],
    recipe: Mapping[str, Any],
    *,
    run_dir: Path,
    coverage: float,
    resume: Path | None = None,
) -> dict[str, list[Trial]]:
    """Train and score every system on every fold.

    Args:
        table: all rows; fusion uses all its modalities.
        folds: which rows teach, choose and test.
        recipe: the factories and settings of `fit_fold`.
        run_dir: fits write below `run_dir/fits`.
        coverage: share of validation rows that the `uncertain` threshold lets through.
        resume: folder of an interrupted run, whose unfinished fits go on from their checkpoints.

    Returns system -> its trials, in the order of `folds`.
    """
    systems = systems_of(tuple(table.features))
    trials: dict[str, list[Trial]] = {name: [] for name in systems}
    with _progress(len(folds) * len(systems)) as (progress, task):
        for fold in folds:
            for name, used in systems.items():
                progress.update(task, description=f"{fold.name} · {name}")
                fitted = fit(table, fold, used, recipe, Path("fits") / fold.name / name, run_dir=run_dir, resume=resume)
                trials[name].append(_trial(fitted, table, fold, coverage))
                progress.advance(task)
    return trials


def fit(
    table: FeatureTable,
    fold: Fold,
    modalities: Sequence[Modality],
    recipe: Mapping[str, Any],
    place: Path,
    *,
    run_dir: Path,
    resume: Path | None = None,
) -> FittedFold:
    """One fit at `run_dir/place`, going on from the same place of an interrupted run where that left a checkpoint."""
    checkpoint = resume / place / LAST if resume is not None and (resume / place / LAST).is_file() else None
    if checkpoint is not None:
        log.info("going on from %s", checkpoint)
    return fit_fold(table, fold, modalities=modalities, run_dir=run_dir / place, ckpt_path=checkpoint, **recipe)


def _trial(fitted: FittedFold, table: FeatureTable, fold: Fold, coverage: float) -> Trial:
    calibration = calibrate_on(fitted, table, fold.val, coverage)
    logits = predict_logits(fitted.model, table, fold.test).astype(np.float64)  # (rows, classes)
    probabilities = softmax(logits / calibration.temperature, axis=1)
    rows = table.rows.iloc[fold.test]
    scored = Scored(
        ids=rows["id"].tolist(),
        targets=table.targets[fold.test],
        probabilities=probabilities,
        uncalibrated=softmax(logits, axis=1),
        groups=rows["speaker"].tolist(),
        folds=[fold.name] * len(rows),
        uncertain=probabilities.max(axis=1) < calibration.threshold,
    )
    return Trial(fitted, calibration, scored)


def calibrate_on(fitted: FittedFold, table: FeatureTable, index: NDArray[np.int64], coverage: float) -> Calibration:
    """Temperature and `uncertain` threshold from the validation rows in which the model hears or reads anything."""
    heard = np.any([table.present[m][index] for m in fitted.model.modalities], axis=0)  # type: ignore[index]
    usable = index[heard]
    return calibrate(
        predict_logits(fitted.model, table, usable).astype(np.float64), table.targets[usable], coverage=coverage
    )


def pooled(trials: Mapping[str, Sequence[Trial]]) -> dict[str, Scored]:
    """System -> its test rows over all folds."""
    return {name: Scored.concatenate([trial.scored for trial in runs]) for name, runs in trials.items()}


def training_notes(trials: Mapping[str, Sequence[Trial]]) -> dict[str, Any]:
    """What the fits were like, for results.json: epochs, temperatures, seconds, rows that could not be used."""
    return {
        name: [
            {
                "fold": trial.scored.fold_names[0],
                "best_epoch": trial.fitted.best_epoch,
                "epochs": len(trial.fitted.history),
                "temperature": trial.calibration.temperature,
                "threshold": trial.calibration.threshold,
                "parameters": sum(parameter.numel() for parameter in trial.fitted.model.parameters()),
                "seconds": trial.fitted.seconds,
                "excluded": trial.fitted.excluded,
            }
            for trial in runs
        ]
        for name, runs in trials.items()
    }


def best_trials(trials: Mapping[str, Sequence[Trial]]) -> Sequence[Trial]:
    """The trials of the system that the bundle ships."""
    return trials[primary(trials)]


@contextmanager
def _progress(total: int) -> Iterator[tuple[Progress, TaskID]]:
    """A bar over fits on stderr, gone when done; nothing where stderr is not a terminal."""
    console = Console(stderr=True)
    columns = (
        TextColumn("training {task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("fits"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        yield bar, bar.add_task("", total=total)
