"""Groups that are there are found, numbered by size, in all ways of looking for them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from extractors.errors import InputError
from fusion.explore.clusters.partition import NOISE, by_density, by_kmeans
from fusion.explore.clusters.settings import Density, Settings


@pytest.mark.parametrize("mini_batch", [False, True])
def test_kmeans_finds_the_groups_and_numbers_them_by_size(make_groups, unit_rows, mini_batch) -> None:
    clips = make_groups((20, 50, 30))
    found = by_kmeans(unit_rows(clips), 3, mini_batch=mini_batch, seed=3)
    assert np.bincount(found.labels).tolist() == [50, 30, 20]
    assert adjusted_rand_score(clips.column("group"), found.labels) == 1
    unit = unit_rows(clips).whole()
    np.testing.assert_allclose(found.centres[0], unit[found.labels == 0].mean(axis=0), atol=1e-6)


def test_batches_go_through_more_rows_than_one(make_groups, unit_rows) -> None:
    clips = make_groups((9_000, 5_000, 2_000), noise=0.6)
    found = by_kmeans(unit_rows(clips), 3, mini_batch=True, seed=0)
    again = by_kmeans(unit_rows(clips), 3, mini_batch=True, seed=0)
    assert adjusted_rand_score(clips.column("group"), found.labels) > 0.99
    np.testing.assert_array_equal(found.labels, again.labels)


def test_hdbscan_leaves_out_what_is_alone(make_groups, unit_rows) -> None:
    clips = make_groups((40, 30), alone=4, noise=0.1, mean=0)
    found = by_density(unit_rows(clips, "raw"), Density(min_samples=3), seed=0)
    assert set(found.labels[:40]) == {0}
    assert set(found.labels[40:70]) == {1}
    assert set(found.labels[70:]) == {NOISE}


def test_clips_that_hdbscan_did_not_see_go_with_their_neighbours(make_groups, unit_rows) -> None:
    clips = make_groups((400, 300), noise=0.2)
    found = by_density(unit_rows(clips), Density(most=200), seed=0)
    assert found.fitted == 200
    assert adjusted_rand_score(clips.column("group"), found.labels) > 0.9


def test_only_noise_is_said_with_what_to_change(make_groups, unit_rows) -> None:
    clips = make_groups((1,) * 40, dim=64)
    with pytest.raises(InputError, match="all 40 clips are noise") as caught:
        by_density(unit_rows(clips), Density(min_cluster_size=20), seed=0)
    for word in ("hdbscan.min_cluster_size=20", "hdbscan.min_samples=5", "hdbscan.dims=", "method=kmeans"):
        assert word in str(caught.value)


@pytest.mark.parametrize(
    ("size", "words"),
    [
        (100, "hdbscan.min_cluster_size: expected at most 20, half of the 40 clips that are fitted, got 100"),
        (21, "expected at most 20"),
    ],
)
def test_clusters_larger_than_half_of_the_clips_are_refused_before_the_fit(
    make_groups, unit_rows, size, words, monkeypatch
):
    rows = unit_rows(make_groups((20, 20), noise=0.1, mean=0), "raw")
    assert set(by_density(rows, Density(min_cluster_size=20, min_samples=3), seed=0).labels) == {0, 1}
    monkeypatch.setattr("fusion.explore.clusters.partition.HDBSCAN", None)  # it is not come to
    with pytest.raises(InputError, match=words):
        by_density(rows, Density(min_cluster_size=size, min_samples=3), seed=0)


def test_so_few_clips_that_no_cluster_is_possible(make_groups, unit_rows) -> None:
    with pytest.raises(
        InputError, match="at most 4, half of the 8 clips that are fitted, got 5, which is what null means"
    ):
        by_density(unit_rows(make_groups((4, 4), noise=0.1, mean=0), "raw"), Density(), seed=0)


@pytest.mark.filterwarnings("ignore:Number of distinct clusters")
def test_vectors_that_differ_in_length_alone(make_groups, unit_rows) -> None:
    clips = make_groups((1,), mean=0)
    longer = replace(clips, vectors=np.outer([1, 2, 4, 8], clips.vectors[0]).astype(np.float32))
    with pytest.raises(InputError, match="only 1 of 2 clusters have clips: in the space raw"):
        by_kmeans(unit_rows(longer, "raw"), 2, mini_batch=False, seed=0)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"k": 1}, "k: expected auto or at least 2, got 1"),
        ({"k": 2.5}, "k: expected auto"),
        ({"k": True}, "k: expected auto"),
        ({"method": "dbscan"}, "expected kmeans or hdbscan"),
        ({"method": "hdbscan", "k": 3}, "hdbscan finds out how many"),
        ({"method": "hdbscan", "mini_batch": True}, "of k-means only"),
        ({"map": "tsne"}, "expected pca or umap"),
        ({"mini_batch": "yes"}, "mini_batch: expected auto, true or false"),
        ({"nearest": 0, "seed": -1}, "seed: expected a whole number, at least 0"),
        ({"hdbscan": Density(min_cluster_size=1)}, "hdbscan.min_cluster_size"),
    ],
)
def test_settings_that_cannot_be(settings, words) -> None:
    with pytest.raises(InputError, match="settings of the clusters") as caught:
        Settings(**settings)
    assert words in str(caught.value)
