"""One finished run, read back from its results.json and predictions.csv."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from extractors.errors import EmofuseError, InputError
from fusion.comparison.settings import Settings, read_settings
from fusion.evaluation.metrics import evaluate
from fusion.evaluation.scored import Floats, Ints, Scored
from fusion.evaluation.verdict import primary

METRICS = ("wa", "ua", "macro_f1", "weighted_f1", "ece", "nll", "brier")
ROUNDING = 2e-9  # predictions.csv has nine digits
AGREEMENT = 1e-6  # results.json and predictions.csv count the same rows, so WA agrees to the last digit but rounding

Key = tuple[str, int]  # id of an utterance, and the how-manieth time that this seed tested it (repeated folds)


@dataclass(frozen=True, eq=False)
class Replicate:
    """What the fits of one seed said of their test rows, pooled over folds.

    seed   : of the fits
    scored : the judgements; `uncalibrated` is not in predictions.csv and repeats `probabilities`
    keys   : (rows,) what pairs a judgement with another run's
    frame  : (rows,) predictions.csv as text
    value  : metric -> its value, from results.json where that is of this seed alone
    """

    seed: int
    scored: Scored
    keys: tuple[Key, ...]
    frame: pd.DataFrame
    value: dict[str, float]

    def take(self, index: Ints) -> Scored:
        """The judgements of `index`."""
        return self.scored.take(index)

    @property
    def evenly(self) -> bool:
        """Whether every utterance was judged equally often, so that all its judgements may stand for it."""
        return len(set(Counter(self.scored.ids).values())) == 1

    @property
    def tested(self) -> frozenset[object]:
        """What was tested: utterances, or where some were judged oftener than others each judgement."""
        return frozenset(self.scored.ids if self.evenly else self.keys)


@dataclass(frozen=True, eq=False)
class Run:
    """A finished run.

    folder     : where it lies
    results    : results.json
    system     : whose probabilities predictions.csv holds: "fusion", or the only modality
    labels     : class names, in the order of the probabilities
    settings   : what was chosen, without the seed
    replicates : by seed
    """

    folder: Path
    results: dict[str, Any]
    system: str
    labels: tuple[str, ...]
    settings: Settings
    replicates: tuple[Replicate, ...]

    @property
    def test(self) -> dict[str, Any]:
        """results.json of the system that is compared."""
        found: dict[str, Any] = self.results["test"][self.system]
        return found

    @property
    def seeds(self) -> tuple[int, ...]:
        return tuple(replicate.seed for replicate in self.replicates)

    @property
    def parameters(self) -> int | None:
        """Parameters of one fitted model, None where the run does not tell."""
        value = self.test.get("parameters") or next((fit.get("parameters") for fit in self._fits), None)
        return int(value) if value else None

    @property
    def seconds(self) -> float | None:
        """Training time of one seed, over all its folds; None where the run does not tell."""
        told = [fit["seconds"] for fit in self._fits if isinstance(fit.get("seconds"), int | float)]
        value = self.test.get("seconds") or (sum(told) if told else None)
        return float(value) / len(self.replicates) if value else None

    @property
    def _fits(self) -> list[dict[str, Any]]:
        fits = (self.results.get("training") or {}).get(self.system)
        return [fit for fit in fits if isinstance(fit, dict)] if isinstance(fits, list) else []


def read_runs(folders: Sequence[Path]) -> list[Run]:
    """Read every folder. Raises InputError with all that is damaged in any of them, and where their labels differ."""
    runs, problems = [], []
    for folder in folders:
        try:
            runs.append(read_run(folder))
        except InputError as error:
            problems += [f"{shown(folder)}: {line}" for line in error.problems]
    if problems:
        raise InputError("runs that cannot be read", problems)
    kinds: dict[tuple[str, ...], list[str]] = {}
    for run in runs:
        kinds.setdefault(tuple(sorted(run.labels)), []).append(shown(run.folder))
    if len(kinds) > 1:
        raise InputError(
            "runs with different labels cannot stand in one table",
            [f"{', '.join(labels)}: {', '.join(names)}" for labels, names in kinds.items()],
            "Compare the runs of each set of labels on their own.",
        )
    return runs


def read_run(folder: Path) -> Run:
    """Read one run folder. Raises InputError whose `problems` are all that is wrong with it."""
    results = _results(folder / "results.json")
    system, labels = primary(results["test"]), tuple(map(str, results["labels"]))
    frame = _frame(folder / "predictions.csv", labels)
    parts = _replicates(frame, labels, results)
    run = Run(folder, results, system, labels, read_settings(folder, results), tuple(parts))
    _agree(run, frame)
    if len(parts) == 1:
        parts[0].value.update({name: float(run.test[name]["value"]) for name in METRICS})
    return run


def shown(folder: Path) -> str:
    """A folder as its user would write it."""
    near = os.path.relpath(folder)
    return str(folder) if near.startswith("..") else near


def _damaged(*problems: str) -> InputError:
    return InputError("a run that cannot be read", problems)


def _results(path: Path) -> dict[str, Any]:
    try:
        results = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise _damaged(f"results.json: cannot be read ({error})") from None
    if not isinstance(results, dict):
        raise _damaged(f"results.json: expected an object, got {type(results).__name__}")
    problems = []
    labels, test = results.get("labels"), results.get("test")
    if not (isinstance(labels, list) and len(set(map(str, labels))) == len(labels) >= 2):
        problems.append(f"results.json: labels: expected two class names or more, got {labels!r}")
    if not (isinstance(test, dict) and test and all(isinstance(entry, dict) for entry in test.values())):
        problems.append("results.json: test: expected what was measured of each system")
    else:
        system = primary(test)
        for name in METRICS:
            entry = test[system].get(name)
            whole = isinstance(entry, dict) and {"low", "high"} <= entry.keys()
            if not whole or not isinstance(entry.get("value"), int | float):
                problems.append(f"results.json: test.{system}.{name}: expected value, low and high, got {entry!r}")
    if not isinstance(results.get("interval"), dict):
        problems.append("results.json: interval: expected how the intervals came about")
    if problems:
        raise _damaged(*problems)
    return results


def _frame(path: Path, labels: Sequence[str]) -> pd.DataFrame:
    """predictions.csv as text: an id "007" stays so, and a class may be called NA."""
    try:
        frame = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8")
    except FileNotFoundError:
        raise _damaged("predictions.csv: not there") from None
    except (OSError, ValueError, pd.errors.ParserError) as error:  # UnicodeDecodeError is a ValueError
        raise _damaged(f"predictions.csv: cannot be read ({error})") from None
    needed = ["id", "speaker", "label", "prediction", *(f"p_{label}" for label in labels)]
    missing = [name for name in needed if name not in frame]
    if missing or not len(frame):
        raise _damaged(*(f"predictions.csv: no column {name!r}" for name in missing), *_empty(frame))
    problems = []
    for name in ("label", "prediction"):
        strange = sorted(set(frame[name]) - set(labels))
        if strange:
            problems.append(f"predictions.csv: {name}: {_some(strange)} not among the labels of results.json")
    if problems:
        raise _damaged(*problems)
    return frame


def _empty(frame: pd.DataFrame) -> list[str]:
    return [] if len(frame) else ["predictions.csv: no rows"]


def _replicates(frame: pd.DataFrame, labels: Sequence[str], results: dict[str, Any]) -> list[Replicate]:
    number = {label: place for place, label in enumerate(labels)}
    probabilities = _probabilities(frame, labels, number)
    seeds = _seeds(frame, results)
    parts = []
    for seed in np.unique(seeds):
        index = np.flatnonzero(seeds == seed)
        part = frame.iloc[index].reset_index(drop=True)
        try:
            scored = Scored(
                ids=part["id"].tolist(),
                targets=np.array([number[label] for label in part["label"]], np.int64),
                probabilities=probabilities[index],
                uncalibrated=probabilities[index],
                groups=part["speaker"].tolist(),
                folds=part["fold"].tolist() if "fold" in part else None,
            )
        except (ValueError, EmofuseError) as error:
            raise _damaged(f"predictions.csv: {error}") from None
        times = part.groupby("id", sort=False).cumcount()
        keys = tuple(zip(part["id"].tolist(), times.tolist(), strict=True))
        value = {name: found for name, found in evaluate(scored).items() if name in METRICS}
        parts.append(Replicate(int(seed), scored, keys, part, value))
    return parts


def _probabilities(frame: pd.DataFrame, labels: Sequence[str], number: dict[str, int]) -> Floats:
    """(rows, classes), such that the greatest of a row is that of its `prediction`, which nine digits may hide."""
    columns = [pd.to_numeric(frame[f"p_{label}"], errors="coerce").to_numpy(np.float64) for label in labels]
    table = np.column_stack(columns)
    broken = np.flatnonzero(~np.isfinite(table).all(axis=1))
    if len(broken):
        raise _damaged(f"predictions.csv: {len(broken):,} rows whose probabilities are no numbers, {_lines(broken)}")
    said = frame["prediction"].map(number).to_numpy(np.int64)
    rows = np.arange(len(table))
    wrong = np.flatnonzero(table[rows, said] < table.max(axis=1) - ROUNDING)
    if len(wrong):
        raise _damaged(f"predictions.csv: {len(wrong):,} rows whose prediction is not the likeliest, {_lines(wrong)}")
    tied = table.argmax(axis=1) != said
    table[rows[tied], said[tied]] = table[tied].max(axis=1) + ROUNDING
    return np.asarray(table, dtype=np.float64)


def _seeds(frame: pd.DataFrame, results: dict[str, Any]) -> Ints:
    if "seed" not in frame:  # as earlier versions wrote it: of one seed
        return np.full(len(frame), int(results.get("seed", 0)))
    seeds = pd.to_numeric(frame["seed"], errors="coerce")
    if seeds.isna().any():
        raise _damaged(f"predictions.csv: rows without a seed, {_lines(np.flatnonzero(seeds.isna()))}")
    return seeds.to_numpy(np.int64)


def _agree(run: Run, frame: pd.DataFrame) -> None:
    """Both files are of the same run, and whole."""
    judged = run.test.get("judged", run.test.get("n", len(frame)))
    right = float((frame["label"] == frame["prediction"]).mean())
    told = run.test["wa"]["value"]
    if judged != len(frame) or abs(right - told) > AGREEMENT:
        raise _damaged(
            f"predictions.csv has {len(frame):,} rows of WA {right:.4f}, results.json tells of {judged:,} with {told}: "
            "one of them was cut short, or is of another run"
        )


def _lines(rows: Ints) -> str:
    """Where to look: line numbers of the file, whose first is the header."""
    lines = ", ".join(str(row + 2) for row in rows[:5])
    return f"line {lines}" if len(rows) == 1 else f"lines {lines}" + (", …" if len(rows) > 5 else "")


def _some(names: Sequence[str]) -> str:
    return ", ".join(map(repr, names[:5])) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
