"""results.json and predictions.csv: what scripts can rely on.

    labels, split, seed, allow_leakage, notice
    test.{fusion,speech,text}.{wa,ua,macro_f1,weighted_f1,ece,ece_uncalibrated,nll,brier} = {"value", "low", "high"}
    test.{...}.{n,speakers,per_class,confusion,selective}
    difference.{metric} = {"value", "low", "high"}, fusion minus the single modality named by difference_against
    verdict = {"fusion_helps": "yes" | "no" | "not shown" | null, "sentence"}
    folds = [{"name", "n", "speakers", "test", "difference", "interval"}], empty without cross-validation
    folds_summary.{system}.{metric} = {"mean", "std_sample"} over the folds, null without cross-validation
    baselines.{chance,majority}, interval, overlap, training, versions

What could not be computed is null; NaN never appears.
"""

from __future__ import annotations

import json
import math
import platform
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from extractors.files import write_text
from fusion.evaluation.bootstrap import DRAWS, LEVEL, Bootstrap, bootstrap
from fusion.evaluation.metrics import METRICS, Sums, per_class, total_sums
from fusion.evaluation.scored import Floats, Scored
from fusion.evaluation.verdict import FUSION, better_single, primary, verdict

BASELINE_METRICS = ("wa", "ua", "macro_f1", "weighted_f1")  # a baseline without probabilities has no calibration
PACKAGES = (
    "emofuse",
    "torch",
    "pytorch-lightning",
    "numpy",
    "scikit-learn",
    "pandas",
    "funasr",
    "modelscope",
    "sentence-transformers",
    "librosa",
    "lancedb",
)


def build_results(
    systems: Mapping[str, Scored],
    *,
    labels: Sequence[str],
    split: str,
    seed: int,
    allow_leakage: bool = False,
    overlap: Any = None,
    training: Mapping[str, Any] | None = None,
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
        training: what the run wants to add, any plain data: temperatures, chosen epochs, removed rows.
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
    test = {name: _system(scored, pooled, name, labels) for name, scored in systems.items()}
    folds = [
        _fold(name, systems, against, draws=draws, seed=seed, level=level)
        for name in first.fold_names
        if len(first.fold_names) > 1
    ]
    results = {
        "labels": list(labels),
        "split": split,
        "seed": seed,
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
        "n": len(scored),
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
        "n": len(some),
        "speakers": some.speakers,
        "test": {system: found.intervals(system) for system in parts},
        "difference": found.difference(FUSION, against) if against else None,
        "interval": _interval(found, draws, seed),
    }


def folds_summary(folds: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Mean and sample standard deviation (n - 1) over folds, of every system and of the difference."""
    series = {system: [fold["test"][system] for fold in folds] for system in folds[0]["test"]}
    if folds[0]["difference"]:
        series["difference"] = [fold["difference"] for fold in folds]
    return {
        name: {
            metric: {
                "mean": float(np.mean([entry[metric]["value"] for entry in entries])),
                "std_sample": float(np.std([entry[metric]["value"] for entry in entries], ddof=1)),
            }
            for metric in METRICS
        }
        for name, entries in series.items()
    }


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


def versions() -> dict[str, str]:
    """What was installed: Python, Emofuse and the libraries that change numbers."""
    found = {"python": platform.python_version(), "platform": f"{platform.system()} {platform.machine()}"}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def plain(value: Any) -> Any:
    """JSON-able: numpy and tuples as Python's own, NaN and infinities as None, anything else as its text.

    >>> plain({"a": np.float64("nan"), "b": (np.int64(1), np.array([0.5]))})
    {'a': None, 'b': [1, [0.5]]}
    """
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, Mapping):
        return {str(key): plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [plain(entry) for entry in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, str | bool | int) else str(value)


def write_results(path: Path | str, results: Mapping[str, Any]) -> Path:
    """Write results.json, strictly valid and in one step."""
    text = json.dumps(plain(results), ensure_ascii=False, indent=2, allow_nan=False)
    return write_text(Path(path), text + "\n")


def write_predictions(path: Path | str, systems: Mapping[str, Scored], labels: Sequence[str]) -> Path:
    """Write predictions.csv, UTF-8, a line per test row.

    Columns: id, fold, speaker, label (the truth), prediction, confidence, uncertain, p_<label>… of fusion (or of the
    only system), then <system>_prediction and <system>_confidence of the others.
    """
    name = primary(systems)
    scored, names = systems[name], np.array(labels, dtype=object)
    columns: dict[str, Any] = {
        "id": scored.ids,
        "fold": scored.folds,
        "speaker": scored.groups,
        "label": names[scored.targets],
        "prediction": names[scored.predictions],
        "confidence": scored.confidence,
    }
    if scored.uncertain is not None:
        columns["uncertain"] = scored.uncertain
    columns |= {f"p_{label}": _column(scored.probabilities, row) for row, label in enumerate(labels)}
    for other, its in systems.items():
        if other != name:
            columns |= {f"{other}_prediction": names[its.predictions], f"{other}_confidence": its.confidence}
    text = pd.DataFrame(columns).to_csv(index=False, float_format="%.6f", lineterminator="\n")
    return write_text(Path(path), text)


def _column(table: Floats, column: int) -> Floats:
    return table[:, column]
