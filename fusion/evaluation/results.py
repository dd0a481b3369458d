"""results.json: what scripts can rely on.

    labels, split, seed, allow_leakage, notice
    test.{fusion,speech,text}.{wa,ua,macro_f1,weighted_f1,ece,ece_uncalibrated,nll,brier} = {"value", "low", "high"}
    test.{...}.{n,judged,speakers,per_class,confusion,selective,parameters,seconds}
    difference.{metric} = {"value", "low", "high"}, fusion minus the single modality named by difference_against
    verdict = {"fusion_helps": "yes" | "no" | "not shown" | null, "sentence"}
    folds = [{"name", "n", "speakers", "test", "difference", "interval"}], empty without cross-validation
    folds_summary.{system}.{metric} = {"mean", "std_sample", "n"} over the folds, null without cross-validation
    seeds, and seeds_summary like folds_summary, each seed pooled over its folds; null for one seed
    one_checkpoint.{modality,both}: as test, of the fusion's checkpoints with only that shown, rows that have all; or null
    run: what was chosen; baselines.{chance,majority}, interval, overlap, training, versions

`n` counts different utterances, `judged` every judgement: several seeds or repeats judge the same utterance. Standard
deviations are those of a sample (n - 1). What could not be computed is null; NaN never appears.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fusion.evaluation.bootstrap import DRAWS, LEVEL, Bootstrap, bootstrap
from fusion.evaluation.metrics import METRICS, Sums, evaluate, per_class, total_sums
from fusion.evaluation.plain import plain
from fusion.evaluation.scored import Scored
from fusion.evaluation.verdict import FUSION, better_single, verdict
from fusion.evaluation.versions import versions

BASELINE_METRICS = ("wa", "ua", "macro_f1", "weighted_f1")  # a baseline without probabilities has no calibration


def build_results(
    systems: Mapping[str, Scored],
    *,
    labels: Sequence[str],
    split: str,
    seed: int,
    allow_leakage: bool = False,
    overlap: Any = None,
    training: Mapping[str, Any] | None = None,
    shown: Mapping[str, Scored] | None = None,
    run: Mapping[str, Any] | None = None,
    notice: str | None = None,
    draws: int = DRAWS,
    level: float = LEVEL,
) -> dict[str, Any]:
    """Everything measured in a run, as plain data.

    Args:
        systems: "fusion", "speech" and "text", or a single one, each on the same test rows in the same order. Rows of
            several folds make it a cross-validation: `test` is then pooled over the folds.
        labels: class names in the order of the probabilities.
        split: the name of the split.
        seed: of the run; the bootstrap draws from it too.
        allow_leakage: the user accepted a split whose sides share transcripts or speakers.
        overlap: the leak report, any plain data.
        training: system -> a record for each fit, any plain data; `parameters` and `seconds` are looked for in it.
        shown: modality, or "both" -> what one checkpoint says with only that shown, all on the same rows.
        run: what the run chose, any plain data: head, encoders, overrides.
        notice: what a reader must know of the data.
        draws: bootstrap draws.
        level: of the intervals.
    """
    first = next(iter(systems.values()))
    if len(labels) != first.classes:
        raise ValueError(f"expected {first.classes} labels, as many as there are probabilities, got {len(labels)}")
    pooled = bootstrap(systems, draws=draws, seed=seed, level=level)
    ua = {name: system.value["ua"] for name, system in pooled.systems.items()}
    against = better_single(ua)
    difference = pooled.difference(FUSION, against) if against else None
    interval = _interval(pooled, draws, seed)
    test = {
        name: _system(scored, pooled, name, labels) | _costs((training or {}).get(name))
        for name, scored in systems.items()
    }
    seeds = first.seed_values
    folds = [
        _fold(name, systems, against, draws=draws, seed=seed, level=level)
        for name in first.fold_names
        if len(first.fold_names) > 1
    ]
    results = {
        "labels": list(labels),
        "split": split,
        "seed": seed,
        "seeds": list(seeds) if len(seeds) > 1 else [seed],
        "allow_leakage": allow_leakage,
        "notice": notice,
        "verdict": verdict(test, difference, against, interval, leaked=allow_leakage),
        "test": test,
        "difference": difference,
        "difference_against": against,
        "baselines": baselines(first),
        "interval": interval,
        "folds": folds,
        "folds_summary": folds_summary(folds) if folds else None,
        "seeds_summary": seeds_summary(systems, against) if len(seeds) > 1 else None,
        "one_checkpoint": one_checkpoint(shown, labels, draws=draws, seed=seed, level=level) if shown else None,
        "run": dict(run or {}),
        "overlap": overlap,
        "training": dict(training or {}),
        "versions": versions(),
    }
    return plain(results)


def _interval(found: Bootstrap, draws: int, seed: int) -> dict[str, Any]:
    return {
        "level": found.level,
        "unit": found.units.kind,
        "units": found.units.total,
        "draws": draws,
        "seed": seed,
        "method": "expanded percentile bootstrap, bias-corrected",
        "note": found.units.note,
    }


def _system(scored: Scored, found: Bootstrap, name: str, labels: Sequence[str]) -> dict[str, Any]:
    confusion = total_sums(scored).confusion
    columns = per_class(confusion)
    return {
        **found.intervals(name),
        "n": scored.utterances,
        "judged": len(scored),
        "speakers": scored.speakers,
        "per_class": [
            {
                "label": label,
                **{key: column[row] for key, column in columns.items()},
                "support": int(confusion[row].sum()),
            }
            for row, label in enumerate(labels)
        ],
        "confusion": confusion.astype(int),
        "selective": _selective(scored),
    }


def _selective(scored: Scored) -> dict[str, float | None] | None:
    """Share of rows that got a label rather than `uncertain`, and accuracy among them."""
    if scored.uncertain is None:
        return None
    kept = ~scored.uncertain
    return {"coverage": float(kept.mean()), "accuracy": float(scored.correct[kept].mean()) if kept.any() else None}


def _fold(
    name: str, systems: Mapping[str, Scored], against: str | None, *, draws: int, seed: int, level: float
) -> dict[str, Any]:
    parts = {system: scored.in_fold(name) for system, scored in systems.items()}
    found = bootstrap(parts, draws=draws, seed=seed, level=level)
    some = next(iter(parts.values()))
    return {
        "name": name,
        "n": some.utterances,
        "speakers": some.speakers,
        "test": {system: found.intervals(system) for system in parts},
        "difference": found.difference(FUSION, against) if against else None,
        "interval": _interval(found, draws, seed),
    }


def folds_summary(folds: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Mean and sample standard deviation over folds, of every system and of the difference."""
    series = {system: [fold["test"][system] for fold in folds] for system in folds[0]["test"]}
    if folds[0]["difference"]:
        series["difference"] = [fold["difference"] for fold in folds]
    return {
        name: {metric: mean_and_deviation([entry[metric]["value"] for entry in entries]) for metric in METRICS}
        for name, entries in series.items()
    }


def seeds_summary(systems: Mapping[str, Scored], against: str | None) -> dict[str, Any]:
    """Mean and sample standard deviation over seeds, each seed pooled over its folds."""
    seeds = next(iter(systems.values())).seed_values
    values = {name: [evaluate(scored.of_seed(seed)) for seed in seeds] for name, scored in systems.items()}
    if against:
        values["difference"] = [
            {metric: fusion[metric] - single[metric] for metric in METRICS}
            for fusion, single in zip(values[FUSION], values[against], strict=True)
        ]
    return {
        name: {metric: mean_and_deviation([entry[metric] for entry in entries]) for metric in METRICS}
        for name, entries in values.items()
    }


def mean_and_deviation(values: Sequence[float]) -> dict[str, float | int | None]:
    """{"mean", "std_sample", "n"}: the deviation of a sample, with n - 1; None of a single value.

    >>> mean_and_deviation([0.25, 0.75])
    {'mean': 0.5, 'std_sample': 0.3535533905932738, 'n': 2}
    """
    deviation = float(np.std(values, ddof=1)) if len(values) > 1 else None
    return {"mean": float(np.mean(values)), "std_sample": deviation, "n": len(values)}


def one_checkpoint(
    shown: Mapping[str, Scored], labels: Sequence[str], *, draws: int, seed: int, level: float
) -> dict[str, Any]:
    """What one fusion checkpoint does with a single modality, and with all, on the rows that have all of them."""
    found = bootstrap(shown, draws=draws, seed=seed, level=level)
    return {name: _system(scored, found, name, labels) for name, scored in shown.items()}


def _costs(fits: Any) -> dict[str, Any]:
    """Parameters of one model of the system, and the seconds of all its fits, where the fits tell."""
    told = [fit for fit in fits or () if isinstance(fit, Mapping) and "parameters" in fit]
    return {"parameters": told[0]["parameters"], "seconds": sum(fit["seconds"] for fit in told)} if told else {}


def baselines(scored: Scored) -> dict[str, dict[str, float]]:
    """What needs no model: guessing every class alike, and always saying the commonest class of the test rows.

    Chance is scored on its expected confusion matrix. No constant answer has a higher WA than `majority`.
    """
    support = np.bincount(scored.targets, minlength=scored.classes).astype(np.float64)
    chance = np.repeat(support[:, None] / scored.classes, scored.classes, axis=1)
    majority = np.zeros_like(chance)
    majority[:, support.argmax()] = support
    nothing = np.zeros(0)
    return {
        name: {key: float(METRICS[key](Sums(confusion, nothing, nothing, nothing))) for key in BASELINE_METRICS}
        for name, confusion in (("chance", chance), ("majority", majority))
    }
