"""What was found: the clusters, each clip's place among them, and how much of it to believe."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from fusion.explore.clusters.flat import FlatMap
from fusion.explore.clusters.partition import Partition
from fusion.explore.clusters.settings import Settings
from fusion.explore.clusters.silhouette import Choice, Floats
from fusion.explore.clusters.stability import Stability
from fusion.explore.collection import Collection


@dataclass(frozen=True)
class Cluster:
    """One group of clips.

    number     : from 1, the largest first
    nearest    : rows nearest to its mean, the first its medoid (by squared distances, the one nearest to all others)
    silhouette : mean of its clips
    jaccard    : as `Stability.jaccard`
    scores     : class -> mean of the encoder's own scores, over the clips that have any
    labels     : label -> clips, of those whose label is known, the most common first
    words      : (word, weight)
    """

    number: int
    clips: int
    share: float
    nearest: tuple[int, ...]
    silhouette: float
    jaccard: float | None
    scores: dict[str, float] = field(default_factory=dict)
    labels: dict[str, int] = field(default_factory=dict)
    words: tuple[tuple[str, float], ...] = ()

    @property
    def labelled(self) -> int:
        return sum(self.labels.values())

    @property
    def purity(self) -> float | None:
        """Share of the most common label among the clips whose label is known."""
        return max(self.labels.values()) / self.labelled if self.labels else None


@dataclass(frozen=True)
class Clusters:
    """
    agreement : "label", "speaker" -> adjusted mutual information of it with the clusters: 0 by chance, 1 the same
    profiles  : as `speaker_profiles`
    """

    collection: Collection
    space: str
    settings: Settings
    partition: Partition
    mini_batch: bool
    choice: Choice | None
    silhouettes: Floats
    distances: Floats
    stability: Stability | None
    map: FlatMap
    clusters: tuple[Cluster, ...]
    profiles: pd.DataFrame
    agreement: dict[str, float]

    def __len__(self) -> int:
        return len(self.clusters)

    @property
    def numbers(self) -> Any:
        """(rows,) each clip's cluster from 1, −1 for noise."""
        return np.where(self.partition.labels < 0, -1, self.partition.labels + 1)

    @property
    def noise(self) -> int:
        """Clips of no cluster."""
        return int((self.partition.labels < 0).sum())

    @property
    def silhouette(self) -> float:
        """Mean of all clips in clusters."""
        return float(np.nanmean(self.silhouettes))

    @property
    def purity(self) -> float | None:
        """Share of the labelled clips, noise left out, that have the most common label of their cluster."""
        labelled = sum(cluster.labelled for cluster in self.clusters)
        return sum(max(c.labels.values()) for c in self.clusters if c.labels) / labelled if labelled else None

    @property
    def assignments(self) -> pd.DataFrame:
        """A row a clip: id, cluster, distance to the cluster's mean, silhouette, x, y."""
        return pd.DataFrame(
            {
                "id": list(self.collection.ids),
                "cluster": self.numbers,
                "distance": self.distances,
                "silhouette": self.silhouettes,
                "x": self.map.points[:, 0].astype(np.float64),
                "y": self.map.points[:, 1].astype(np.float64),
            }
        )
