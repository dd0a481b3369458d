"""Would other clips of the same kind have given the same clusters? Refitted to parts, and compared."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.metrics import adjusted_rand_score

from fusion.explore.clusters.partition import NOISE, hdbscan, kmeans
from fusion.explore.clusters.rows import Ints, UnitRows
from fusion.explore.clusters.settings import Settings


@dataclass(frozen=True)
class Stability:
    """Agreement of refits with the clusters, over the clips that were refitted.

    rand      : (resamples,) adjusted Rand indices (Hubert & Arabie, "Comparing partitions", 1985): 1 the same, 0 chance
    jaccard   : (clusters,) mean overlap with the refit's best match (Hennig, "Cluster-wise assessment of cluster
                stability", CSDA 52, 2007): from 0.75 stable, below 0.6 not to be trusted; NaN where none was drawn
    clips     : how many were drawn from
    share     : of them in each resample
    """

    rand: tuple[float, ...]
    jaccard: tuple[float, ...]
    clips: int
    share: float

    @property
    def mean(self) -> float:
        return float(np.mean(self.rand))

    @property
    def interval(self) -> tuple[float, float]:
        """The middle 95 % of the resamples."""
        low, high = np.quantile(self.rand, [0.025, 0.975])
        return float(low), float(high)

    def as_dict(self) -> dict[str, Any]:
        """JSON-able."""
        return {
            "what": f"adjusted Rand index of {len(self.rand)} refits to {self.share:.0%} of {self.clips:,} clips, drawn "
            "without replacement; the interval is the middle 95 % of them; noise counts as a group of its own",
            "mean": self.mean,
            "low": self.interval[0],
            "high": self.interval[1],
            "resamples": list(self.rand),
            "clips": self.clips,
            "share": self.share,
        }


def stability(rows: UnitRows, labels: Ints, settings: Settings) -> Stability | None:
    """None where no resamples are asked for. Seeded: the same clips give the same answer."""
    asked = settings.stability
    if not asked.resamples:
        return None
    drawn = rows.drawn(asked.most, settings.seed + 1)
    vectors, known = rows.take(drawn), labels[drawn]
    clusters = int(labels.max()) + 1
    least = clusters if settings.method == "kmeans" else 2
    size = min(max(least, round(asked.share * len(drawn))), len(drawn))
    random = np.random.default_rng(settings.seed)
    rand, overlaps = [], []
    for _ in range(asked.resamples):
        part = np.sort(random.choice(len(drawn), size, replace=False))
        seed = int(random.integers(2**31))
        if settings.method == "kmeans":
            again = kmeans(vectors[part], clusters, seed)
        else:
            again = hdbscan(
                vectors[part], settings.hdbscan, seed=seed, share=size / len(rows.drawn(settings.hdbscan.most, 0))
            )[0]
        rand.append(float(adjusted_rand_score(known[part], again)))
        overlaps.append(_overlaps(known[part], again, clusters))
    stacked = np.array(overlaps)
    seen = ~np.isnan(stacked)
    means = np.where(seen.any(axis=0), np.nansum(stacked, axis=0) / np.maximum(seen.sum(axis=0), 1), np.nan)
    return Stability(tuple(rand), tuple(means.tolist()), len(drawn), asked.share)


def _overlaps(known: Ints, again: Ints, clusters: int) -> list[float]:
    """Of each cluster, the best Jaccard index with one of the refit's; NaN where none of it was drawn."""
    found = []
    others = [again == other for other in np.unique(again[again != NOISE])]
    for cluster in range(clusters):
        here = known == cluster
        if not here.any():
            found.append(float("nan"))
            continue
        found.append(max((float((here & other).sum() / (here | other).sum()) for other in others), default=0.0))
    return found
