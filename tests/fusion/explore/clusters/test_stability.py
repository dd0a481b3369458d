"""Groups that are there are found again; a division of nothing is not."""

from __future__ import annotations

import numpy as np

from fusion.explore.clusters.partition import by_density, by_kmeans
from fusion.explore.clusters.settings import Density, Resampling, Settings
from fusion.explore.clusters.stability import stability


def test_groups_are_found_again_and_nothing_is_not(make_groups, unit_rows) -> None:
    asked = Settings(k=3, stability=Resampling(resamples=10))
    firm = unit_rows(make_groups())
    found = stability(firm, by_kmeans(firm, 3, mini_batch=False, seed=0).labels, asked)
    assert found.mean == 1
    assert found.jaccard == (1, 1, 1)
    nothing = unit_rows(make_groups((200,), noise=1))
    loose = stability(nothing, by_kmeans(nothing, 3, mini_batch=False, seed=0).labels, asked)
    assert loose.mean < 0.6
    low, high = loose.interval
    assert low < loose.mean < high
    assert loose == stability(nothing, by_kmeans(nothing, 3, mini_batch=False, seed=0).labels, asked)


def test_of_hdbscan_too_and_only_when_asked(make_groups, unit_rows) -> None:
    asked = Settings(method="hdbscan", hdbscan=Density(min_samples=3), stability=Resampling(resamples=5))
    rows = unit_rows(make_groups((60, 40), noise=0.1))
    labels = by_density(rows, asked.hdbscan, seed=0).labels
    assert stability(rows, labels, asked).mean > 0.9
    assert stability(rows, labels, Settings(stability=Resampling(resamples=0))) is None


def test_a_cluster_that_was_not_drawn_has_no_overlap(make_groups, unit_rows) -> None:
    rows = unit_rows(make_groups((300, 300, 1)))
    labels = np.repeat([0, 1, 2], [300, 300, 1])
    found = stability(rows, labels, Settings(k=3, seed=1, stability=Resampling(resamples=3, most=10)))
    assert np.isnan(found.jaccard[2])
    assert found.clips == 10
