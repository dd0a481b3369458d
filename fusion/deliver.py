"""What a training run leaves behind: results.json, predictions.csv, report.html with its pictures, and bundle/."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning.utilities import rank_zero_only

from extractors.types import Modality
from fusion.bundle import BundleInfo, save_bundle
from fusion.data.folds import Fold
from fusion.data.table import FeatureTable
from fusion.evaluation.calibration import Calibration
from fusion.evaluation.report import write_report
from fusion.evaluation.results import versions, write_predictions, write_results
from fusion.evaluation.scored import Scored
from fusion.evaluation.tables import print_results
from fusion.evaluation.verdict import primary
from fusion.experiment import Trial, best_trials, calibrate_on, fit
from fusion.model_card import model_card
from fusion.training import FittedFold

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
    """Write everything of a run into its folder, and print the table. Of several processes only the first writes."""
    resume = Path(cfg.resume) if cfg.resume else None
    model = bundled(
        cfg, table, folds, trials, recipe=recipe, run_dir=run_dir, resume=resume
    )  # all processes take part in a fit
    if rank_zero_only.rank != 0:  # type: ignore[attr-defined]
        return
    write_predictions(run_dir / "predictions.csv", systems, table.labels)
    report = write_report(
        run_dir,
        results,
        systems,
        history=history_of(trials),
        config_yaml=OmegaConf.to_yaml(cfg, resolve=True),
        texts=dict(zip(table.rows["id"], table.rows["text"], strict=True)),
    )
    info = describe(cfg, table, model, results, system=primary(trials))
    card = model_card(info, results, refitted=model.refitted)
    bundle = save_bundle(run_dir / "bundle", model.fitted.model, info, card)
    write_results(run_dir / "results.json", results)  # last: where it stands, all the rest does
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


def clear_earlier(run_dir: Path) -> None:
    """Take away what an earlier run left in the same folder, once this one is sure to begin: figures of two runs must
    not stand side by side.
    """
    for path in [
        run_dir / "results.json",
        run_dir / "report.html",
        run_dir / "predictions.csv",
        *run_dir.glob("*.png"),
    ]:
        path.unlink(missing_ok=True)
    shutil.rmtree(run_dir / "bundle", ignore_errors=True)


@dataclass(frozen=True)
class Bundled:
    """The model that the bundle will hold, and the rows it was trained on."""

    fitted: FittedFold
    calibration: Calibration
    fold: Fold
    refitted: bool


def bundled(
    cfg: DictConfig,
    table: FeatureTable,
    folds: Sequence[Fold],
    trials: Mapping[str, Sequence[Trial]],
    *,
    recipe: Mapping[str, Any],
    run_dir: Path,
    resume: Path | None = None,
) -> Bundled:
    """The model of a single split; after a cross-validation, one more model trained by the same recipe on all rows."""
    best = best_trials(trials)[0]
    if len(folds) == 1:
        return Bundled(best.fitted, best.calibration, folds[0], refitted=False)
    fold = everything(table, folds[0])
    modalities: tuple[Modality, ...] = best.fitted.model.modalities  # type: ignore[assignment]
    fitted = fit(table, fold, modalities, recipe, Path("fits") / fold.name, run_dir=run_dir, resume=resume)
    return Bundled(fitted, calibrate_on(fitted, table, fold.val, cfg.evaluation.coverage), fold, refitted=True)


def describe(
    cfg: DictConfig, table: FeatureTable, model: Bundled, results: Mapping[str, Any], *, system: str
) -> BundleInfo:
    """model.json, from the configuration and what was measured."""
    counts = np.bincount(table.targets[model.fold.train], minlength=len(table.labels))
    network = model.fitted.model
    return BundleInfo(
        labels=table.labels,
        dims=dict(network.head.dims),  # type: ignore[arg-type]
        encoders={
            m: {"config": OmegaConf.to_container(cfg[m], resolve=True), **described}
            for m, described in table.encoders.items()
            if m in network.modalities
        },
        head=OmegaConf.to_container(cfg.head, resolve=True),  # type: ignore[arg-type]
        prior=tuple(float(share) for share in counts / counts.sum()),
        temperature=model.calibration.temperature,
        threshold=model.calibration.threshold,
        metrics=results["test"][system],
        versions=versions(),
    )


def everything(table: FeatureTable, fold: Fold) -> Fold:
    """All labelled rows but the validation rows of `fold`; nothing is left to test on."""
    labelled = np.flatnonzero(table.targets >= 0)
    return Fold("all", np.setdiff1d(labelled, fold.val), fold.val, np.array([], dtype=np.int64))
