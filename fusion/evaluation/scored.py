"""What one system said of the test rows: the only thing that evaluation looks at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isnan

import numpy as np
from numpy.typing import NDArray

from extractors.errors import EmofuseError

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

SUM_TOLERANCE = 1e-3  # a row of float32 probabilities may miss one by this much; it is then scaled to one
ROUNDING = 1e-9  # what float64 may miss it by; such rows stay as they are, bit for bit


@dataclass(frozen=True, eq=False)
class Scored:
    """One system's outputs on test rows. All fields share the order of the rows.

    ids            : (rows,) str
    targets        : (rows,) int64, the true classes
    probabilities  : (rows, classes) float64, after temperature scaling
    uncalibrated   : (rows, classes) float64, before it
    groups         : (rows,) speaker of each row, None where unknown
    folds          : (rows,) name of the fold that tested the row
    seeds          : (rows,) seed of the fit that tested the row
    uncertain      : (rows,) bool, the row fell below its fold's confidence threshold; None if there is none

    Lists are taken as well as arrays. Raises ValueError where shapes or values cannot be, and EmofuseError where
    probabilities are not finite, which is what a diverged training leaves behind.

    >>> one = Scored(ids=["a"], targets=[1], probabilities=[[0.2, 0.8]], uncalibrated=[[0.1, 0.9]])
    >>> two = Scored(ids=["b"], targets=[0], probabilities=[[0.4, 0.6]], uncalibrated=[[0.3, 0.7]], folds=["second"])
    >>> both = Scored.concatenate([one, two])
    >>> both.predictions, both.confidence, both.folds
    (array([1, 1]), array([0.8, 0.6]), ('test', 'second'))
    """

    ids: Sequence[str]
    targets: Ints
    probabilities: Floats
    uncalibrated: Floats
    groups: Sequence[str | None] | None = None
    folds: Sequence[str] | None = None
    seeds: Sequence[int] | None = None
    uncertain: Bools | None = None

    def __post_init__(self) -> None:
        rows = len(self.ids)
        if not rows:
            raise ValueError("expected at least one test row, got none")
        probabilities = _probabilities(self.probabilities, rows, "probabilities")
        groups = self.groups if self.groups is not None else (None,) * rows
        folds = self.folds if self.folds is not None else ("test",) * rows
        seeds = self.seeds if self.seeds is not None else (0,) * rows
        values = {
            "ids": tuple(map(str, self.ids)),
            "targets": np.asarray(self.targets, dtype=np.int64),
            "probabilities": probabilities,
            "uncalibrated": _probabilities(self.uncalibrated, rows, "uncalibrated probabilities"),
            "groups": tuple(None if _missing(group) else str(group) for group in groups),
            "folds": tuple(map(str, folds)),
            "seeds": tuple(map(int, seeds)),
            "uncertain": None if self.uncertain is None else np.asarray(self.uncertain, dtype=np.bool_),
        }
        for name, value in values.items():
            if value is not None and len(value) != rows:
                raise ValueError(f"expected {rows} rows of {name}, got {len(value)}")
            object.__setattr__(self, name, value)  # frozen: this is the one place that writes
        if self.uncalibrated.shape != probabilities.shape:
            raise ValueError(f"expected uncalibrated of {probabilities.shape}, got {self.uncalibrated.shape}")
        if self.targets.min() < 0 or self.targets.max() >= self.classes:
            raise ValueError(
                f"expected targets in 0..{self.classes - 1}, got {self.targets.min()}..{self.targets.max()}"
            )

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def classes(self) -> int:
        return int(self.probabilities.shape[1])

    @property
    def predictions(self) -> Ints:
        """(rows,) the class of highest probability; the first of equals."""
        return self.probabilities.argmax(axis=1)

    @property
    def confidence(self) -> Floats:
        """(rows,) calibrated probability of the predicted class."""
        return self.probabilities.max(axis=1)

    @property
    def correct(self) -> Bools:
        """(rows,) whether the predicted class is the true one."""
        return self.predictions == self.targets

    @property
    def speakers(self) -> int:
        """How many different speakers were tested; rows without a speaker count for none."""
        return len(set(self.groups or ()) - {None})

    @property
    def fold_names(self) -> tuple[str, ...]:
        """The folds in the order they first appear."""
        return tuple(dict.fromkeys(self.folds or ()))

    @property
    def utterances(self) -> int:
        """How many different rows of the table were tested; several folds or seeds may have judged the same one."""
        return len(set(self.ids))

    @property
    def seed_values(self) -> tuple[int, ...]:
        """The seeds in the order they first appear."""
        return tuple(dict.fromkeys(self.seeds or ()))

    def in_fold(self, name: str) -> Scored:
        """The rows that one fold tested."""
        return self.take(np.flatnonzero(np.array([fold == name for fold in self.folds or ()])))

    def of_seed(self, seed: int) -> Scored:
        """The rows as the fits of one seed judged them."""
        return self.take(np.flatnonzero(np.array(self.seeds) == seed))

    def take(self, index: Ints) -> Scored:
        """The rows of `index`, in that order."""
        assert self.groups is not None  # filled on construction, as are the folds
        assert self.folds is not None
        assert self.seeds is not None
        return Scored(
            ids=[self.ids[row] for row in index],
            targets=self.targets[index],
            probabilities=self.probabilities[index],
            uncalibrated=self.uncalibrated[index],
            groups=[self.groups[row] for row in index],
            folds=[self.folds[row] for row in index],
            seeds=[self.seeds[row] for row in index],
            uncertain=None if self.uncertain is None else self.uncertain[index],
        )

    @classmethod
    def concatenate(cls, parts: Sequence[Scored]) -> Scored:
        """The folds of a cross-validation, and its seeds, as one. `uncertain` is kept only if every part has it."""
        marks = [part.uncertain for part in parts if part.uncertain is not None]
        return cls(
            ids=[id for part in parts for id in part.ids],
            targets=np.concatenate([part.targets for part in parts]),
            probabilities=np.concatenate([part.probabilities for part in parts]),
            uncalibrated=np.concatenate([part.uncalibrated for part in parts]),
            groups=[group for part in parts for group in part.groups or ()],
            folds=[fold for part in parts for fold in part.folds or ()],
            seeds=[seed for part in parts for seed in part.seeds or ()],
            uncertain=np.concatenate(marks) if len(marks) == len(parts) else None,
        )


def _probabilities(values: Floats, rows: int, name: str) -> Floats:
    table = np.asarray(values, dtype=np.float64)
    if table.ndim != 2 or table.shape[1] < 2 or len(table) != rows:
        raise ValueError(f"expected {name} of shape ({rows}, classes >= 2), got {table.shape}")
    broken = int((~np.isfinite(table)).any(axis=1).sum())
    if broken:
        raise EmofuseError(
            f"{name} of {broken:,} of {rows:,} test rows are not finite numbers: the training diverged. "
            "Lower the learning rate, or look for features of absurd scale."
        )
    sums = table.sum(axis=1, keepdims=True)
    if table.min() < 0 or np.abs(sums - 1).max() > SUM_TOLERANCE:
        raise ValueError(
            f"expected {name} >= 0 that sum to one, got a minimum of {table.min()} and sums up to {sums.max()}"
        )
    return np.where(np.abs(sums - 1) > ROUNDING, table / sums, table)


def _missing(group: object) -> bool:
    return group is None or (isinstance(group, float) and isnan(group)) or str(group) in ("", "<NA>")  # as pandas.NA
