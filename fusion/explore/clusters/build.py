"""From a collection to its clusters."""

from __future__ import annotations

import logging
from collections import Counter

import numpy as np
from sklearn.metrics import adjusted_mutual_info_score

from fusion.explore.clusters.flat import check_map, flat_map
from fusion.explore.clusters.partition import NOISE, Partition, by_density, by_kmeans
from fusion.explore.clusters.profiles import speaker_profiles
from fusion.explore.clusters.result import Cluster, Clusters
from fusion.explore.clusters.rows import UnitRows, check_vectors
from fusion.explore.clusters.settings import Settings
from fusion.explore.clusters.silhouette import Choice, Floats, choose_k, silhouettes
from fusion.explore.clusters.stability import stability
from fusion.explore.clusters.words import cluster_words
from fusion.explore.collection import Collection
from fusion.explore.space import Space

log = logging.getLogger(__name__)


def find_clusters(collection: Collection, space: Space, settings: Settings | None = None) -> Clusters:
    """Groups of clips that are near each other in `space`, and what is known of each. Seeded by `settings.seed`.

    Raises InputError for fewer (different) clips than clusters, vectors that are all the same, or nothing but noise;
    MissingExtraError for a UMAP that is not installed.

    >>> import pandas as pd
    >>> from fusion.explore.collection import Maker
    >>> rng = np.random.default_rng(0)
    >>> vectors = np.repeat(4 * np.eye(3, 8), 20, axis=0) + rng.normal(size=(60, 8))
    >>> about = pd.DataFrame({"label": ["angry"] * 20 + ["happy"] * 20 + ["sad"] * 20})
    >>> clips = Collection(tuple(map(str, range(60))), vectors.astype(np.float32), about, Maker("m", "speech", 8, "a1"))
    >>> found = find_clusters(clips, Space.fit(clips.vectors, fingerprint="a1"))
    >>> len(found), found.purity, [cluster.labels for cluster in found.clusters][0]
    (3, 1.0, {'angry': 20})
    """
    settings = settings or Settings()
    check_map(settings.map)
    least = settings.k if isinstance(settings.k, int) else 3
    what = f"{settings.k} clusters need" if isinstance(settings.k, int) else "clusters need"
    different = check_vectors(collection.vectors, least, what)
    rows = UnitRows(collection.vectors, space)
    batches = settings.method == "kmeans" and settings.in_batches(len(rows))
    partition, choice = _partition(rows, settings, different, batches)
    values = silhouettes(rows, partition.labels, seed=settings.seed)
    log.info("%d clusters; how firm they are …", len(partition.centres))
    firm = stability(rows, partition.labels, settings)
    distances, nearest = _distances(rows, partition, settings.nearest)
    return Clusters(
        collection=collection,
        space=space.name,
        settings=settings,
        partition=partition,
        mini_batch=batches,
        choice=choice,
        silhouettes=values,
        distances=distances,
        stability=firm,
        map=flat_map(rows, settings.map, seed=settings.seed),
        clusters=_described(collection, partition, values, nearest, firm.jaccard if firm else None, settings.words),
        profiles=speaker_profiles(collection.column("speaker"), partition.labels),
        agreement=_agreement(collection, partition),
    )


def _partition(rows: UnitRows, settings: Settings, different: int, batches: bool) -> tuple[Partition, Choice | None]:
    if settings.method == "hdbscan":
        return by_density(rows, settings.hdbscan, seed=settings.seed), None
    choice = None
    if isinstance(settings.k, int):
        k = settings.k
    else:
        log.info("k from 2 to %d, by silhouette …", settings.k_most)
        choice = choose_k(rows, most=settings.k_most, different=different, seed=settings.seed)
        k = choice.k
    return by_kmeans(rows, k, mini_batch=batches, seed=settings.seed), choice


def _distances(rows: UnitRows, partition: Partition, many: int) -> tuple[Floats, list[tuple[int, ...]]]:
    """(rows,) Euclidean distance to the own cluster's mean, NaN for noise; and of each cluster the `many` nearest rows."""
    found = np.full(len(rows), np.nan)
    for start, part in rows.parts():
        here = partition.labels[start : start + len(part)]
        kept = here != NOISE
        found[start : start + len(part)][kept] = np.linalg.norm(part[kept] - partition.centres[here[kept]], axis=1)
    nearest = []
    for cluster in range(len(partition.centres)):
        members = np.flatnonzero(partition.labels == cluster)
        order = members[np.argsort(found[members], kind="stable")[:many]]
        nearest.append(tuple(int(row) for row in order))
    return found, nearest


def _described(
    collection: Collection,
    partition: Partition,
    values: Floats,
    nearest: list[tuple[int, ...]],
    jaccard: tuple[float, ...] | None,
    words: int,
) -> tuple[Cluster, ...]:
    labels = collection.column("label")
    said = cluster_words(collection.column("text"), partition.labels, words)
    found = []
    for cluster in range(len(partition.centres)):
        members = np.flatnonzero(partition.labels == cluster)
        counts = Counter(str(labels[row]) for row in members if labels[row] is not None)
        found.append(
            Cluster(
                number=cluster + 1,
                clips=len(members),
                share=len(members) / len(partition.labels),
                nearest=nearest[cluster],
                silhouette=float(values[members].mean()),
                jaccard=None if jaccard is None or np.isnan(jaccard[cluster]) else jaccard[cluster],
                scores=_scores(collection, members),
                labels=dict(sorted(counts.items(), key=lambda entry: (-entry[1], entry[0]))),
                words=tuple(said[cluster]),
            )
        )
    return tuple(found)


def _scores(collection: Collection, members: np.ndarray) -> dict[str, float]:
    if collection.scores is None:
        return {}
    scores = collection.scores[members]
    scores = scores[np.isfinite(scores).all(axis=1)]
    if not len(scores):
        return {}
    return dict(zip(collection.score_labels, map(float, scores.mean(axis=0, dtype=np.float64)), strict=True))


def _agreement(collection: Collection, partition: Partition) -> dict[str, float]:
    found = {}
    for name in ("label", "speaker"):
        values = collection.column(name)
        known = [row for row, value in enumerate(values) if value is not None and partition.labels[row] != NOISE]
        names = [str(values[row]) for row in known]
        if len(set(names)) > 1:
            found[name] = float(adjusted_mutual_info_score(names, partition.labels[known]))
    return found
