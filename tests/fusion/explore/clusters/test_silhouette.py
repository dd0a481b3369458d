"""Silhouettes are scikit-learn's, the estimate is near them, and k is the number of groups."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import silhouette_samples

from fusion.explore.clusters.silhouette import choose_k, silhouettes


def test_exact_ones_are_scikit_learns(make_groups, unit_rows) -> None:
    clips = make_groups((30, 20, 10, 1), noise=0.8)
    rows, labels = unit_rows(clips), np.array(clips.column("group"))
    expected = silhouette_samples(rows.whole().astype(np.float64), labels)
    np.testing.assert_allclose(silhouettes(rows, labels), expected, atol=1e-6)


def test_noise_has_none_and_is_nobodys_neighbour(make_groups, unit_rows) -> None:
    clips = make_groups((30, 20, 10), noise=0.8)
    rows, labels = unit_rows(clips), np.array(clips.column("group"))
    labels[labels == 2] = -1
    found = silhouettes(rows, labels)
    assert np.isnan(found[50:]).all()
    expected = silhouette_samples(rows.whole()[:50].astype(np.float64), labels[:50])
    np.testing.assert_allclose(found[:50], expected, atol=1e-6)


def test_the_estimate_is_near(make_groups, unit_rows) -> None:
    clips = make_groups((900, 500, 30), noise=0.8)
    rows, labels = unit_rows(clips), np.array(clips.column("group"))
    exact, estimate = silhouettes(rows, labels), silhouettes(rows, labels, most=300)
    assert abs(exact.mean() - estimate.mean()) < 0.005
    assert np.abs(exact - estimate).max() < 0.05


@pytest.mark.parametrize("groups", [2, 3, 5])
def test_k_is_the_number_of_groups(make_groups, unit_rows, groups) -> None:
    clips = make_groups((30,) * groups, noise=0.3)
    choice = choose_k(unit_rows(clips), most=8, different=len(clips), seed=0)
    assert choice.k == groups
    assert sorted(choice.tried) == list(range(2, 9))
    sampled = choose_k(unit_rows(clips), most=8, different=len(clips), seed=0, sample=45)
    assert (sampled.k, sampled.sample) == (groups, 45)


def test_k_is_less_than_the_clips(make_groups, unit_rows) -> None:
    clips = make_groups((2, 2), noise=0.1)
    assert choose_k(unit_rows(clips), most=12, different=4, seed=0).k == 2
