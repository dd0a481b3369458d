"""Vectors in the space they are compared in, a part at a time, so that a large store is never held twice."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from extractors.errors import InputError
from extractors.types import Float32
from fusion.explore.space import Space

PART = 8_192  # rows; 32 MB of 1024 float32
Ints = NDArray[np.int64]


class UnitRows:
    """(rows, dim) float32 of unit length, made when they are asked for.

    >>> rows = UnitRows(np.eye(3, dtype=np.float32), Space.fit(np.eye(3, dtype=np.float32), kind="raw", fingerprint=""))
    >>> rows.take(np.array([2])), [start for start, _ in rows.parts()]
    (array([[0., 0., 1.]], dtype=float32), [0])
    """

    def __init__(self, vectors: Float32, space: Space) -> None:
        self.vectors, self.space = vectors, space

    def __len__(self) -> int:
        return len(self.vectors)

    @property
    def dim(self) -> int:
        return int(self.vectors.shape[1])

    def take(self, index: Ints) -> Float32:
        """(len(index), dim)."""
        return self.space.transform(self.vectors[index])

    def parts(self, size: int = PART) -> Iterator[tuple[int, Float32]]:
        """The first row's number and (at most `size`, dim) rows."""
        for start in range(0, len(self), size):
            yield start, self.space.transform(self.vectors[start : start + size])

    def whole(self) -> Float32:
        """(rows, dim), all at once."""
        found = np.empty(self.vectors.shape, np.float32)
        for start, part in self.parts():
            found[start : start + len(part)] = part
        return found

    def drawn(self, most: int, seed: int) -> Ints:
        """All rows' numbers, or `most` of them drawn by `seed`, in order."""
        if len(self) <= most:
            return np.arange(len(self))
        return np.sort(np.random.default_rng(seed).choice(len(self), most, replace=False))


def check_vectors(vectors: Float32, least: int, why: str) -> int:
    """How many different vectors there are. InputError for fewer than `least`, or values that are no numbers."""
    rows = len(vectors)
    if rows < least:
        raise InputError(f"{why} at least {least} clips; there {'is' if rows == 1 else 'are'} {rows}")
    broken = [row for row in range(rows) if not np.isfinite(vectors[row]).all()]
    if broken:
        raise InputError(
            f"{len(broken)} of {rows:,} vectors hold values that are no numbers, the first in row {broken[0]}"
        )
    different = len({blake2b(row.tobytes(), digest_size=16).digest() for row in np.ascontiguousarray(vectors)})
    if different == 1:
        raise InputError(
            f"all {rows:,} vectors are the same: there is nothing to tell apart",
            hint="Was the same file embedded again and again, or are all clips silent?",
        )
    if different < least:
        raise InputError(f"{why} at least {least} different clips; of {rows:,} vectors only {different} differ")
    return different
