"""The ordered list of classes: decided here, once, and carried along from there.

A label may be a distribution (`fusion.data.soft_labels`). The row then counts for its likeliest class wherever one class
is asked for: splits, class counts, accuracy.
"""

from __future__ import annotations

import logging
import unicodedata
from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from extractors.errors import InputError
from fusion.data.problems import Numbering, Problems
from fusion.data.soft_labels import LabelColumn, read_labels

log = logging.getLogger(__name__)

SHOWN_LABELS = 20

Labels = pd.Series | LabelColumn  # a column of names and distributions as text, or what was read from one


def label_problems(
    names: Labels, problems: Problems, *, complete: bool = True, order: Sequence[str] | None = None
) -> None:
    """Note labels that cannot be read, and a column that nothing can be learned from: one class, or classes of one example.

    Where the column is not `complete`, as some of its rows could not be read, nothing is said of how often a label occurs.
    `order` decides between equal shares, as in `encode_labels`.
    """
    column = _column(names)
    column.tell(problems)
    if not complete or column.faults:
        return
    first = column.first_names(order)
    counts = first.value_counts()
    if len(counts) == 1:
        every = "the likeliest label of every row" if column.soft else "every label"
        problems.of_file.append(f"only one class: {every} is {counts.index[0]!r}; expected two or more")
    elif len(counts) == 0:
        problems.of_file.append("no row has a label; expected two classes or more")
    else:
        alone = first.isin(counts.index[counts == 1]).to_numpy()
        problems.add_rows(
            "a label with only one example",
            alone,
            lambda position: f"label {first.iloc[position]!r} has only one example; expected two or more",
        )
        problems.of_file += [
            f"label {name!r} has a share in {column.rows_with(name):,} rows and is the likeliest of none; expected two "
            "or more: merge it with another, or take it out of these rows"
            for name in column.names
            if name not in counts.index
        ]
        _warn_of_twins(column.names)


def tell_of_distributions(names: Labels, source: str) -> None:
    """One line of log where labels are distributions: how many are divided, and how many have no likeliest class."""
    column = _column(names)
    if column.soft:
        log.info(
            "%s: labels are distributions: %s of %s rows are divided between labels, of which %s have no single likeliest; "
            "these count for the first of their likeliest in the order of the labels",
            source,
            f"{column.divided:,}",
            f"{len(column.codes):,}",
            f"{column.ties:,}",
        )


def encode_labels(names: Labels, labels: Sequence[str] | None = None) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Class numbers, (rows,) int64 with -1 where there is no label, and the ordered list that they index.

    Of a distribution, the number of the likeliest class; of equals, the first in the list. `labels` decides the order;
    without it, the names are sorted.
    Raises InputError where `labels` names a class twice, one without rows, or not all that occur, and where a
    distribution cannot be read.

    >>> encode_labels(pd.Series(["calm", None, "angry"]))
    (array([ 1, -1,  0]), ('angry', 'calm'))
    >>> encode_labels(pd.Series(["calm", "angry"]), ["calm", "angry"])
    (array([0, 1]), ('calm', 'angry'))
    >>> encode_labels(pd.Series(["calm:3|angry:1", "calm|angry", "angry"]))
    (array([1, 0, 0]), ('angry', 'calm'))
    """
    column = _readable(names)
    found = column.names
    ordered = tuple(found) if labels is None else tuple(map(str, labels))
    if labels is not None:
        twice = [name for name in dict.fromkeys(ordered) if ordered.count(name) > 1]
        problems = [f"{name!r} is listed {ordered.count(name)} times" for name in twice]
        problems += [f"no row has the label {name!r}" for name in ordered if name not in found]
        problems += [
            f"{column.rows_with(name):,} rows have the label {name!r}" for name in found if name not in ordered
        ]
        if problems:
            shown = ", ".join(found[:SHOWN_LABELS]) + (", …" if len(found) > SHOWN_LABELS else "")
            raise InputError("the labels that were asked for are not those of the table", problems, f"It has: {shown}")
    if column.soft:
        targets: NDArray[np.int64] = column.matrix(ordered).argmax(axis=1)  # the first of equals
    else:
        place = {name: number for number, name in enumerate(ordered)}
        targets = np.array([place[name] for cell in column.shares for name in cell] + [-1], np.int64)[column.codes]
    return np.where(column.codes < 0, -1, targets), ordered


def soft_targets(names: Labels, labels: Sequence[str]) -> NDArray[np.float32] | None:
    """(rows, classes) float32, the share of each of `labels` in each row; zeros where there is no label.

    `labels` as `encode_labels` returns them. None where no label is a distribution: the classes say it all.

    >>> soft_targets(pd.Series(["calm:3|angry:1", "angry"]), ("angry", "calm")).tolist()
    [[0.25, 0.75], [1.0, 0.0]]
    """
    column = _readable(names)
    return column.matrix(labels).astype(np.float32) if column.soft else None


def _column(names: Labels) -> LabelColumn:
    return names if isinstance(names, LabelColumn) else read_labels(names)


def _readable(names: Labels) -> LabelColumn:
    column = _column(names)
    if column.faults:
        problems = Problems()
        column.tell(problems)
        raise InputError("labels that cannot be read", problems.tell(Numbering(np.arange(1, len(column.codes) + 1))))
    return column


def _warn_of_twins(names: list[str]) -> None:
    """'Angry' and 'angry' are two classes here; most likely nobody meant that."""
    seen: dict[str, str] = {}
    for name in sorted(names):
        plain = unicodedata.normalize("NFKC", name).casefold()
        if plain in seen:
            log.warning("The labels %r and %r are two classes. If one is meant, write it one way.", seen[plain], name)
        seen.setdefault(plain, name)
