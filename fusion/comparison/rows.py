"""Rows of the table: runs that differ by their seed only are one, with mean and deviation over seeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fusion.comparison.resample import seed_means
from fusion.comparison.run import METRICS, Replicate, Run, shown
from fusion.comparison.settings import row_names
from fusion.evaluation.results import mean_and_deviation
from fusion.evaluation.tables import leaked


@dataclass(frozen=True)
class Estimate:
    """One metric of one row.

    value     : of the one seed, or the mean over seeds
    low, high : bootstrap interval over speakers of that value, None where there is none
    sd        : sample standard deviation over seeds (n - 1), None for one seed; has nothing to do with the interval
    """

    value: float
    low: float | None
    high: float | None
    sd: float | None


@dataclass(frozen=True, eq=False)
class Row:
    """One line of the table: a run, or several that differ by their seed only.

    metrics  : by name
    interval : how the intervals came about: level, unit, units, draws, note
    """

    name: str
    runs: tuple[Run, ...]
    replicates: tuple[Replicate, ...]
    metrics: dict[str, Estimate]
    interval: dict[str, Any]

    @property
    def seeds(self) -> tuple[int, ...]:
        return tuple(replicate.seed for replicate in self.replicates)

    @property
    def ids(self) -> set[str]:
        """The utterances that any seed tested."""
        return {id for replicate in self.replicates for id in replicate.scored.ids}

    @property
    def speakers(self) -> int:
        return len({group for replicate in self.replicates for group in replicate.scored.groups or ()} - {None})

    @property
    def parameters(self) -> int | None:
        """Of one model; those of the first seed, should they differ."""
        return next((run.parameters for run in self.runs if run.parameters), None)

    @property
    def seconds(self) -> float | None:
        """Training time of one seed over all its folds, the mean over seeds."""
        told = [run.seconds for run in self.runs for _ in run.seeds]
        known = [seconds for seconds in told if seconds is not None]
        return float(np.mean(known)) if len(known) == len(told) else None

    @property
    def leaked(self) -> bool:
        """Whether any of its runs let a leak pass."""
        return any(leaked({"overlap": None, "allow_leakage": False} | run.results) for run in self.runs)

    @property
    def data(self) -> str:
        """What was trained and tested on, as the run calls it."""
        run = self.runs[0]
        name = run.settings.choices.get("data") or (run.results.get("run") or {}).get("data") or ""
        path = run.settings.values.get("data.path", "").rsplit("/", 1)[-1]
        return f"{name} ({path})" if name in ("manifest", "features") and path else name

    @property
    def split(self) -> str:
        return str(self.runs[0].results.get("split") or "")

    @property
    def same_rows_each_seed(self) -> bool:
        """False where the seed also divided the data."""
        return len({replicate.tested for replicate in self.replicates}) == 1


def build_rows(runs: Sequence[Run], *, draws: int, seed: int, level: float) -> tuple[list[Row], list[str]]:
    """The rows in the order in which they first appear among `runs`, and notes on what was not grouped and why."""
    groups: dict[object, list[Run]] = {}
    for run in runs:
        groups.setdefault(run.settings.key, []).append(run)
    sets: list[list[Run]] = []
    notes = []
    for group in groups.values():
        seeds = [seed for run in group for seed in run.seeds]
        if len(set(seeds)) == len(seeds):
            sets.append(sorted(group, key=lambda run: run.seeds))
            continue
        sets += [[run] for run in group]
        twice = sorted({seed for seed in seeds if seeds.count(seed) > 1})
        notes.append(
            f"{', '.join(shown(run.folder) for run in group)} have the same settings and share seed "
            f"{', '.join(map(str, twice))}: they stand apart, for a run repeated says nothing of other seeds."
        )
    names = row_names([group[0].settings for group in sets], [shown(group[0].folder) for group in sets])
    return [_row(name, group, draws, seed, level) for name, group in zip(names, sets, strict=True)], notes


def _row(name: str, runs: Sequence[Run], draws: int, seed: int, level: float) -> Row:
    replicates = tuple(sorted((part for run in runs for part in run.replicates), key=lambda part: part.seed))
    if len(replicates) == 1:
        [run] = runs  # its own intervals, so that a figure is the same wherever it stands
        return Row(name, tuple(runs), replicates, _own(run), dict(run.results["interval"]))
    found = seed_means({"row": [part.scored for part in replicates]}, draws=draws, seed=seed, level=level)
    intervals = found.intervals("row")
    metrics = {}
    for metric in METRICS:
        over_seeds = mean_and_deviation([part.value[metric] for part in replicates])
        interval = intervals[metric]
        metrics[metric] = Estimate(
            float(over_seeds["mean"] or 0.0), interval["low"], interval["high"], over_seeds["std_sample"]
        )
    units = found.units
    how = {"level": level, "unit": units.kind, "units": units.total, "draws": draws, "note": units.note}
    return Row(name, tuple(runs), replicates, metrics, how)


def _own(run: Run) -> dict[str, Estimate]:
    entries = {metric: run.test[metric] for metric in METRICS}
    return {name: Estimate(float(e["value"]), e["low"], e["high"], None) for name, e in entries.items()}
