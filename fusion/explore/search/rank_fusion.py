"""Several rankings into one, by rank alone: their scores need no common scale."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

RANK_CONSTANT = 60  # the paper's k: how little the very first ranks count above the next ones


def fused_ranks(rankings: Sequence[Sequence[str]], *, constant: int = RANK_CONSTANT) -> dict[str, float]:
    """Id -> Σ 1 / (constant + rank) over the rankings that have it, best first; equal ones as the rankings met them.

    Reciprocal rank fusion: Cormack, Clarke & Büttcher, "Reciprocal Rank Fusion outperforms Condorcet and individual Rank
    Learning Methods", SIGIR 2009, whose constant of 60 is the default.

    >>> list(fused_ranks([["a", "b", "c"], ["b", "d"]]))
    ['b', 'a', 'd', 'c']
    """
    scores: defaultdict[str, float] = defaultdict(float)
    for ranking in rankings:
        for rank, id in enumerate(ranking, start=1):
            scores[id] += 1 / (constant + rank)
    return dict(sorted(scores.items(), key=lambda item: -item[1]))
