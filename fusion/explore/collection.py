"""Vectors with what is known of each: what every verb of this package reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from extractors.errors import InputError
from extractors.types import Float32


@dataclass(frozen=True, slots=True)
class Maker:
    """What made some vectors. Two vectors may be compared only if their makers' fingerprints are equal.

    name        : for people: "emotion2vec_plus_large", "fused by my-model"
    fingerprint : hex digest of all that changes the numbers; of imported files, of the model that they are said to be of
    """

    name: str
    modality: str
    dim: int
    fingerprint: str

    def check_same(self, other: Maker) -> None:
        """Raise InputError where vectors of the two mean different things."""
        if self.fingerprint != other.fingerprint:
            raise InputError(
                "vectors of different models are never compared",
                [f"{maker.name}: {maker.dim} dims, fingerprint {maker.fingerprint[:16]}" for maker in (self, other)],
                hint="Make both with the same encoder and the same settings.",
            )


@dataclass(frozen=True)
class Collection:
    """Rows of vectors and their metadata, in one order.

    ids      : (rows,) names, unique
    vectors  : (rows, dim) float32
    metadata : DataFrame of rows; `audio, text, label, speaker, start, end` (None where missing) and the manifest's others
    keys     : (rows,) store keys; empty where the vectors are in no store
    scores   : (rows, classes) float32 of the encoder itself, NaN where a row has none; None where it does not classify
    score_labels : (classes,)

    >>> maker = Maker("mean", "speech", 2, "a1")
    >>> both = Collection(("x", "y"), np.eye(2, dtype=np.float32), pd.DataFrame({"label": ["sad", None]}), maker)
    >>> len(both), both.labelled().ids
    (2, ('x',))
    """

    ids: tuple[str, ...]
    vectors: Float32
    metadata: pd.DataFrame
    maker: Maker
    keys: tuple[str, ...] = ()
    scores: Float32 | None = None
    score_labels: tuple[str, ...] = field(default=())

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, index: Sequence[int] | NDArray[Any]) -> Collection:
        """The rows of `index` (numbers, or a mask), in that order."""
        rows = np.asarray(index)
        rows = np.flatnonzero(rows) if rows.dtype == bool else rows.astype(np.int64)
        return replace(
            self,
            ids=tuple(self.ids[row] for row in rows),
            vectors=self.vectors[rows],
            metadata=self.metadata.iloc[rows].reset_index(drop=True),
            keys=tuple(self.keys[row] for row in rows) if self.keys else (),
            scores=None if self.scores is None else self.scores[rows],
        )

    def column(self, name: str) -> list[Any]:
        """(rows,) values of a column of the metadata, None where missing or where there is no such column."""
        if name not in self.metadata:
            return [None] * len(self)
        values = self.metadata[name]
        return [None if missing else value for value, missing in zip(values, values.isna(), strict=True)]

    def labelled(self) -> Collection:
        """The rows that have a label."""
        return self.take(np.array([label is not None for label in self.column("label")], dtype=bool))

    def row_of(self, id: str) -> int | None:
        """The row called `id`, or None."""
        try:
            return self.ids.index(id)
        except ValueError:
            return None


def check_unique(ids: Sequence[str]) -> None:
    """Raise InputError where rows share a name."""
    if len(set(ids)) < len(ids):
        seen = pd.Series(list(ids))
        twice = seen[seen.duplicated()].unique().tolist()
        raise InputError(f"{len(twice)} ids are there more than once: {', '.join(map(str, twice[:5]))}")


def metadata_of(frame: pd.DataFrame) -> pd.DataFrame:
    """A manifest's columns as plain objects, None where they are missing."""
    columns: Mapping[str, pd.Series] = {
        str(name): values.astype(object).where(values.notna(), None) for name, values in frame.items()
    }
    return pd.DataFrame(columns).reset_index(drop=True)
