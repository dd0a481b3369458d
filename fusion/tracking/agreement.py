"""Whether two runs of one recipe came out alike: figure by figure, and row by row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

Verdict = Literal["exact", "within tolerance", "differs", "gone", "new"]

# what never repeats, or says how rather than what
ASIDE = {"seconds", "versions", "run"}
CSV_ROUNDING = 1.01e-9  # predictions.csv has nine digits, the last of which may be rounded either way
KEYS = ("id", "fold", "seed")


@dataclass(frozen=True)
class Figure:
    """A leaf of results.json in both runs: a number, or a fact such as the verdict."""

    name: str
    then: Any
    now: Any
    verdict: Verdict

    @property
    def difference(self) -> float | None:
        both = (self.then, self.now)
        return self.now - self.then if all(isinstance(v, int | float) for v in both) else None


@dataclass(frozen=True)
class Rows:
    """predictions.csv of both runs. `changed`: rows with another label; `largest`: of all differences of probabilities."""

    rows: int
    only_then: int
    only_now: int
    changed: int
    largest: float

    def agree(self, tolerance: float) -> bool:
        return not (self.only_then or self.only_now or self.changed) and self.largest <= tolerance + CSV_ROUNDING


def compare_figures(then: Mapping[str, Any], now: Mapping[str, Any], tolerance: float) -> list[Figure]:
    """Every leaf of two results.json but times and versions. A figure that only the new run has is no disagreement.

    >>> [figure.verdict for figure in compare_figures({"a": 0.5, "b": [1, 2]}, {"a": 0.5, "b": [1, 2.1]}, 1e-6)]
    ['exact', 'exact', 'differs']
    """
    before, after = _leaves(then), _leaves(now)
    names = [*before, *(name for name in after if name not in before)]
    return [Figure(name, before.get(name), after.get(name), _verdict(name, before, after, tolerance)) for name in names]


def counts(figures: Sequence[Figure]) -> dict[str, int]:
    """Verdict -> how many figures have it."""
    return dict(Counter(figure.verdict for figure in figures))


def compare_rows(then: Path, now: Path) -> Rows:
    """Two predictions.csv, a row matched by its id, fold and seed."""
    before, after = (pd.read_csv(path, dtype=str, keep_default_na=False) for path in (then, now))  # a class may be NA
    keys = [key for key in KEYS if key in before and key in after]
    columns = [str(name) for name in before if name in after]
    joined = before.merge(after, on=keys, how="outer", suffixes=("", "_now"), indicator="_in")
    both = joined[joined["_in"] == "both"]
    probabilities = [name for name in columns if name.startswith("p_")]
    distances = [
        np.abs(pd.to_numeric(both[name], errors="coerce") - pd.to_numeric(both[f"{name}_now"], errors="coerce")).max()
        for name in probabilities
        if len(both)
    ]
    largest = max(map(float, distances), default=0.0)
    named = [name for name in columns if name == "prediction" or name.endswith("_prediction")]
    other = np.zeros(len(both), dtype=bool)
    for name in named:
        other |= (both[name] != both[f"{name}_now"]).to_numpy()
    return Rows(
        rows=len(both),
        only_then=int((joined["_in"] == "left_only").sum()),
        only_now=int((joined["_in"] == "right_only").sum()),
        changed=int(other.sum()),
        largest=0.0 if np.isnan(largest) else largest,
    )


def _leaves(tree: Any, prefix: str = "") -> dict[str, Any]:
    if isinstance(tree, Mapping):
        children: Any = [(str(key), child) for key, child in tree.items() if key not in ASIDE]
    elif isinstance(tree, list):
        children = [(str(number), child) for number, child in enumerate(tree)]
    else:
        return {prefix.rstrip("."): tree}
    return {name: leaf for key, child in children for name, leaf in _leaves(child, f"{prefix}{key}.").items()}


def _verdict(name: str, before: Mapping[str, Any], after: Mapping[str, Any], tolerance: float) -> Verdict:
    if name not in after:
        return "gone"
    if name not in before:
        return "new"
    then, now = before[name], after[name]
    if then == now:
        return "exact"
    numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in (then, now))
    return "within tolerance" if numbers and abs(now - then) <= tolerance else "differs"
