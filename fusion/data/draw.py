"""Draws whole speakers (or groups) into parts, so that every class stands in every part, in about its usual share.

Only labels are looked at, never what any model makes of the rows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

Index = NDArray[np.int64]

DRAWS = 48  # random draws, of which the best is taken
STEPS = 2_000  # random exchanges, only where no draw has every class in every part
ABSENT = 100.0  # cost of a class that is missing from a part; shares cost at most 2 a part


def draw_parts(
    counts: Index, shares: Sequence[float], *, seed: int | Sequence[int], priority: Sequence[float] | None = None
) -> Index:
    """Which part each group goes to, (groups,) int64.

    Args:
        counts: (groups, classes) int64, rows of each class in each group.
        shares: the parts' shares of all rows; they sum to one. No part is left empty.
        seed: another seed, another draw.
        priority: how much a class that is missing from a part matters, per part; all alike unless given.

    >>> counts = np.array([[5, 5]] * 10)
    >>> np.bincount(draw_parts(counts, [0.6, 0.2, 0.2], seed=0))
    array([6, 2, 2])
    """
    groups = len(counts)
    parts = len(shares)
    if groups < parts:
        raise ValueError(f"expected at least {parts} groups, got {groups}")
    random = np.random.default_rng(seed)
    wanted = np.asarray(shares, dtype=float)
    weights = np.ones(parts) if priority is None else np.asarray(priority, dtype=float)
    sizes = counts.sum(axis=1)
    usual = counts.sum(axis=0) / max(1, sizes.sum())

    def cost(table: NDArray[np.int64]) -> float:
        """Of (parts, classes) rows: classes missing, mixtures that differ from the whole, sizes that differ from wanted."""
        rows = table.sum(axis=1)
        missing = ((table == 0) & (usual > 0)).sum(axis=1)
        mixture = np.abs(table / np.maximum(rows, 1)[:, None] - usual).sum(axis=1)
        size = np.abs(rows / max(1, rows.sum()) - wanted) / wanted
        return float(ABSENT * (missing * weights).sum() + mixture.sum() + size.sum())

    best, best_cost = np.zeros(groups, np.int64), np.inf
    for _ in range(DRAWS):
        drawn = _cut(random.permutation(groups), sizes, wanted)
        drawn_cost = cost(_tabulate(drawn, counts, parts))
        if drawn_cost < best_cost:
            best, best_cost = drawn, drawn_cost
    if best_cost >= ABSENT * weights.min():
        best = _mend(best, counts, parts, cost, random, enough=ABSENT * float(weights.min()))
    return best


def _cut(order: Index, sizes: Index, wanted: NDArray[np.float64]) -> Index:
    """Groups in `order` laid end to end and cut where the wanted shares end, at least one group a part."""
    parts = len(wanted)
    ends = np.cumsum(sizes[order])
    goals = np.cumsum(wanted)[:-1] * ends[-1]
    middles = ends - sizes[order] / 2  # a group belongs to the part that holds its middle
    cuts = np.searchsorted(middles, goals)
    for part in range(parts - 1):
        least = (cuts[part - 1] if part else 0) + 1
        cuts[part] = np.clip(cuts[part], least, len(order) - (parts - 1 - part))
    drawn = np.empty(len(order), dtype=np.int64)
    drawn[order] = np.searchsorted(cuts, np.arange(len(order)), side="right")
    return drawn


def _mend(
    drawn: Index,
    counts: Index,
    parts: int,
    cost: Callable[[Index], float],
    random: np.random.Generator,
    *,
    enough: float,
) -> Index:
    """Move or exchange groups at random, keeping what lowers the cost, until it is below `enough`."""
    drawn = drawn.copy()
    table = _tabulate(drawn, counts, parts)
    held = np.bincount(drawn, minlength=parts)
    now = cost(table)
    for _ in range(STEPS):
        if now < enough:
            break
        one, other = random.integers(len(drawn), size=2)
        source, target = drawn[one], drawn[other] if random.random() < 0.5 else random.integers(parts)
        if source == target:
            continue
        exchanged = drawn[other] == target
        trial = table.copy()
        trial[source] -= counts[one]
        trial[target] += counts[one]
        if exchanged:
            trial[target] -= counts[other]
            trial[source] += counts[other]
        elif held[source] == 1:
            continue  # would leave a part without any group
        if (after := cost(trial)) < now:
            table, now = trial, after
            drawn[one] = target
            if exchanged:
                drawn[other] = source
            else:
                held[source] -= 1
                held[target] += 1
    return drawn


def _tabulate(drawn: Index, counts: Index, parts: int) -> Index:
    table = np.zeros((parts, counts.shape[1]), dtype=np.int64)
    np.add.at(table, drawn, counts)
    return table
