"""The ordered list of classes: decided here, once, and carried along from there."""

from __future__ import annotations

import logging
import unicodedata
from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from extractors.errors import InputError
from fusion.data.problems import Problems

log = logging.getLogger(__name__)

SHOWN_LABELS = 20


def label_problems(names: pd.Series, problems: Problems) -> None:
    """Note a column of labels that nothing can be learned from: one class, or classes of one example."""
    counts = names.value_counts()
    if len(counts) == 1:
        problems.of_file.append(f"only one class: every label is {counts.index[0]!r}; expected two or more")
    elif len(counts) == 0:
        problems.of_file.append("no row has a label; expected two classes or more")
    else:
        alone = names.isin(counts.index[counts == 1]).to_numpy()
        problems.add_rows(
            "a label with only one example",
            alone,
            lambda position: f"label {names.iloc[position]!r} has only one example; expected two or more",
        )
        _warn_of_twins([str(name) for name in counts.index])


def encode_labels(names: pd.Series, labels: Sequence[str] | None = None) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Class numbers, (rows,) int64 with -1 where there is no label, and the ordered list that they index.

    `labels` decides the order; without it, the names are sorted.
    Raises InputError where `labels` names a class twice, one without rows, or not all that occur.

    >>> encode_labels(pd.Series(["calm", None, "angry"]))
    (array([ 1, -1,  0]), ('angry', 'calm'))
    >>> encode_labels(pd.Series(["calm", "angry"]), ["calm", "angry"])
    (array([0, 1]), ('calm', 'angry'))
    """
    found = sorted(map(str, names.dropna().unique()))
    ordered = tuple(found) if labels is None else tuple(map(str, labels))
    if labels is not None:
        twice = [name for name in dict.fromkeys(ordered) if ordered.count(name) > 1]
        problems = [f"{name!r} is listed {ordered.count(name)} times" for name in twice]
        problems += [f"no row has the label {name!r}" for name in ordered if name not in found]
        problems += [f"{(names == name).sum():,} rows have the label {name!r}" for name in found if name not in ordered]
        if problems:
            shown = ", ".join(found[:SHOWN_LABELS]) + (", …" if len(found) > SHOWN_LABELS else "")
            raise InputError("the labels that were asked for are not those of the table", problems, f"It has: {shown}")
    codes = pd.Categorical(names, categories=list(ordered)).codes
    return codes.astype(np.int64), ordered


def _warn_of_twins(names: list[str]) -> None:
    """'Angry' and 'angry' are two classes here; most likely nobody meant that."""
    seen: dict[str, str] = {}
    for name in sorted(names):
        plain = unicodedata.normalize("NFKC", name).casefold()
        if plain in seen:
            log.warning("The labels %r and %r are two classes. If one is meant, write it one way.", seen[plain], name)
        seen.setdefault(plain, name)
