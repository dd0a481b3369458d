"""One against many: which clips are most like this one. Exact, every clip is looked at."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from extractors.errors import InputError
from extractors.types import Float32
from fusion.explore.collection import Collection
from fusion.explore.similar.contents import Mask, Rows
from fusion.explore.space import Space

ROWS_AT_ONCE = 8192


@dataclass(frozen=True)
class Nearest:
    """rows : (k,) int64, most alike first; cosines : (k,) float32."""

    rows: Rows
    cosines: Float32

    def __len__(self) -> int:
        return len(self.rows)


def nearest(
    vector: Float32, collection: Collection, space: Space, *, k: int = 10, without: Mask | None = None
) -> Nearest:
    """The `k` clips of the collection with the highest cosine to `vector` (dim,) in `space`; fewer where there are fewer.

    `without` (rows,) bool: not these; equal cosines stay in the collection's order. Raises InputError for a `k` that is
    no count, or a vector of another width.

    >>> import pandas as pd
    >>> from fusion.explore.collection import Maker
    >>> clips = Collection(("x", "y", "z"), np.eye(3, dtype=np.float32), pd.DataFrame(), Maker("m", "speech", 3, "f"))
    >>> found = nearest(np.array([0, 1, 0.5], np.float32), clips, Space.fit(clips.vectors, kind="raw", fingerprint="f"), k=2)
    >>> [clips.ids[row] for row in found.rows]
    ['y', 'z']
    """
    if isinstance(k, bool) or not isinstance(k, int) or k < 1:
        raise InputError(f"k: expected how many clips, at least 1, got {k!r}")
    values = cosines_to(vector, collection.vectors, space)
    kept = np.arange(len(values)) if without is None else np.flatnonzero(~without)
    if k < len(kept):
        edge = np.partition(values[kept], len(kept) - k)[len(kept) - k]
        kept = kept[values[kept] >= edge]  # all that share the last place, for the order to decide
    order = np.argsort(-values[kept], kind="stable")[:k]
    return Nearest(kept[order].astype(np.int64), values[kept][order])


def cosines_to(vector: Float32, vectors: Float32, space: Space) -> Float32:
    """(rows,) float32 cosines of `vector` (dim,) to (rows, dim) `vectors`; a few thousand moved at a time."""
    asked = space.transform(vector)
    found = np.empty(len(vectors), np.float32)
    for start in range(0, len(vectors), ROWS_AT_ONCE):
        part = slice(start, start + ROWS_AT_ONCE)
        found[part] = space.transform(vectors[part]) @ asked
    return np.clip(found, -1.0, 1.0)
