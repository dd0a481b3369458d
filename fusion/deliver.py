"""What a training run leaves behind: results.json, predictions.csv, report.html with its pictures, and bundle/."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from omegaconf import DictConfig, OmegaConf

from fusion.bundle import BundleInfo, save_bundle
from fusion.data.folds import Fold
from fusion.data.table import FeatureTable
from fusion.evaluation.report import write_report
from fusion.evaluation.results import versions, write_predictions, write_results
from fusion.evaluation.scored import Scored
from fusion.evaluation.tables import print_results
from fusion.evaluation.verdict import primary
from fusion.experiment import Trial, best_trials, calibrate_on, fit
from fusion.model_card import model_card

log = logging.getLogger(__name__)


def deliver(
    cfg: DictConfig,
    table: FeatureTable,
    folds: Sequence[Fold],
    trials: Mapping[str, Sequence[Trial]],
    systems: Mapping[str, Scored],
    results: dict[str, Any],
    *,
    recipe: Mapping[str, Any],
    run_dir: Path,
) -> None:
    """Write everything of a run into its folder, and print the table."""
    write_results(run_dir / "results.json", results)
    write_predictions(run_dir / "predictions.csv", systems, table.labels)
    report = write_report(
        run_dir,
        results,
        systems,
        history=history_of(trials),
        config_yaml=OmegaConf.to_yaml(cfg, resolve=True),
        texts=dict(zip(table.rows["id"], table.rows["text"], strict=True)),
    )
    bundle = write_bundle(cfg, table, folds, trials, results, recipe=recipe, run_dir=run_dir)
    print_results(results)
    log.info("\nreport  %s\nbundle  %s", report, bundle)


def history_of(trials: Mapping[str, Sequence[Trial]]) -> Iterator[dict[str, Any]]:
    """A record per epoch of every fit, for the learning curves."""
    for system, runs in trials.items():
        for trial in runs:
            for epoch in trial.fitted.history:
                yield {
                    "system": system,
                    "fold": trial.scored.fold_names[0],
                    "epoch": int(epoch["epoch"]),
                    "train_loss": epoch.get("train/loss"),
                    "val_loss": epoch.get("val/loss"),
                    "val_ua": epoch.get("val/uar"),
                    "chosen": int(epoch["epoch"]) == trial.fitted.best_epoch,
                }


def write_bundle(
    cfg: DictConfig,
    table: FeatureTable,
    folds: Sequence[Fold],
    trials: Mapping[str, Sequence[Trial]],
    results: Mapping[str, Any],
    *,
    recipe: Mapping[str, Any],
    run_dir: Path,
) -> Path:
    """The model of a single split; after a cross-validation, one more model trained by the same recipe on all rows."""
    refitted = len(folds) > 1
    fold = everything(table, folds[0]) if refitted else folds[0]
    if refitted:
        modalities = best_trials(trials)[0].fitted.model.modalities
        fitted = fit(table, fold, modalities, recipe, Path("fits") / fold.name, run_dir=run_dir)  # type: ignore[arg-type]
        calibration = calibrate_on(fitted, table, fold.val, cfg.evaluation.coverage)
    else:
        fitted, calibration = best_trials(trials)[0].fitted, best_trials(trials)[0].calibration
    counts = np.bincount(table.targets[fold.train], minlength=len(table.labels))
    info = BundleInfo(
        labels=table.labels,
        dims=dict(fitted.model.head.dims),  # type: ignore[arg-type]
        encoders={
            m: {"config": OmegaConf.to_container(cfg[m], resolve=True), **described}
            for m, described in table.encoders.items()
            if m in fitted.model.modalities
        },
        head=OmegaConf.to_container(cfg.head, resolve=True),  # type: ignore[arg-type]
        prior=tuple(float(share) for share in counts / counts.sum()),
        temperature=calibration.temperature,
        threshold=calibration.threshold,
        metrics=results["test"][primary(trials)],
        versions=versions(),
    )
    return save_bundle(run_dir / "bundle", fitted.model, info, model_card(info, results, refitted=refitted))


def everything(table: FeatureTable, fold: Fold) -> Fold:
    """All labelled rows but the validation rows of `fold`; nothing is left to test on."""
    labelled = np.flatnonzero(table.targets >= 0)
    return Fold("all", np.setdiff1d(labelled, fold.val), fold.val, np.array([], dtype=np.int64))
