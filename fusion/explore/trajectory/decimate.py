"""Fewer points for a picture than there are rows, and how many went into each said beside it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from extractors.types import Float32
from fusion.explore.trajectory.result import Float64


class Buckets(NamedTuple):
    """rows: in a bucket; means, lows, highs (buckets, columns), NaN where nothing in a bucket is known."""

    rows: int
    means: Float64
    lows: Float64
    highs: Float64


def bucketed(values: Float32 | Float64, most: int) -> Buckets:
    """`values` (rows, columns), NaN in gaps, as at most `most` buckets of equally many rows: mean, least and most of what is
    known in each. A gap shorter than a bucket is thus not drawn; a mean never takes a gap for a zero.

    >>> found = bucketed(np.array([[1.0], [3.0], [np.nan], [np.nan], [5.0]]), 3)
    >>> found.rows, found.means.ravel().tolist(), found.highs.ravel().tolist()
    (2, [2.0, nan, 5.0], [3.0, nan, 5.0])
    """
    size = max(1, -(-len(values) // most))
    if size == 1:
        same = np.asarray(values, np.float64)
        return Buckets(1, same, same, same)
    whole = -(-len(values) // size)
    padded = np.full((whole * size, values.shape[1]), np.nan)
    padded[: len(values)] = values
    cubes = padded.reshape(whole, size, -1)
    known = np.isfinite(cubes)
    many = known.sum(axis=1)
    there = many > 0
    means = np.where(known, cubes, 0.0).sum(axis=1) / np.maximum(many, 1)
    lows = np.where(known, cubes, np.inf).min(axis=1)
    highs = np.where(known, cubes, -np.inf).max(axis=1)
    return Buckets(size, *(np.where(there, part, np.nan) for part in (means, lows, highs)))


def steps_of(values: Float64, width: float) -> tuple[Float64, Float64]:
    """(x, y) of a line through buckets of `width` seconds that breaks at gaps: each bucket holds its value for its whole time.

    values (buckets, columns) -> x (points,), y (points, columns), with a NaN after each stretch

    >>> x, y = steps_of(np.array([[1.0], [np.nan], [2.0]]), 0.5)
    >>> x.tolist(), y.ravel().tolist()
    ([0.0, 0.5, 0.5, 1.0, 1.5, 1.5], [1.0, 1.0, nan, 2.0, 2.0, nan])
    """
    known = np.isfinite(values[:, 0])
    last = known & ~np.append(known[1:], False)
    repeat = np.where(known, np.where(last, 3, 1), 0)  # its beginning; at a stretch's end also its end, and a break
    place = np.repeat(np.arange(len(values)), repeat)
    copy = np.arange(len(place)) - np.repeat(np.cumsum(repeat) - repeat, repeat)
    x = (place + np.minimum(copy, 1)) * width
    y = np.where((copy == 2)[:, None], np.nan, values[place])
    return x, y
