"""How much nearer each clip is to its own cluster than to the next, and the k at which that is best."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import pairwise_distances, silhouette_score

from fusion.explore.clusters.partition import NOISE, kmeans
from fusion.explore.clusters.rows import Ints, UnitRows

log = logging.getLogger(__name__)

EXACT = 5_000  # clips; of more, silhouettes are estimated from so many of them, drawn from every cluster
LEAST = 20  # of each cluster, or all that it has
WEAK = 0.25  # Kaufman & Rousseeuw, "Finding Groups in Data", 1990, p. 88: below, no substantial structure
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Choice:
    """k and the mean silhouette at each k that was tried, over `sample` clips."""

    k: int
    tried: dict[int, float]
    sample: int


def silhouettes(rows: UnitRows, labels: Ints, *, seed: int = 0, most: int = EXACT) -> Floats:
    """(rows,) from −1 to 1, NaN for noise. Rousseeuw, "Silhouettes", J. Comp. Appl. Math. 20, 1987, eq. 2.

    Exact for up to `most` clips; for more, mean distances are to the clips that were drawn, a part of the rows at a time.
    """
    reference = _reference(labels, seed, most)
    there = rows.take(reference).astype(np.float64)
    owner = labels[reference]
    member = np.equal.outer(owner, np.arange(labels.max() + 1)).astype(np.float64)  # (reference, clusters)
    counts = member.sum(axis=0)
    drawn = np.zeros(len(rows), bool)
    drawn[reference] = True
    found = np.full(len(rows), np.nan)
    for start, part in rows.parts(1_024):
        here = labels[start : start + len(part)]
        kept = np.flatnonzero(here != NOISE)
        if not len(kept):
            continue
        own, span = here[kept], np.arange(len(kept))
        # a row's distance to itself is 0 and is left out of its own cluster's mean
        distances = pairwise_distances(part[kept].astype(np.float64), there)
        sums = distances @ member
        others = counts[own] - drawn[start + kept]
        inside = np.divide(sums[span, own], others, out=np.zeros(len(kept)), where=others > 0)
        means = sums / counts
        means[span, own] = np.inf
        outside = means.min(axis=1)
        larger = np.maximum(inside, outside)
        value = np.divide(outside - inside, larger, out=np.zeros(len(kept)), where=larger > 0)
        found[start + kept] = np.where(np.bincount(labels[labels != NOISE])[own] > 1, value, 0.0)
    return found


def choose_k(rows: UnitRows, *, most: int, different: int, seed: int, sample: int = EXACT) -> Choice:
    """The k from 2 to `most` whose k-means has the highest mean silhouette, over at most `sample` clips, drawn by `seed`."""
    drawn = rows.drawn(sample, seed)
    vectors = rows.take(drawn)
    distances = pairwise_distances(vectors.astype(np.float64)).astype(np.float32)
    np.fill_diagonal(distances, 0)
    highest = min(most, len(drawn) - 1, different)
    tried: dict[int, float] = {}
    for k in range(2, highest + 1):
        labels = kmeans(vectors, k, seed)
        if 1 < len(np.unique(labels)) < len(drawn):
            tried[k] = float(silhouette_score(distances, labels, metric="precomputed"))
            log.debug("k=%d: silhouette %.3f", k, tried[k])
    return Choice(max(tried, key=lambda k: tried[k]) if tried else 2, tried, len(drawn))


def _reference(labels: Ints, seed: int, most: int) -> Ints:
    """Rows that distances are measured to: all but noise, or about `most` of them, some of every cluster."""
    members = np.flatnonzero(labels != NOISE)
    if len(members) <= most:
        return members
    random = np.random.default_rng(seed)
    chosen = []
    for cluster in range(labels.max() + 1):
        here = np.flatnonzero(labels == cluster)
        wanted = min(len(here), max(LEAST, round(most * len(here) / len(members))))
        chosen.append(random.choice(here, wanted, replace=False))
    return np.sort(np.concatenate(chosen))
