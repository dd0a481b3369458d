"""Labels that are an array of shares: one row a clip, one column a class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fusion.data.labels import label_problems
from fusion.data.problems import Problems
from fusion.data.soft_labels import LabelColumn

LabelNames = Mapping[Any, str] | Sequence[str]


def are_shares(array: NDArray[Any] | None) -> bool:
    """Whether an array of labels is one of shares: numbers in two columns or more.

    >>> are_shares(np.ones((4, 2))), are_shares(np.ones((4, 1))), are_shares(np.array([0, 1]))
    (True, False, False)
    """
    return array is not None and array.ndim == 2 and array.shape[1] > 1 and array.dtype.kind in "fiu"


def read_shares(
    array: NDArray[Any],
    names: LabelNames | NDArray[Any] | None,
    problems: Problems,
    *,
    require_label: bool = True,
) -> tuple[LabelColumn, list[str]]:
    """What `array` (rows, classes) says of each row, and the names with a share in any row, in their order.

    Rows are scaled to sum to one; a row of NaN has no label. What cannot be is noted in `problems`: too few or equal
    names, rows that hold a negative number, infinity, NaN in part, or nothing but zeros.

    >>> column, order = read_shares(np.array([[3, 1, 0], [0, 2, 0], [1, 1, 0], [0, 5, 0]]), ["a", "b", "c"], Problems())
    >>> column.shares[0], order, column.ties
    ({'a': 0.75, 'b': 0.25}, ['a', 'b'], 1)
    """
    values = array.astype(np.float64)
    absent = np.asarray(np.isnan(values).all(axis=1))  # (rows,)
    values[absent] = 0.0
    finite = np.asarray(np.isfinite(values).all(axis=1))
    negative = finite & np.asarray((values < 0).any(axis=1))
    silent = finite & ~absent & ~negative & np.asarray((values == 0).all(axis=1))
    problems.add_rows("`label` holds NaN or infinity in part", ~finite)
    problems.add_rows("`label` holds a negative weight", negative)
    problems.add_rows("`label` holds weights that sum to zero", silent)
    columns = _column_names(names, array.shape[1], problems)
    usable = finite & ~negative & ~silent & ~absent
    values[~usable] = 0.0
    largest = values.max(axis=1, initial=0.0, keepdims=True)
    scaled = values / np.where(largest > 0, largest, 1.0)  # so that no sum overflows
    shares = scaled / np.maximum(scaled.sum(axis=1, keepdims=True), 1.0)  # the largest of a usable row is 1
    codes = np.where(absent, -1, np.arange(len(values)))
    # plain lists: a million rows of numpy's own numbers take many times as long
    cells = [{name: share for name, share in zip(columns, row, strict=True) if share > 0} for row in shares.tolist()]
    column = LabelColumn(codes, cells, True, {})
    there = np.asarray(values.any(axis=0)).tolist()
    if require_label:
        problems.add_rows("no label", absent)
        if usable[~absent].all() and not problems.of_file:
            label_problems(column, problems, order=columns)
    return column, [name for name, found in zip(columns, there, strict=True) if found]


def _column_names(names: LabelNames | NDArray[Any] | None, count: int, problems: Problems) -> list[str]:
    """One name a column; numbers where there are none to be had, which is a problem."""
    numbers = [str(number) for number in range(count)]
    if names is None:
        problems.of_file.append(f"`label` has {count} columns: label_names must name them")
        return numbers
    if isinstance(names, Mapping):
        given = {str(key): str(name) for key, name in names.items()}
        if unnamed := [number for number in numbers if number not in given]:
            problems.of_file.append(f"label_names has no name for {', '.join(unnamed)}")
            return numbers
        listed = [given[number] for number in numbers]
    else:
        listed = [name.decode() if isinstance(name, bytes) else str(name).strip() for name in list(names)]
    if len(listed) != count:
        problems.of_file.append(f"`label` has {count} columns, and label_names {len(listed)} names")
        return numbers
    if twice := [name for name in dict.fromkeys(listed) if listed.count(name) > 1]:
        problems.of_file.append(f"label_names: {', '.join(map(repr, twice))} stands for several columns")
        return numbers
    return listed
