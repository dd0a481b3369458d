"""The same rows by speaker, gender or any column: whom does a classifier serve worse?"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from extractors.errors import InputError
from fusion.comparison.resample import seed_means
from fusion.comparison.rows import Estimate, Row
from fusion.comparison.run import Replicate, shown
from fusion.evaluation.bootstrap import MIN_SPEAKERS
from fusion.evaluation.metrics import evaluate
from fusion.evaluation.scored import Scored

OWN = ("speaker", "fold", "label")  # columns of predictions.csv itself; others are meta_<column>
META = "meta_"
ACCURACIES = ("ua", "wa")


@dataclass(frozen=True)
class Group:
    """One group in one row of the table: `n` utterances of `speakers` speakers and `classes` true classes.

    metrics : wa and ua, the mean over seeds; the interval is over speakers, and there where there are five or more
    value   : of the column; "" where the rows have none
    counted : enough utterances, and a value, to count for the gap
    """

    value: str
    n: int
    speakers: int
    classes: int
    metrics: dict[str, Estimate]
    counted: bool


@dataclass(frozen=True)
class Gap:
    """Greatest minus least among the groups that count, and which they are; None with fewer than two of them."""

    value: float
    best: str
    worst: str


@dataclass(frozen=True)
class Breakdown:
    """One column: row name -> its groups in order, and the gap in each accuracy."""

    column: str
    groups: dict[str, list[Group]]
    gaps: dict[str, dict[str, Gap | None]]
    min_rows: int

    @property
    def values(self) -> list[str]:
        """All groups of all rows, by name; those without a value last."""
        found = {group.value for groups in self.groups.values() for group in groups}
        return sorted(found, key=lambda value: (not value, value.casefold()))


def break_down(
    rows: Sequence[Row], columns: Sequence[str], *, min_rows: int, draws: int, seed: int, level: float
) -> list[Breakdown]:
    """One breakdown for each of `columns`: speaker, fold, label or a column of the manifest that the run kept.

    Raises InputError that names every run without such a column, and what it has instead.
    """
    problems = [problem for column in columns for problem in _without(rows, column)]
    if problems:
        raise InputError("by: columns that the runs do not have", problems)
    found = []
    for column in columns:
        groups = {row.name: _groups(row, column, min_rows, draws, seed, level) for row in rows}
        gaps = {name: {metric: gap(own, metric) for metric in ACCURACIES} for name, own in groups.items()}
        found.append(Breakdown(column, groups, gaps, min_rows))
    return found


def _without(rows: Sequence[Row], column: str) -> list[str]:
    """The runs without a column, those that have the same others on one line."""
    runs: dict[tuple[str, ...], list[str]] = {}
    amount = 0
    for row in rows:
        for run in row.runs:
            amount += 1
            part = run.replicates[0]
            if _name(part, column) is None:
                runs.setdefault(tuple(available(part)), []).append(str(shown(run.folder)))
    problems = []
    for names, folders in runs.items():
        near = difflib.get_close_matches(column, names, n=1, cutoff=0.5)
        where = "" if 1 < amount == len(folders) else f"{', '.join(folders)}: "  # all of them need not be named
        meant = f"; did you mean {near[0]}?" if near else ""
        problems.append(f"{where}no column {column!r}; there is {', '.join(names)}{meant}")
    return problems


def available(part: Replicate) -> list[str]:
    """What a run can be broken down by."""
    names = [name for name in OWN if name in part.frame]
    return names + [name.removeprefix(META) for name in map(str, part.frame) if name.startswith(META)]


def gap(groups: Sequence[Group], metric: str) -> Gap | None:
    """Greatest minus least of `metric` among the groups that count."""
    counted = sorted((group for group in groups if group.counted), key=lambda group: group.metrics[metric].value)
    if len(counted) < 2:
        return None
    worst, best = counted[0], counted[-1]
    return Gap(best.metrics[metric].value - worst.metrics[metric].value, best.value, worst.value)


def _name(part: Replicate, column: str) -> str | None:
    candidates = [column] if column in OWN else []
    return next((name for name in [*candidates, f"{META}{column}"] if name in part.frame), None)


def _groups(row: Row, column: str, min_rows: int, draws: int, seed: int, level: float) -> list[Group]:
    parts: dict[str, list[Scored]] = {}
    for replicate in row.replicates:
        values = replicate.frame[_name(replicate, column)].to_numpy()
        for value in dict.fromkeys(values):
            parts.setdefault(str(value), []).append(replicate.take(np.flatnonzero(values == value)))
    found = [_group(value, own, min_rows, draws, seed, level) for value, own in parts.items()]
    return sorted(found, key=lambda group: (not group.value, group.value.casefold()))


def _group(value: str, parts: Sequence[Scored], min_rows: int, draws: int, seed: int, level: float) -> Group:
    speakers = len({speaker for part in parts for speaker in part.groups or ()} - {None})
    n = len({id for part in parts for id in part.ids})
    values = [evaluate(part) for part in parts]
    intervals = {}
    if speakers >= MIN_SPEAKERS:
        intervals = seed_means({"group": parts}, draws=draws, seed=seed, level=level).intervals("group")
    metrics = {}
    for metric in ACCURACIES:
        series = [entry[metric] for entry in values]
        interval = intervals.get(metric, {"low": None, "high": None})
        deviation = float(np.std(series, ddof=1)) if len(series) > 1 else None
        metrics[metric] = Estimate(float(np.mean(series)), interval["low"], interval["high"], deviation)
    classes = len({int(target) for part in parts for target in part.targets})
    return Group(value, n, speakers, classes, metrics, counted=bool(value) and n >= min_rows)
