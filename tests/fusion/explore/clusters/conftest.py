"""Groups of vectors whose number is known."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
import pytest

from fusion.explore.clusters.rows import UnitRows
from fusion.explore.collection import Collection, Maker
from fusion.explore.space import Space

MakeGroups = Callable[..., Collection]


def _groups(
    sizes: Sequence[int] = (40, 30, 20),
    *,
    alone: int = 0,
    dim: int = 16,
    noise: float = 0.25,
    mean: float = 5.0,
    seed: int = 0,
    **columns: Sequence[object],
):
    """Clips about one direction a group, with a large mean in common; the metadata's `group` says which.

    Then `alone` clips, of groups of their own, farther from everybody than the groups are from each other
    as long as nobody takes the mean away: `mean=0, kind="raw"`.
    """
    rng = np.random.default_rng(seed)
    group = np.repeat(np.arange(len(sizes) + alone), [*sizes, *[1] * alone])
    centres = np.eye(len(sizes) + alone, dim)
    centres[: len(sizes), -1] = 2 * bool(alone)
    vectors = mean + 3 * centres[group] + noise * rng.normal(size=(len(group), dim))
    about = pd.DataFrame({"group": group, **columns})
    return Collection(
        tuple(f"clip {row}" for row in range(len(group))),
        vectors.astype(np.float32),
        about,
        Maker("toy", "speech", dim, "f" * 32),
    )


@pytest.fixture(scope="session")
def make_groups() -> MakeGroups:
    return _groups


@pytest.fixture(scope="session")
def unit_rows() -> Callable[..., UnitRows]:
    def rows_of(clips: Collection, kind: str = "centred") -> UnitRows:
        return UnitRows(clips.vectors, Space.fit(clips.vectors, kind=kind, fingerprint=clips.maker.fingerprint))

    return rows_of
