"""One system on one fold by one seed, and what many of them come to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fusion.evaluation.calibration import Calibration
from fusion.evaluation.scored import Scored
from fusion.evaluation.verdict import FUSION, primary
from fusion.fitted import FittedFold


@dataclass(frozen=True)
class Trial:
    """One system on one fold by one seed.

    fitted      : the model, and how it came about
    calibration : what validation taught about its confidence
    scored      : its test rows
    val_ua      : unweighted accuracy on its validation rows, which chose the epoch
    shown       : of a fusion, its test rows that have every modality, with only one of them shown, and with "both"
    """

    fold: str
    seed: int
    fitted: FittedFold
    calibration: Calibration
    scored: Scored
    val_ua: float
    shown: dict[str, Scored] = field(default_factory=dict)


Trials = Mapping[str, Sequence[Trial]]


def pooled(trials: Trials) -> dict[str, Scored]:
    """System -> its test rows over all folds and seeds."""
    return {name: Scored.concatenate([trial.scored for trial in runs]) for name, runs in trials.items()}


def pooled_shown(trials: Trials) -> dict[str, Scored]:
    """Modality, or "both" -> what the fusion's checkpoints say when only that is shown; empty where there is no fusion."""
    runs = [trial for trial in trials.get(FUSION, ()) if trial.shown]
    return {name: Scored.concatenate([trial.shown[name] for trial in runs]) for name in (runs[0].shown if runs else ())}


def validation_score(trials: Trials) -> float:
    """Mean unweighted accuracy on validation of the system that the bundle ships: what a search may look at.

    Never that of the test rows: of many configurations the best on test is the luckiest.
    """
    return float(np.mean([trial.val_ua for trial in best_trials(trials)]))


def training_notes(trials: Trials) -> dict[str, Any]:
    """What the fits were like, for results.json: epochs, temperatures, seconds, rows that could not be used."""
    return {
        name: [
            {
                "fold": trial.fold,
                "seed": trial.seed,
                "best_epoch": trial.fitted.best_epoch,
                "epochs": len(trial.fitted.history),
                "val_ua": trial.val_ua,
                "temperature": trial.calibration.temperature,
                "threshold": trial.calibration.threshold,
                "parameters": trial.fitted.parameters,
                "seconds": trial.fitted.seconds,
                "excluded": trial.fitted.excluded,
            }
            for trial in runs
        ]
        for name, runs in trials.items()
    }


def best_trials(trials: Trials) -> Sequence[Trial]:
    """The trials of the system that the bundle ships."""
    return trials[primary(trials)]
