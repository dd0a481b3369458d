"""The clips on a plane, to look at: principal components, or UMAP."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.decomposition import PCA
from sklearn.manifold import trustworthiness

from extractors.errors import MissingExtraError
from extractors.types import Float32
from fusion.explore.clusters.rows import UnitRows

FITTED = 20_000  # clips that a map is fitted to
JUDGED = 2_000  # clips that its trust is measured over
NEIGHBOURS = 15  # of UMAP, its default
DIMS = 50  # principal components that UMAP starts from


@dataclass(frozen=True)
class FlatMap:
    """
    points    : (rows, 2) float32
    kind      : "pca" or "umap"
    explained : of "pca", the share of the variance in each direction
    trust     : trustworthiness of the 10 nearest (Venna & Kaski, ICANN 2001): 1 where neighbours on the map are neighbours
                in the space; None for a handful of clips
    """

    points: Float32
    kind: str
    explained: tuple[float, ...]
    trust: float | None

    @property
    def said(self) -> str:
        """What the axes are."""
        trust = "" if self.trust is None else f"; neighbours on it are neighbours in the space to {self.trust:.0%}"
        if self.kind == "pca":
            shares = " and ".join(f"{share:.0%}" for share in self.explained)
            return f"principal components, {shares} of the variance{trust}"
        return f"UMAP: who is near whom; distances between groups mean nothing{trust}"


def check_map(kind: str) -> None:
    """Raise MissingExtraError, before the long work, where UMAP is asked for and not there."""
    if kind == "umap":
        _umap()


def flat_map(rows: UnitRows, kind: str, *, seed: int = 0) -> FlatMap:
    """Fitted to at most 20,000 clips drawn by `seed`; the others are placed among them."""
    drawn = rows.drawn(FITTED, seed)
    vectors = rows.take(drawn)
    pca = PCA(min(DIMS if kind == "umap" else 2, *vectors.shape), random_state=seed, svd_solver="randomized").fit(
        vectors
    )
    if kind == "umap":
        reducer = _umap()(
            n_neighbors=min(NEIGHBOURS, len(drawn) - 1), random_state=seed, n_jobs=1, init=_start(len(drawn))
        )
        found = reducer.fit_transform(pca.transform(vectors))
        points = np.empty((len(rows), 2), np.float32)
        if len(drawn) < len(rows):
            for start, part in rows.parts():
                points[start : start + len(part)] = reducer.transform(pca.transform(part))
        points[drawn] = found
    else:
        points = np.concatenate([_two(pca.transform(part)) for _, part in rows.parts()])
        for axis in range(2):  # a component's sign is nobody's choice: the farthest clip lies on the positive side
            if points[np.abs(points[:, axis]).argmax(), axis] < 0:
                points[:, axis] *= -1
    judged = rows.drawn(JUDGED, seed)
    trust = None
    if len(judged) > 30:
        trust = float(trustworthiness(rows.take(judged), points[judged], n_neighbors=10))
    explained = tuple(float(share) for share in pca.explained_variance_ratio_[:2]) if kind == "pca" else ()
    return FlatMap(points.astype(np.float32), kind, explained, trust)


def _two(points: Any) -> Float32:
    return np.pad(points, ((0, 0), (0, 2 - points.shape[1]))).astype(np.float32)


def _start(rows: int) -> str:
    return "spectral" if rows > 50 else "random"  # too few clips for the eigenvectors that it starts from


def _umap() -> Any:
    try:
        from umap import UMAP
    except ImportError as error:
        raise MissingExtraError("umap-learn", "explore") from error
    return UMAP
