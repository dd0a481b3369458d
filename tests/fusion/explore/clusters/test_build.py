"""A collection in, clusters with all that is known of them out."""

from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np
import pytest

from extractors.errors import InputError, MissingExtraError
from fusion.explore.clusters.build import find_clusters
from fusion.explore.clusters.settings import Resampling, Settings
from fusion.explore.space import Space

QUICK = Resampling(resamples=3)


def found_in(clips, kind="centred", **settings):
    space = Space.fit(clips.vectors, kind=kind, fingerprint=clips.maker.fingerprint)
    return find_clusters(clips, space, Settings(stability=QUICK, **settings))


def test_everything_that_is_known_of_a_cluster(make_groups) -> None:
    labels = ["sad"] * 40 + ["angry"] * 30 + ["happy"] * 15 + [None] * 5
    texts = ["rain again"] * 40 + ["this is wrong"] * 30 + ["a good day"] * 20
    clips = make_groups(label=labels, text=texts, speaker=["ann", "ben"] * 45)
    scores = np.full((90, 2), 0.5, np.float32)
    scores[:40] = [0.9, 0.1]
    scores[0] = np.nan
    clips = replace(clips, scores=scores, score_labels=("sad", "other"))
    found = found_in(clips)
    assert [cluster.clips for cluster in found.clusters] == [40, 30, 20]
    assert found.choice.k == 3
    sad, _, happy = found.clusters
    assert (sad.labels, happy.labels, happy.labelled, happy.purity) == ({"sad": 40}, {"happy": 15}, 15, 1.0)
    assert sad.scores == pytest.approx({"sad": 0.9, "other": 0.1}, abs=1e-6)
    assert {word for word, _ in sad.words} == {"rain", "again"}
    assert found.purity == 1
    assert found.agreement["label"] == pytest.approx(1)
    assert abs(found.agreement["speaker"]) < 0.05
    assert found.stability.mean == 1
    assert sad.jaccard == 1


def test_the_medoid_is_nearest_to_all_others(make_groups) -> None:
    clips = make_groups((40, 30), noise=0.6)
    found = found_in(clips, k=2, nearest=4)
    space = Space.fit(clips.vectors, fingerprint=clips.maker.fingerprint)
    unit = space.transform(clips.vectors)
    members = np.flatnonzero(found.numbers == 1)
    squares = ((unit[members, None] - unit[None, members]) ** 2).sum(axis=(1, 2))
    assert found.clusters[0].nearest == tuple(members[np.argsort(squares)][:4])


def test_assignments_have_a_row_a_clip(make_groups) -> None:
    clips = make_groups((40, 30), alone=4, noise=0.1, mean=0)
    frame = found_in(clips, "raw", method="hdbscan").assignments
    assert list(frame.columns) == ["id", "cluster", "distance", "silhouette", "x", "y"]
    assert frame["id"].tolist() == list(clips.ids)
    assert frame["cluster"].value_counts().to_dict() == {1: 40, 2: 30, -1: 4}
    noise = frame["cluster"] == -1
    assert frame.loc[noise, ["distance", "silhouette"]].isna().all(axis=None)
    assert frame.loc[~noise].notna().all(axis=None)
    assert frame[["x", "y"]].notna().all(axis=None)


def test_the_same_seed_gives_the_same(make_groups) -> None:
    clips = make_groups((40, 40), noise=1.5)
    one, other = (found_in(clips, k=4, mini_batch=True) for _ in range(2))
    assert one.assignments.equals(other.assignments)
    assert one.stability == other.stability


@pytest.mark.slow  # numba compiles for ten seconds
def test_umap_lays_groups_apart(make_groups) -> None:
    pytest.importorskip("umap")
    clips = make_groups((30, 30), noise=0.2)
    found = found_in(clips, k=2, map="umap")
    points, numbers = found.map.points, found.numbers
    apart = np.linalg.norm(points[numbers == 1].mean(axis=0) - points[numbers == 2].mean(axis=0))
    assert apart > 3 * points[numbers == 1].std(axis=0).max()
    assert "distances between groups mean nothing" in found.map.said


def test_umap_that_is_not_installed_names_its_extra(make_groups, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "umap", None)
    with pytest.raises(MissingExtraError, match=r"emofuse\[explore\]"):
        found_in(make_groups(), map="umap")


def test_too_few_clips_or_all_the_same(make_groups) -> None:
    with pytest.raises(InputError, match="5 clusters need at least 5 clips; there are 4"):
        found_in(make_groups((2, 2)), k=5)
    with pytest.raises(InputError, match="clusters need at least 3 clips; there are 2"):
        found_in(make_groups((1, 1)))
    clips = make_groups((3, 3))
    with pytest.raises(InputError, match="all 6 vectors are the same"):
        found_in(replace(clips, vectors=np.ones_like(clips.vectors)))
    few = clips.vectors.copy()
    few[1:5] = few[0]
    with pytest.raises(InputError, match="3 clusters need at least 3 different clips; of 6 vectors only 2 differ"):
        found_in(replace(clips, vectors=few), k=3)
    broken = clips.vectors.copy()
    broken[2, 1] = np.nan
    with pytest.raises(InputError, match="no numbers, the first in row 2"):
        found_in(replace(clips, vectors=broken))
