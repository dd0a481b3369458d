"""The groups themselves: k-means at once or in batches, HDBSCAN in few dimensions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sklearn.cluster import HDBSCAN, KMeans, MiniBatchKMeans
from sklearn.decomposition import PCA
from sklearn.neighbors import KNeighborsClassifier

from extractors.errors import InputError
from extractors.types import Float32
from fusion.explore.clusters.rows import Ints, UnitRows
from fusion.explore.clusters.settings import Density

STARTS = 10  # of k-means; the best is kept
START_DIMS = 64
SEEDING = 10_000  # clips that the centres of larger collections start from
BATCH = 4_096  # clips
PASSES = 5  # over all clips, in batches
NOISE = -1


@dataclass(frozen=True)
class Partition:
    """
    labels  : (rows,) int64, 0 the largest; −1 is noise
    centres : (clusters, dim) float32, the means of their members in the space
    fitted  : rows that the method saw; others went with their neighbours
    """

    labels: Ints
    centres: Float32
    fitted: int


def kmeans(vectors: Float32, k: int, seed: int) -> Ints:
    """(rows, dim) -> (rows,) numbers of clusters. Lloyd, "Least squares quantization in PCM", 1982.

    It begins at the best of `STARTS` starts from k-means++ in `START_DIMS` principal components, where they cost little and
    where groups that differ at all differ (Ding & He, "K-means clustering via principal component analysis", ICML 2004).
    """
    return _fitted(vectors, k, seed).labels_.astype(np.int64)


def _fitted(vectors: Float32, k: int, seed: int) -> KMeans:
    many = KMeans(k, n_init=STARTS, random_state=seed)
    if min(vectors.shape) <= START_DIMS:
        return many.fit(vectors)
    low = PCA(START_DIMS, svd_solver="randomized", random_state=seed).fit_transform(vectors)
    start = many.fit_predict(low)
    if len(np.unique(start)) < k:
        return many.fit(vectors)
    centres = np.stack([vectors[start == cluster].mean(axis=0) for cluster in range(k)])
    return KMeans(k, init=centres, n_init=1).fit(vectors)


def by_kmeans(rows: UnitRows, k: int, *, mini_batch: bool, seed: int) -> Partition:
    """k clusters of all rows; in batches, memory above the vectors' own is that of a batch.

    Raises InputError where the rows differ in fewer than k ways in the space, as vectors that only differ in length do.
    """
    start = _fitted(rows.take(rows.drawn(SEEDING, seed)), k, seed)
    if mini_batch:
        labels = _in_batches(rows, start.cluster_centers_, seed)
    elif len(rows) <= SEEDING:
        labels = start.labels_.astype(np.int64)
    else:
        labels = (
            KMeans(k, init=start.cluster_centers_, n_init=1, copy_x=False).fit_predict(rows.whole()).astype(np.int64)
        )
    if (there := len(np.unique(labels))) < k:
        raise InputError(
            f"only {there} of {k} clusters have clips: in the space {rows.space.name} too few vectors differ",
            hint="Ask for fewer clusters (k=), or look whether the clips are copies of each other.",
        )
    return _ordered(rows, labels, len(rows))


def _in_batches(rows: UnitRows, start: Float32, seed: int) -> Ints:
    random = np.random.default_rng(seed)
    model = MiniBatchKMeans(len(start), init=start, n_init=1, random_state=seed, reassignment_ratio=0)
    for _ in range(PASSES):
        order = random.permutation(len(rows))
        for first in range(0, len(order), BATCH):
            model.partial_fit(rows.take(np.sort(order[first : first + BATCH])))
    return np.concatenate([model.predict(part) for _, part in rows.parts()]).astype(np.int64)


def hdbscan(vectors: Float32, settings: Density, *, seed: int, share: float = 1.0) -> tuple[Ints, PCA]:
    """(rows, dim) -> (rows,) numbers of clusters, −1 noise; and the components it worked in.

    Campello, Moulavi & Sander, "Density-based clustering based on hierarchical density estimates", PAKDD 2013. `share`
    scales the smallest cluster, for a fit to part of the clips.
    """
    pca = PCA(min(settings.dims, *vectors.shape), random_state=seed).fit(vectors)
    smallest = max(2, round(share * smallest_cluster(settings, round(len(vectors) / share))))
    fit = HDBSCAN(min_cluster_size=smallest, min_samples=min(settings.min_samples, len(vectors) - 1), copy=True).fit(
        pca.transform(vectors)
    )
    return fit.labels_.astype(np.int64), pca


def smallest_cluster(settings: Density, rows: int) -> int:
    """Clips that make a cluster of so many."""
    return settings.min_cluster_size or max(5, rows // 100)


def _check_size(settings: Density, fitted: int) -> None:
    """Clusters come of a group that parts in two, and both must be large enough: none can have more than half."""
    smallest = smallest_cluster(settings, fitted)
    if 2 * smallest <= fitted:
        return
    given = "" if settings.min_cluster_size else ", which is what null means here"
    raise InputError(
        f"hdbscan.min_cluster_size: expected at most {fitted // 2}, half of the {fitted:,} clips that are fitted, got "
        f"{smallest}{given}",
        hint="Lower it (at least 2), or take method=kmeans." if fitted >= 4 else "Take method=kmeans, or more clips.",
    )


def by_density(rows: UnitRows, settings: Density, *, seed: int) -> Partition:
    """As many clusters as HDBSCAN finds. InputError where all is noise, or where clusters are to be larger than can be."""
    fitted = rows.drawn(settings.most, seed)
    _check_size(settings, len(fitted))
    vectors = rows.take(fitted)
    found, pca = hdbscan(vectors, settings, seed=seed)
    if (found == NOISE).all():
        smallest = smallest_cluster(settings, len(fitted))
        raise InputError(
            f"hdbscan: all {len(fitted):,} clips are noise: no place is denser than its surroundings",
            [f"hdbscan.min_cluster_size={smallest}: fewer clips may make a cluster (at least 2)"] * (smallest > 2)
            + [f"hdbscan.min_samples={settings.min_samples}: fewer leave less as noise"] * (settings.min_samples > 1)
            + [f"hdbscan.dims={pca.n_components_}: in fewer components, places are denser"] * (pca.n_components_ > 5),
            hint="Change one of these, or take method=kmeans, which gives every clip a cluster.",
        )
    if len(fitted) == len(rows):
        return _ordered(rows, found, len(rows))
    neighbours = KNeighborsClassifier(settings.min_samples, algorithm="brute").fit(pca.transform(vectors), found)
    labels = np.concatenate([neighbours.predict(pca.transform(part)) for _, part in rows.parts()])
    labels[fitted] = found
    return _ordered(rows, labels.astype(np.int64), len(fitted))


def _ordered(rows: UnitRows, labels: Ints, fitted: int) -> Partition:
    """The largest first, so that numbers mean something and seeds do not show in them."""
    numbers, first, counts = np.unique(labels[labels != NOISE], return_index=True, return_counts=True)
    order = numbers[np.lexsort((first, -counts))]
    place = np.full(int(order.max()) + 2, NOISE)  # its last entry is noise's, which is −1
    place[order] = np.arange(len(order))
    labels = place[labels]
    sums = np.zeros((len(order), rows.dim))
    for start, part in rows.parts():
        here = labels[start : start + len(part)]
        for cluster in np.unique(here[here != NOISE]):
            sums[cluster] += part[here == cluster].sum(axis=0, dtype=np.float64)
    counts = np.bincount(labels[labels != NOISE], minlength=len(order))
    return Partition(labels, (sums / counts[:, None]).astype(np.float32), fitted)
