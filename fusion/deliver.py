"""What a training run leaves behind: results.json, predictions.csv, report.html with its pictures, and bundle/."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from hydra.core.hydra_config import HydraConfig
from numpy.typing import NDArray
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning.utilities import rank_zero_only

from extractors.types import Modality
from fusion.bundle import BundleInfo, save_bundle
from fusion.data.folds import Fold
from fusion.data.overlap import KINDS, Identities
from fusion.data.table import FeatureTable
from fusion.engines.base import Engine, Job
from fusion.ensemble import Ensemble
from fusion.evaluation.calibration import Calibration
from fusion.evaluation.report import write_report
from fusion.evaluation.result_files import write_predictions, write_results
from fusion.evaluation.scored import Scored
from fusion.evaluation.tables import print_results
from fusion.evaluation.verdict import primary
from fusion.evaluation.versions import versions
from fusion.experiment import fit_jobs, judge_validation
from fusion.label_errors import write_label_errors
from fusion.model import FusionModel
from fusion.model_card import Origin, model_card
from fusion.recipe import settings_of
from fusion.trials import Trial, Trials, best_trials

log = logging.getLogger(__name__)


def deliver(
    cfg: DictConfig,
    table: FeatureTable,
    folds: Sequence[Fold],
    trials: Trials,
    systems: Mapping[str, Scored],
    results: dict[str, Any],
    *,
    recipe: Mapping[str, Any],
    engine: Engine,
    run_dir: Path,
) -> None:
    """Write everything of a run into its folder, and print the table. Of several processes only the first writes."""
    chosen = bundled(cfg, table, folds, trials, recipe=recipe, engine=engine, run_dir=run_dir)  # all processes fit
    if rank_zero_only.rank != 0:  # type: ignore[attr-defined]
        return
    write_predictions(run_dir / "predictions.csv", systems, table.labels, rows=table.rows)
    write_label_errors(run_dir / "label_errors.csv", systems[primary(trials)], table)
    report = write_report(
        run_dir,
        results,
        systems,
        history=history_of(trials),
        config_yaml=OmegaConf.to_yaml(cfg, resolve=True),
        texts=dict(zip(table.rows["id"], table.rows["text"], strict=True)),
    )
    bundle = save_model(run_dir / "bundle", cfg, table, chosen, results, system=primary(trials))
    if cfg.bundle.keep_folds:
        for trial, kept in fold_models(folds, trials):
            name = trial.fold if len(results["seeds"]) == 1 else f"{trial.fold}-seed-{trial.seed}"
            save_model(run_dir / "bundles" / name, cfg, table, kept, results, system=primary(trials))
    write_results(run_dir / "results.json", results)  # last: where it stands, all the rest does
    print_results(results)
    log.info("\nreport  %s\nbundle  %s", report, bundle)


def history_of(trials: Trials) -> Iterator[dict[str, Any]]:
    """A record per epoch of every fit, for the learning curves."""
    for system, runs in trials.items():
        seeds = len({trial.seed for trial in runs})
        for trial in runs:
            for epoch in trial.fitted.history:
                yield {
                    "system": system,
                    "fold": trial.fold if seeds == 1 else f"{trial.fold}, seed {trial.seed}",
                    "epoch": int(epoch["epoch"]),
                    "train_loss": epoch.get("train/loss"),
                    "val_loss": epoch.get("val/loss"),
                    "val_ua": epoch.get("val/uar"),
                    "chosen": int(epoch["epoch"]) == trial.fitted.best_epoch,
                }


def choices_of(cfg: DictConfig) -> dict[str, Any]:
    """What was chosen from each group, and what was overridden, so that runs can be told apart."""
    hydra = HydraConfig.get()
    groups = {name: choice for name, choice in hydra.runtime.choices.items() if "/" not in name and choice is not None}
    return {**groups, "modalities": list(cfg.modalities), "overrides": list(hydra.overrides.task)}


def clear_earlier(run_dir: Path) -> None:
    """Take away what an earlier run left in the same folder, once this one is sure to begin: figures of two runs must
    not stand side by side.
    """
    for path in [
        run_dir / "results.json",
        run_dir / "report.html",
        run_dir / "predictions.csv",
        run_dir / "label_errors.csv",
        *run_dir.glob("*.png"),
    ]:
        path.unlink(missing_ok=True)
    for folder in ("bundle", "bundles"):
        shutil.rmtree(run_dir / folder, ignore_errors=True)


@dataclass(frozen=True)
class Bundled:
    """A model as a bundle will hold it, its calibration, the rows it was trained on, and which of the fits it is."""

    model: FusionModel | Ensemble
    calibration: Calibration
    train: NDArray[np.int64]
    origin: Origin
    which: str = ""


def bundled(
    cfg: DictConfig,
    table: FeatureTable,
    folds: Sequence[Fold],
    trials: Trials,
    *,
    recipe: Mapping[str, Any],
    engine: Engine,
    run_dir: Path,
) -> Bundled:
    """What the bundle ships: the model of a single split, after a cross-validation one more model trained by the same
    recipe on the rows of all folds, or as `bundle.kind` asks all the models together.
    """
    best = best_trials(trials)
    if cfg.bundle.kind == "ensemble" and len(best) > 1:
        return ensemble(best, folds, table, cfg.evaluation.coverage)
    if cfg.bundle.kind == "ensemble":
        log.warning(
            "bundle.kind=ensemble: one fold by one seed makes one model; set seeds=[1,2,3], or a split of more folds"
        )
    if len(folds) == 1:
        return Bundled(best[0].fitted.model, best[0].calibration, folds[0].train, "split", f"seed {best[0].seed}")
    fold = everything(table, folds)
    modalities: tuple[Modality, ...] = best[0].fitted.model.modalities  # type: ignore[assignment]
    job = Job(fold, modalities, best[0].seed, Path("fits") / fold.name)
    resume = Path(cfg.resume) if cfg.resume else None
    [fitted] = fit_jobs(table, [job], recipe, engine=engine, settings=settings_of(cfg), run_dir=run_dir, resume=resume)
    calibration, _ = judge_validation(fitted.model, table, fold.val, cfg.evaluation.coverage)
    return Bundled(fitted.model, calibration, fold.train, "refit")


def ensemble(trials: Sequence[Trial], folds: Sequence[Fold], table: FeatureTable, coverage: float) -> Bundled:
    """All the models together. Of a single fold, its validation rows calibrate them; of several, no row was held out from
    all models, so each keeps its own temperature and the threshold is the mean of theirs.
    """
    models = [trial.fitted.model for trial in trials]
    together = Ensemble(models, [trial.calibration.temperature for trial in trials]).eval()
    if len(folds) == 1:
        calibration, _ = judge_validation(together, table, folds[0].val, coverage)
    else:
        calibration = Calibration(threshold=float(np.mean([trial.calibration.threshold for trial in trials])))
    return Bundled(together, calibration, np.unique(np.concatenate([fold.train for fold in folds])), "ensemble")


def fold_models(folds: Sequence[Fold], trials: Trials) -> Iterator[tuple[Trial, Bundled]]:
    """Each trial of the shipped system, as a bundle of its own."""
    trained = {fold.name: fold.train for fold in folds}
    for trial in best_trials(trials):
        which = f"fold {trial.fold}, seed {trial.seed}"
        yield trial, Bundled(trial.fitted.model, trial.calibration, trained[trial.fold], "fold", which)


def save_model(
    folder: Path, cfg: DictConfig, table: FeatureTable, chosen: Bundled, results: Mapping[str, Any], *, system: str
) -> Path:
    """Write one bundle."""
    info = describe(cfg, table, chosen, results, system=system)
    return save_bundle(folder, chosen.model, info, model_card(info, results, origin=chosen.origin, which=chosen.which))


def describe(
    cfg: DictConfig, table: FeatureTable, chosen: Bundled, results: Mapping[str, Any], *, system: str
) -> BundleInfo:
    """model.json, from the configuration and what was measured."""
    counts = np.bincount(table.targets[chosen.train], minlength=len(table.labels))
    network = chosen.model
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
        temperature=chosen.calibration.temperature,
        threshold=chosen.calibration.threshold,
        metrics=results["test"][system],
        versions=versions(),
        members=len(network.members) if isinstance(network, Ensemble) else 1,
    )


def everything(table: FeatureTable, folds: Sequence[Fold]) -> Fold:
    """All rows that any fold uses, but those that validate the first fold and those that share with them what its own
    training rows do not: speakers, words, clips. Nothing is left to test on.
    """
    first, identities = folds[0], Identities(table)
    used = np.unique(np.concatenate([rows for fold in folds for rows in (fold.train, fold.val, fold.test)]))
    train = np.setdiff1d(used, first.val)
    for kind in KINDS:
        if not len(identities.shared(kind, first.train, first.val)):
            train = train[~identities.standing_in(kind, train, first.val)]
    return Fold("all", train, first.val, np.array([], dtype=np.int64))
