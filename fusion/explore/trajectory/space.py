"""The path: vectors of steps in few dimensions, by PCA of this one recording."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import PCA

from extractors.errors import InputError
from extractors.types import Float32
from fusion.explore.trajectory.result import Float64

COMPONENTS = 6  # what changes are looked for in; the picture shows two
LEAST_STEPS = 4  # fewer points are no path


class Reduced(NamedTuple):
    """points (steps, components) NaN where a step has no speech; explained (components,); standard (steps, dim) likewise."""

    points: Float32
    explained: Float32
    standard: Float32


def reduce(vectors: Float32, owner: NDArray[np.int64], *, components: int = COMPONENTS) -> Reduced:
    """PCA of the correlations: every dimension is first brought to mean 0 and variance 1 over the recording's steps.

    With several speakers each one's mean is taken off first, so that the path shows how people move and not who speaks.
    vectors (steps, dim) with NaN rows, owner (steps,) index of the speaker or -1.
    """
    there = np.isfinite(vectors[:, 0])
    if there.sum() < LEAST_STEPS:
        raise InputError(
            f"only {int(there.sum())} steps of the recording hold speech, and a path needs {LEAST_STEPS}",
            hint="Set window= lower, or silence=none if it is speech all the same.",
        )
    rows: Float64 = vectors[there].astype(np.float64)
    for speaker in np.unique(owner[there]):
        own = owner[there] == speaker
        rows[own] -= rows[own].mean(axis=0)
    spread = rows.std(axis=0)
    rows = rows / np.where(spread > 1e-6 * max(float(spread.max()), 1e-12), spread, np.inf)
    many = min(components, len(rows) - 1, rows.shape[1])
    solver = "covariance_eigh" if len(rows) > rows.shape[1] else "full"
    model = PCA(n_components=many, svd_solver=solver)
    points = np.full((len(vectors), many), np.nan, np.float32)
    points[there] = model.fit_transform(rows)
    standard = np.full(vectors.shape, np.nan, np.float32)
    standard[there] = rows
    explained = np.nan_to_num(model.explained_variance_ratio_).astype(np.float32)
    return Reduced(points, explained, standard)
