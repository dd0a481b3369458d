"""Every system on every fold: fusion and each modality alone, trained by one recipe on the same rows, and scored."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pytorch_lightning.utilities import rank_zero_only
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from scipy.special import softmax

from extractors.types import Modality
from fusion.callbacks import LAST
from fusion.data.folds import Fold
from fusion.data.table import FeatureTable
from fusion.engines.base import Engine, Job
from fusion.ensemble import Ensemble
from fusion.evaluation.calibration import Calibration, calibrate
from fusion.evaluation.metrics import evaluate
from fusion.evaluation.scored import Scored
from fusion.evaluation.verdict import FUSION
from fusion.fitted import FittedFold, digest_of, identify, load_fitted, note_begun, save_fitted, was_begun
from fusion.model import FusionModel
from fusion.training import predict_logits
from fusion.trials import Trial

log = logging.getLogger(__name__)

Systems = dict[str, tuple[Modality, ...]]


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
    engine: Engine,
    seeds: Sequence[int],
    settings: str,
    run_dir: Path,
    coverage: float,
    resume: Path | None = None,
) -> dict[str, list[Trial]]:
    """Train and score every system on every fold by every seed.

    Args:
        table: all rows; fusion uses all its modalities.
        folds: which rows teach, choose and test.
        recipe: the factories and settings of `fit_fold`.
        engine: what does the fits.
        seeds: one fit for each of them.
        settings: all that the recipe was made from, as text: a finished fit of other settings is not taken up.
        run_dir: fits write below `run_dir/fits`.
        coverage: share of validation rows that the `uncertain` threshold lets through.
        resume: folder of an interrupted run: its finished fits are taken as they are, its unfinished ones go on.

    Returns system -> its trials, by seed and within a seed in the order of `folds`.
    """
    systems = systems_of(tuple(table.features))
    jobs = {
        (name, seed, fold.name): Job(fold, used, seed, Path("fits") / _place(seeds, seed) / fold.name / name)
        for seed in seeds
        for fold in folds
        for name, used in systems.items()
    }
    if len(jobs) < len(seeds) * len(folds) * len(systems):
        raise ValueError(f"expected folds, seeds and systems of different names: {[fold.name for fold in folds]}")
    fits = fit_jobs(
        table, list(jobs.values()), recipe, engine=engine, settings=settings, run_dir=run_dir, resume=resume
    )
    trials: dict[str, list[Trial]] = {name: [] for name in systems}
    for (name, _, _), job, fitted in zip(jobs, jobs.values(), fits, strict=True):
        trials[name].append(_trial(fitted, table, job, coverage))
    return trials


def fit_jobs(
    table: FeatureTable,
    jobs: Sequence[Job],
    recipe: Mapping[str, Any],
    *,
    engine: Engine,
    settings: str,
    run_dir: Path,
    resume: Path | None = None,
) -> list[FittedFold]:
    """Do the jobs, whose places are relative to `run_dir`; see `run_trials`. Each is saved as it is finished."""
    leads = rank_zero_only.rank == 0  # type: ignore[attr-defined]  # of several processes, one writes
    data = digest_of(table)
    identities = [
        identify(data, job.fold, settings=f"{settings}\nseed: {job.seed}\nmodalities: {job.modalities}") for job in jobs
    ]
    found: dict[int, FittedFold] = {}
    todo: list[Job] = []
    for place, (job, identity) in enumerate(zip(jobs, identities, strict=True)):
        earlier = [] if resume is None else [resume / known for known in _places(job)]
        finished = (
            load_fitted(folder, identity, head=recipe["head"], num_classes=len(table.labels)) for folder in earlier
        )
        if fitted := next((fitted for fitted in finished if fitted is not None), None):
            found[place] = fitted
            if leads:
                save_fitted(run_dir / job.place, fitted, identity)
            continue
        checkpoint = next((folder / LAST for folder in earlier if was_begun(folder, identity)), None)
        todo.append(replace(job, place=run_dir / job.place, checkpoint=checkpoint))
    left = [place for place in range(len(jobs)) if place not in found]
    if resume is not None:
        going_on = sum(job.checkpoint is not None for job in todo)
        log.info(
            "%s: %d of %d fits are taken as they are, %d go on; the others begin anew",
            resume,
            len(found),
            len(jobs),
            going_on,
        )
    for job, place in zip(todo, left, strict=True):
        if leads:
            note_begun(job.place, identities[place])
    known = dict(zip([id(job) for job in todo], left, strict=True))
    with _progress(len(todo)) as advance:

        def done(job: Job, fitted: FittedFold) -> None:
            if leads:
                save_fitted(job.place, fitted, identities[known[id(job)]])
            advance(f"{job.fold.name} · {' + '.join(job.modalities)}")

        found |= dict(zip(left, engine.fit(table, todo, recipe, done=done) if todo else [], strict=True))
    return [found[place] for place in range(len(jobs))]


def _place(seeds: Sequence[int], seed: int) -> str:
    return f"seed-{seed}" if len(seeds) > 1 else ""


def _places(job: Job) -> list[Path]:
    """Where a run may have put this fit: one of a single seed names no seed in its paths."""
    plain = [part for part in job.place.parts[1:] if part != f"seed-{job.seed}"]
    first = job.place.parts[0]
    return list(dict.fromkeys([job.place, Path(first, *plain), Path(first, f"seed-{job.seed}", *plain)]))


def _trial(fitted: FittedFold, table: FeatureTable, job: Job, coverage: float) -> Trial:
    calibration, val_ua = judge_validation(fitted.model, table, job.fold.val, coverage)
    scored = _score(fitted, table, job, calibration, job.fold.test)
    shown: dict[str, Scored] = {}
    heard = np.all([table.present[m][job.fold.test] for m in job.modalities], axis=0)
    if len(job.modalities) > 1 and heard.any():
        complete = job.fold.test[heard]
        shown = {m: _score(fitted, table, job, calibration, complete, (m,)) for m in job.modalities}
        shown["both" if len(job.modalities) == 2 else "all"] = _score(fitted, table, job, calibration, complete)
    return Trial(job.fold.name, job.seed, fitted, calibration, scored, val_ua, shown)


def _score(
    fitted: FittedFold,
    table: FeatureTable,
    job: Job,
    calibration: Calibration,
    index: NDArray[np.int64],
    modalities: tuple[Modality, ...] | None = None,
) -> Scored:
    logits = predict_logits(fitted.model, table, index, modalities=modalities).astype(np.float64)  # (rows, classes)
    probabilities = softmax(logits / calibration.temperature, axis=1)
    rows = table.rows.iloc[index]
    return Scored(
        ids=rows["id"].tolist(),
        targets=table.targets[index],
        probabilities=probabilities,
        uncalibrated=softmax(logits, axis=1),
        groups=rows["speaker"].tolist(),
        folds=[job.fold.name] * len(rows),
        seeds=[job.seed] * len(rows),
        uncertain=probabilities.max(axis=1) < calibration.threshold,
    )


def judge_validation(
    model: FusionModel | Ensemble, table: FeatureTable, index: NDArray[np.int64], coverage: float
) -> tuple[Calibration, float]:
    """Temperature and `uncertain` threshold from the validation rows in which the model hears or reads anything, and
    its unweighted accuracy there.
    """
    heard = np.any([table.present[m][index] for m in model.modalities], axis=0)  # type: ignore[index]
    usable = index[heard]
    logits, targets = predict_logits(model, table, usable).astype(np.float64), table.targets[usable]
    calibration = calibrate(logits, targets, coverage=coverage)
    probabilities = softmax(logits, axis=1)
    ids = [str(row) for row in usable]
    found = Scored(ids=ids, targets=targets, probabilities=probabilities, uncalibrated=probabilities)
    return calibration, evaluate(found)["ua"]


@contextmanager
def _progress(total: int) -> Iterator[Callable[[str], None]]:
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
        task = bar.add_task("", total=total)
        yield lambda finished: bar.update(task, advance=1, description=finished)
