"""Labels that are distributions: what several annotators said of a row, or how sure one of them was.

In a table a cell of `label` is a name, or one of

    angry:0.6|sad:0.4       a weight each (shares or counts), scaled to sum to one
    angry|angry|sad         one vote each

A column holds distributions if one of its cells says so beyond doubt: `|` between parts that all end in `:number`;
or `|` between names of which at least one occurs another time too: twice in the cell, in another vote, or alone. In such
a column `|` and `:` are syntax in every cell, and a cell that breaks it is a problem. In any other column they are
letters of a name: `session:1`, `happy|excited` (if neither `happy` nor `excited` is a label of its own).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fusion.data.problems import Problems

Shares = dict[str, float]

NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")
NO_NUMBERS = ("nan", "inf", "infinity")  # what a program writes where it should have written a number


class DistributionError(ValueError):
    """A cell that cannot be read. `kind` is the problem as it fits many rows, the message as it fits this one."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


@dataclass(frozen=True)
class LabelColumn:
    """A column of labels, by its distinct cells.

    codes  : (rows,) int64, the cell of each row; -1 where it is missing
    shares : of each cell, name -> share above zero; they sum to one. Empty where the cell is faulty.
    soft   : whether any cell is a distribution; if not, each has one name with the share 1
    faults : number of a cell -> what is wrong with it

    >>> column = read_labels(pd.Series(["angry:3|sad:1", "sad", None]))
    >>> column.shares, column.codes.tolist(), column.first_names().tolist()[:2]
    ([{'angry': 0.75, 'sad': 0.25}, {'sad': 1.0}], [0, 1, -1], ['angry', 'sad'])
    """

    codes: NDArray[np.int64]
    shares: list[Shares]
    soft: bool
    faults: dict[int, DistributionError]

    @property
    def names(self) -> list[str]:
        """Every name that has a share in any row, sorted."""
        return sorted({name for cell in self.shares for name in cell})

    def rows_with(self, name: str) -> int:
        """Rows in which `name` has a share."""
        holding = np.array([name in cell for cell in self.shares], dtype=bool)
        return int(holding[self.codes[self.codes >= 0]].sum())

    def matrix(self, labels: Sequence[str]) -> NDArray[np.float64]:
        """(rows, classes): the shares of `labels`, which must hold every name; zeros where a row has no label."""
        place = {name: number for number, name in enumerate(labels)}
        cells = np.zeros((len(self.shares) + 1, len(labels)))  # the last one for rows of no label, whose code is -1
        for number, cell in enumerate(self.shares):
            for name, share in cell.items():
                cells[number, place[name]] = share
        return cells[self.codes]

    def first_names(self, order: Sequence[str] | None = None) -> pd.Series:
        """(rows,) the likeliest name of each row, of equals the first in `order`; missing where there is none."""
        place = {name: number for number, name in enumerate(self.names if order is None else order)}
        first = [min(cell, key=lambda name: (-cell[name], place[name])) if cell else None for cell in self.shares]
        return pd.Series(pd.array([*first, None], dtype="str").take(self.codes))

    @property
    def divided(self) -> int:
        """Rows in which more than one name has a share."""
        return self._rows(lambda cell: len(cell) > 1)

    @property
    def ties(self) -> int:
        """Rows in which no single name is the likeliest."""
        return self._rows(lambda cell: list(cell.values()).count(max(cell.values(), default=0.0)) > 1)

    def tell(self, problems: Problems) -> None:
        """Note every row whose cell cannot be read."""
        for kind in dict.fromkeys(fault.kind for fault in self.faults.values()):
            cells = [number for number, fault in self.faults.items() if fault.kind == kind]
            problems.add_rows(
                kind, np.isin(self.codes, cells), lambda position: f"label {self.faults[int(self.codes[position])]}"
            )

    def _rows(self, which: Any) -> int:
        held = np.array([which(cell) for cell in self.shares], dtype=bool)
        return int(held[self.codes[self.codes >= 0]].sum())


def read_labels(names: pd.Series) -> LabelColumn:
    """A column of names or distributions, decided by the column as a whole: see the head of this file."""
    codes, uniques = pd.factorize(names)
    cells = [str(cell) for cell in uniques]
    if not _holds_distributions(cells):
        return LabelColumn(codes.astype(np.int64), [{cell: 1.0} for cell in cells], False, {})
    shares: list[Shares] = []
    faults: dict[int, DistributionError] = {}
    for number, cell in enumerate(cells):
        try:
            shares.append(parse(cell))
        except DistributionError as fault:
            shares.append({})
            faults[number] = fault
    return LabelColumn(codes.astype(np.int64), shares, True, faults)


def parse(cell: str) -> Shares:
    """One cell of a column that holds distributions. Raises DistributionError where it breaks the syntax.

    >>> parse("angry:3 | sad:1"), parse("angry|sad|angry|angry"), parse("sad"), parse("sad:4")
    ({'angry': 0.75, 'sad': 0.25}, {'angry': 0.75, 'sad': 0.25}, {'sad': 1.0}, {'sad': 1.0})
    """
    parts = [part.strip() for part in cell.split("|")]
    if not all(parts):
        raise DistributionError("a distribution with an empty part", f"{cell!r} has an empty part; expected a name")
    if not any(":" in part for part in parts):
        return shares_of(Counter(parts), cell)
    if not all(":" in part for part in parts):
        expected = "name:weight in every part, or names alone"
        raise DistributionError("a distribution that is half weights, half votes", f"is {cell!r}; expected {expected}")
    weights: dict[str, float] = {}
    for part in parts:
        name, _, number = (piece.strip() for piece in part.rpartition(":"))
        if not name:
            raise DistributionError("a weight without a name", f"{cell!r} has a weight without a name")
        if not NUMBER.fullmatch(number):
            message = f"{cell!r}: the weight of {name!r} is {number!r}; expected a number"
            raise DistributionError("a weight that is no number", message)
        if name in weights:
            raise DistributionError("a name that stands twice", f"{cell!r} has {name!r} twice")
        weights[name] = float(number)
    return shares_of(weights, cell)


def shares_of(weights: Mapping[str, float], shown: object) -> Shares:
    """Weights scaled to sum to one, without those that are zero. Raises DistributionError; `shown` stands in it."""
    for name, weight in weights.items():
        if not isfinite(weight):
            message = f"{shown!r}: the weight of {name!r} is {weight}; expected a number"
            raise DistributionError("a weight that is no number", message)
        if weight < 0:
            message = f"{shown!r}: the weight of {name!r} is negative"
            raise DistributionError("a negative weight", message)
    largest = max(weights.values(), default=0.0)
    if largest == 0:
        raise DistributionError("weights that sum to zero", f"{shown!r}: the weights sum to zero")
    scaled = {name: weight / largest for name, weight in weights.items()}  # so that no sum overflows
    total = sum(scaled.values())
    return {name: weight / total for name, weight in scaled.items() if weight > 0}


def as_cell(value: Mapping[str, Any] | Sequence[Any]) -> str:
    """The cell that says what a JSON object of weights, or a list of votes, says. Raises DistributionError.

    >>> as_cell({"angry": 3, "sad": 1}), as_cell(["angry", "sad", "angry"]), as_cell(["sad"])
    ('angry:3|sad:1', 'angry:2|sad:1', 'sad')
    """
    if isinstance(value, Mapping):
        weights = {str(name).strip(): weight for name, weight in value.items()}
        for name, weight in weights.items():
            if isinstance(weight, bool) or not isinstance(weight, int | float):
                message = f"{value!r}: the weight of {name!r} is {weight!r}; expected a number"
                raise DistributionError("a weight that is no number", message)
    else:
        if not all(isinstance(vote, str) for vote in value):
            raise DistributionError("a vote that is no name", f"{value!r}: expected names")
        weights = Counter(vote.strip() for vote in value)
    if len(weights) < len(value) and isinstance(value, Mapping):
        raise DistributionError("a name that stands twice", f"{value!r} has a name twice")
    if wrong := [name for name in weights if not name or "|" in name or ":" in name]:
        expected = "a name without '|' and ':'"
        raise DistributionError("a name that no distribution can hold", f"{value!r}: {wrong[0]!r}; expected {expected}")
    shares = shares_of(weights, value)
    if len(shares) == 1:
        return next(iter(shares))  # a plain name is read rightly in any column
    return "|".join(f"{name}:{weights[name]!r}" for name in shares)


def _holds_distributions(cells: Sequence[str]) -> bool:
    marked = [cell for cell in cells if "|" in cell]
    if any(_is_weighted(cell) for cell in marked):
        return True
    votes = [parts for cell in marked if all(parts := [part.strip() for part in cell.split("|")]) and ":" not in cell]
    if any(len(set(parts)) < len(parts) for parts in votes):
        return True
    times = Counter(name for parts in votes for name in parts)
    times.update(cell for cell in cells if "|" not in cell)
    return any(times[name] > 1 for parts in votes for name in parts)


def _is_weighted(cell: str) -> bool:
    """Whether all parts end in what was meant for a number, be it negative or "nan"."""
    parts = [part.rpartition(":") for part in cell.split("|")]
    return all(name.strip() and mark and _meant_for_a_number(tail.strip()) for name, mark, tail in parts)


def _meant_for_a_number(tail: str) -> bool:
    return NUMBER.fullmatch(tail) is not None or tail.lower().lstrip("+-") in NO_NUMBERS
