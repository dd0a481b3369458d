"""One division of a table into training, validation and test rows, and the groups that it may not tear apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from extractors.errors import InputError
from fusion.data.draw import draw_parts
from fusion.data.table import FeatureTable
from fusion.data.transcripts import transcript_codes

Index = NDArray[np.int64]

# a class missing from training is worse than any number missing from the others, from validation it is mildest
TRAIN_FIRST = (10_000.0, 100.0, 1.0)


@dataclass(frozen=True)
class Fold:
    """Rows of a table, ascending and disjoint; `notes` say what a reader of the results should know of the division."""

    name: str
    train: Index
    val: Index
    test: Index
    notes: tuple[str, ...] = ()


class Split(Protocol):
    """Every split: a table in, folds out. More than one fold means cross-validation, its test rows pooled."""

    def split(self, table: FeatureTable) -> list[Fold]: ...


@dataclass(frozen=True)
class Groups:
    """The labelled rows of a table, each in one group.

    rows   : (n,) int64, rows of the table
    codes  : (n,) int64, the group of each
    names  : group names, indexed by the codes
    counts : (groups, classes) int64, rows of each class in each group
    """

    rows: Index
    codes: Index
    names: tuple[str, ...]
    counts: Index

    def __len__(self) -> int:
        return len(self.names)

    def take(self, kept: NDArray[np.bool_]) -> Groups:
        """Only the groups where `kept`, (groups,) bool, is true."""
        rows = kept[self.codes]
        number = np.cumsum(kept) - 1
        names = tuple(name for name, keep in zip(self.names, kept, strict=True) if keep)
        return Groups(self.rows[rows], number[self.codes[rows]], names, self.counts[kept])

    def draw_sides(self, shares: Sequence[float], seed: int | Sequence[int]) -> Index:
        """The side of each group, (groups,) int64: 0 trains; then two others, or one. Training lacks a class last."""
        return draw_parts(self.counts, shares, seed=seed, priority=TRAIN_FIRST[: len(shares)])

    def draw_folds(self, folds: int, seed: int) -> Index:
        """The fold of each group, (groups,) int64, folds of like size and mixture."""
        return draw_parts(self.counts, [1 / folds] * folds, seed=seed)

    def rows_of(self, groups: NDArray[np.bool_]) -> Index:
        """Rows of the table in the groups where `groups`, (groups,) bool, is true; ascending."""
        return self.rows[groups[self.codes]]


def labelled(table: FeatureTable) -> Index:
    """Rows that have a label: the others can neither teach nor test."""
    return np.flatnonzero(table.targets >= 0)


def known(table: FeatureTable, column: str) -> bool:
    """Whether any row of the table says its `column`."""
    return column in table.rows and bool(table.rows[column].notna().any())


def groups_by(table: FeatureTable, column: str, rows: Index, *, hint: str) -> Groups:
    """`rows` grouped by a column of the table. Raises InputError, with `hint`, where a row does not say its group."""
    if not known(table, column):
        raise InputError(f"this split needs to know each row's {column}, and the table has none", hint=hint)
    values = table.rows[column].iloc[rows]
    silent = values.isna().to_numpy()
    if silent.any():
        ids = table.rows["id"].iloc[rows[silent][:5]].tolist()
        some = ", ".join(map(str, ids)) + (", …" if silent.sum() > 5 else "")
        raise InputError(f"{int(silent.sum()):,} of {len(rows):,} rows have no {column}: {some}", hint=hint)
    return _grouped(table, rows, values)


def groups_by_words(table: FeatureTable, rows: Index) -> Groups:
    """`rows` grouped by what is said, so that no sentence stands on two sides; a row without words is a group of its own."""
    codes = transcript_codes(table.rows["text"].iloc[rows])
    silent = codes < 0
    codes[silent] = codes.max(initial=-1) + 1 + np.arange(silent.sum())
    return _grouped(table, rows, pd.Series(codes.astype(str)))


def require_every_class(table: FeatureTable, groups: Groups, what: str) -> None:
    """Raise InputError where all of a class stands in one group: no disjoint split can both train and test it."""
    holders = (groups.counts > 0).sum(axis=0)  # (classes,)
    problems = [f"no row has the label {table.labels[label]!r}" for label in np.flatnonzero(holders == 0)]
    for label in np.flatnonzero(holders == 1):
        holder = groups.names[int(np.argmax(groups.counts[:, label] > 0))]
        problems.append(f"every {table.labels[label]!r} row is of {what} {holder!r}")
    if problems:
        raise InputError(
            f"no split can keep a {what} on one side and have every class on both",
            problems,
            f"Bring rows of that class from another {what}, leave the class out, or say by hand which rows test "
            "(split=column, allow_leakage=true).",
        )


def require_groups(groups: Groups, least: int, what: str, why: str) -> None:
    if len(groups) < least:
        raise InputError(
            f"expected at least {least} {what}s ({why}), got {len(groups)}: {', '.join(groups.names)}",
            hint=f"With fewer, nothing can be said of a new {what}. split=random divides by rows, and says so.",
        )


def finished(table: FeatureTable, name: str, train: Index, val: Index, test: Index, notes: Sequence[str] = ()) -> Fold:
    """A fold with its rows in order. Raises InputError where training lacks a class; notes what the others lack."""
    lacking = {part: _missing(table, rows) for part, rows in (("training", train), ("validation", val), ("test", test))}
    if lacking["training"]:
        raise InputError(
            f"fold {name!r} would train without the class {_quoted(lacking['training'])}",
            hint="Its rows stand in too few speakers or groups. Another seed may divide them, more speakers will.",
        )
    told = [f"{part} has no {_quoted(classes)}" for part, classes in lacking.items() if classes]
    return Fold(name, np.sort(train), np.sort(val), np.sort(test), (*notes, *told))


def share(name: str, value: float) -> float:
    """`value` where it is a share of the rows, strictly between 0 and 1. Raises InputError where not."""
    if not 0 < float(value) < 1:
        raise InputError(f"{name} is a share of the rows: expected a number between 0 and 1, got {value}")
    return float(value)


def _grouped(table: FeatureTable, rows: Index, values: pd.Series) -> Groups:
    codes, names = pd.factorize(values, sort=True)
    counts = np.zeros((len(names), len(table.labels)), dtype=np.int64)
    np.add.at(counts, (codes, table.targets[rows]), 1)
    return Groups(rows, codes.astype(np.int64), tuple(map(str, names)), counts)


def _missing(table: FeatureTable, rows: Index) -> list[str]:
    there = np.bincount(table.targets[rows], minlength=len(table.labels)) > 0
    return [label for label, found in zip(table.labels, there, strict=True) if not found]


def _quoted(names: Sequence[str]) -> str:
    return ", ".join(map(repr, names))
