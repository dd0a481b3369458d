"""Which rows hold the same content: a copy under another name says nothing of how alike two clips are."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from extractors.types import Float32
from fusion.explore.collection import Collection

Rows = NDArray[np.int64]
Mask = NDArray[np.bool_]
ROWS_AT_ONCE = 4096


class Contents:
    """Rows are of the same content where their vectors are equal bit for bit (the same bytes of audio, the same words), or
    where they are spans of one recording that overlap.

    A recording that was encoded anew (an MP3 beside its WAV) has other bytes and another vector: nobody can tell.

    >>> from fusion.explore.collection import Maker
    >>> spans = pd.DataFrame({"audio": ["x.wav", "x.wav", "y.wav"], "start": [0.0, 1.0, 0.0], "end": [2.0, 3.0, 2.0]})
    >>> clips = Collection(("a", "b", "c"), np.eye(3, dtype=np.float32), spans, Maker("m", "speech", 3, "f"))
    >>> Contents(clips).same(np.array([0, 0]), np.array([1, 2])).tolist()
    [True, False]
    """

    def __init__(self, collection: Collection) -> None:
        self.vectors = collection.vectors
        # −1 where there is no audio
        self.audio = pd.factorize(np.array(collection.column("audio"), dtype=object))[0].astype(np.int64)
        self.start = np.array([value or 0.0 for value in collection.column("start")], np.float64)
        self.end = np.array([np.inf if value is None else value for value in collection.column("end")], np.float64)

    def same(self, first: Rows, second: Rows) -> Mask:
        """(pairs,) bool of the rows `first` (pairs,) and `second` (pairs,)."""
        one_file = (self.audio[first] == self.audio[second]) & (self.audio[first] >= 0)
        overlap = (self.start[first] < self.end[second]) & (self.start[second] < self.end[first])
        found = one_file & overlap
        for start in range(0, len(first), ROWS_AT_ONCE):
            part = slice(start, start + ROWS_AT_ONCE)
            found[part] |= (self.vectors[first[part]] == self.vectors[second[part]]).all(axis=1)
        return found

    def of_row(self, row: int) -> Mask:
        """(rows,) bool: which hold what `row` holds, itself among them."""
        everyone = np.arange(len(self.vectors))
        return self.same(np.full(len(everyone), row), everyone)

    def of_rows(self, rows: Rows) -> Mask:
        """(some, all rows) bool of `rows` (some,): `of_row` of each."""
        found = self._codes[rows, None] == self._codes
        heard = self.audio[rows] >= 0
        if (self.audio >= 0).any():
            one_file = (self.audio[rows, None] == self.audio) & heard[:, None]
            found |= one_file & (self.start[rows, None] < self.end) & (self.start < self.end[rows, None])
        return found

    @cached_property
    def _codes(self) -> Rows:
        """(rows,) equal where the vectors are; 64 bits tell a few ten thousand apart."""
        return np.array([hash(vector.tobytes()) for vector in self.vectors], dtype=np.int64)


def equal_to(vectors: Float32, vector: Float32) -> Mask:
    """(rows,) bool: which of `vectors` (rows, dim) are `vector` (dim,), bit for bit."""
    found = np.empty(len(vectors), bool)
    for start in range(0, len(vectors), ROWS_AT_ONCE):
        part = slice(start, start + ROWS_AT_ONCE)
        found[part] = (vectors[part] == vector).all(axis=1)
    return found
