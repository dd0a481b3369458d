"""What a cosine is measured against: cosines between many pairs that nobody chose."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from extractors.types import Float32
from fusion.explore.similar.contents import Contents, Rows
from fusion.explore.space import Space

PAIRS = 20_000  # a percentile of that many has a standard error of at most 0.35 points
ROWS_AT_ONCE = 4096  # vectors moved into the space at a time


@dataclass(frozen=True)
class Reference:
    """Values of pairs to compare another with.

    what     : which pairs, for people: "random pairs", "pairs of anger"
    values   : (n,) float32, ascending; empty where there is no such pair
    possible : how many such pairs there are in all, same content counted in; `n` below that means a sample
    """

    what: str
    values: Float32
    possible: int

    def __len__(self) -> int:
        return len(self.values)

    @property
    def sampled(self) -> bool:
        """Drawn from all that there are, rather than all of them."""
        return len(self.values) > 0 and self.possible > len(self.values)

    def percentile(self, value: float) -> float:
        """Share of the values below `value`, equal ones counted half, in percent; NaN without values.

        >>> Reference("pairs", np.array([0.1, 0.2, 0.2, 0.4], np.float32), 4).percentile(0.2)
        50.0
        """
        return float(self.percentiles(np.array([value]))[0])

    def percentiles(self, values: NDArray[np.floating]) -> NDArray[np.float64]:
        """`percentile` of each of (values,)."""
        if not len(self.values):
            return np.full(len(values), np.nan)
        asked = np.asarray(values, np.float32)
        below = np.searchsorted(self.values, asked, side="left")
        upto = np.searchsorted(self.values, asked, side="right")
        return 50.0 * (below + upto) / len(self.values)

    def quantile(self, share: float) -> float:
        """The value that `share` of the pairs stay below; NaN without values."""
        return float(np.quantile(self.values, share)) if len(self.values) else float("nan")


def reference(
    what: str,
    groups: Sequence[Rows],
    vectors: Float32,
    space: Space,
    *,
    contents: Contents,
    pairs: int = PAIRS,
    seed: int = 0,
) -> Reference:
    """Cosines of pairs whose two rows are of one of the `groups` of rows; every pair of different rows is as likely.

    All of them where there are at most `pairs`, else that many drawn with replacement; pairs of the same content are
    then taken out.
    """
    sizes = np.array([len(group) for group in groups], dtype=np.int64)
    of_each = sizes * (sizes - 1) // 2
    possible = int(of_each.sum())
    if possible <= pairs:
        parts = [np.triu_indices(len(group), k=1) for group in groups]
        first = [group[one] for group, (one, _) in zip(groups, parts, strict=True)]
        second = [group[two] for group, (_, two) in zip(groups, parts, strict=True)]
    else:
        first, second = _drawn(groups, of_each, pairs, np.random.default_rng(seed))
    one = np.concatenate([*first, np.zeros(0, np.int64)]).astype(np.int64)
    two = np.concatenate([*second, np.zeros(0, np.int64)]).astype(np.int64)
    apart = ~contents.same(one, two)
    values = pair_cosines(vectors, one[apart], two[apart], space)
    return Reference(what, np.sort(values), possible)


def pair_cosines(vectors: Float32, first: Rows, second: Rows, space: Space) -> Float32:
    """(pairs,) float32 cosines in `space` of the rows `first` and `second` of (rows, dim) `vectors`, in bounded memory."""
    if len(vectors) <= ROWS_AT_ONCE:
        unit = space.transform(vectors)
        return _dots(unit, first, second)
    found = np.empty(len(first), np.float32)
    step = ROWS_AT_ONCE // 2
    for start in range(0, len(first), step):
        part = slice(start, start + step)
        used, place = np.unique(np.concatenate([first[part], second[part]]), return_inverse=True)
        one, two = np.split(place, 2)
        found[part] = _dots(space.transform(vectors[used]), one, two)
    return found


def _dots(unit: Float32, first: Rows, second: Rows) -> Float32:
    found = np.empty(len(first), np.float32)
    for start in range(0, len(first), ROWS_AT_ONCE):
        part = slice(start, start + ROWS_AT_ONCE)
        found[part] = np.einsum("ij,ij->i", unit[first[part]], unit[second[part]])
    return np.clip(found, -1.0, 1.0)  # rounding may leave a cosine a hair outside


def _drawn(
    groups: Sequence[Rows], of_each: Rows, pairs: int, random: np.random.Generator
) -> tuple[list[Rows], list[Rows]]:
    """`pairs` pairs, a group as often as it has pairs, both rows different and of that group."""
    counts = random.multinomial(pairs, of_each / of_each.sum())
    first, second = [], []
    for group, count in zip(groups, counts, strict=True):
        if not count:
            continue
        one = random.integers(0, len(group), count)
        two = (one + random.integers(1, len(group), count)) % len(group)  # any but `one`
        first.append(group[one])
        second.append(group[two])
    return first, second
