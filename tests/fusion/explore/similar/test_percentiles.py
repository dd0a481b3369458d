from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.stats import percentileofscore

from extractors.errors import InputError
from fusion.explore.collection import Collection, Maker
from fusion.explore.similar import Percentiles, Reference, compare
from fusion.explore.similar.contents import Contents, equal_to
from fusion.explore.similar.reference import pair_cosines, reference
from fusion.explore.space import KINDS, Space


def centred(clips: Collection) -> Space:
    return Space.fit(clips.vectors, fingerprint=clips.maker.fingerprint)


def every_cosine(clips: Collection, space: Space) -> np.ndarray:
    """Slowly, pair by pair."""
    unit = space.transform(clips.vectors).astype(np.float64)
    return np.array([unit[i] @ unit[j] for i in range(len(clips)) for j in range(i + 1, len(clips))])


@settings(max_examples=100, deadline=None)
@given(hnp.arrays(np.float32, st.integers(1, 30), elements=st.sampled_from([-1, -0.5, 0, 0.25, 1])), st.floats(-1, 1))
def test_a_percentile_is_scipys(values, asked):
    asked = float(np.float32(asked))
    found = Reference("pairs", np.sort(values), len(values)).percentile(asked)
    assert found == pytest.approx(percentileofscore(values, asked, kind="mean"))
    assert 0 <= found <= 100


def test_nothing_to_compare_with_is_not_a_number():
    nothing = Reference("pairs", np.zeros(0, np.float32), 0)
    assert np.isnan(nothing.percentile(0.3))
    assert np.isnan(nothing.quantile(0.5))


@pytest.mark.parametrize("kind", KINDS)
def test_few_pairs_are_all_taken(make_clips, kind):
    clips = make_clips(["a"] * 6 + ["b"] * 4 + [None] * 3)
    space = Space.fit(clips.vectors, kind=kind, fingerprint=clips.maker.fingerprint)
    found = Percentiles.of(clips, space)
    assert (len(found.random), found.random.possible, found.random.sampled) == (78, 78, False)
    np.testing.assert_allclose(found.random.values, np.sort(every_cosine(clips, space)), atol=1e-5)
    assert {name: len(each) for name, each in found.by_label.items()} == {"a": 15, "b": 6}
    assert len(found.same_label) == 21
    together = np.sort(np.concatenate([each.values for each in found.by_label.values()]))
    np.testing.assert_array_equal(found.same_label.values, together)


def test_many_pairs_are_sampled_the_same_way_each_time(make_clips):
    clips = make_clips(["a"] * 300 + ["b"] * 100)
    space = centred(clips)
    one, again, other = (Percentiles.of(clips, space, pairs=2000, seed=seed) for seed in (0, 0, 1))
    assert (len(one.random), one.random.possible) == (2000, 400 * 399 // 2)
    assert one.random.sampled
    np.testing.assert_array_equal(one.random.values, again.random.values)
    assert not np.array_equal(one.random.values, other.random.values)
    exact = np.sort(every_cosine(clips, space))
    for share in (0.1, 0.5, 0.9):  # three standard errors of a sample of 2,000
        value = np.quantile(exact, share)
        assert one.of_random(value) == pytest.approx(100 * share, abs=3.4)
    # same-label pairs in the proportion in which there are such pairs: 44,850 of a, 4,950 of b
    exact_same = np.concatenate(
        [every_cosine(clips.take(range(300)), space), every_cosine(clips.take(range(300, 400)), space)]
    )
    assert one.same_label.percentile(np.median(exact_same)) == pytest.approx(50, abs=3.4)


def test_no_clip_is_paired_with_itself_or_its_copy(make_clips):
    clips = make_clips(["a"] * 10)
    vectors = clips.vectors.copy()
    vectors[5:] = vectors[:5]  # five clips, each under two names
    copies = Collection(clips.ids, vectors, clips.metadata, clips.maker)
    for pairs in (1000, 30):
        found = Percentiles.of(copies, centred(copies), pairs=pairs)
        assert found.random.values.max() < 0.9999
    assert len(Percentiles.of(copies, centred(copies)).random) == 45 - 5


def test_overlapping_spans_of_one_recording_are_one_content(make_clips):
    spans = make_clips(
        ["a"] * 5,
        audio=["x.wav", "x.wav", "x.wav", "y.wav", None],
        start=[None, 1.0, 3.0, 1.0, None],
        end=[2.0, 3.0, 4.0, 3.0, None],
    )
    contents = Contents(spans)
    expected = np.eye(5, dtype=bool)
    expected[0, 1] = expected[1, 0] = True  # [0, 2) and [1, 3); [1, 3) and [3, 4) only touch
    np.testing.assert_array_equal(contents.of_rows(np.arange(5)), expected)
    np.testing.assert_array_equal(np.stack([contents.of_row(row) for row in range(5)]), expected)
    assert len(Percentiles.of(spans, centred(spans)).random) == 9


def test_equal_to(make_clips):
    clips = make_clips()
    assert np.flatnonzero(equal_to(clips.vectors, clips.vectors[7])).tolist() == [7]
    assert not equal_to(clips.vectors, clips.vectors[7] + np.float32(1e-3)).any()


def test_large_collections_are_moved_into_the_space_piece_by_piece(make_clips):
    clips = make_clips(["a"] * 5000)
    space = centred(clips)
    rng = np.random.default_rng(0)
    first, second = rng.integers(0, 5000, (2, 3000))
    unit = space.transform(clips.vectors)
    expected = np.einsum("ij,ij->i", unit[first], unit[second])
    np.testing.assert_allclose(pair_cosines(clips.vectors, first, second, space), expected, atol=1e-6)


def test_groups_without_pairs(make_clips):
    clips = make_clips(["a", "b", "c"])
    found = Percentiles.of(clips, centred(clips))
    assert (found.same_label, dict(found.by_label)) == (None, {})
    alone = reference("alone", [np.array([0])], clips.vectors, centred(clips), contents=Contents(clips))
    assert len(alone) == 0


@pytest.mark.parametrize("pairs", [0, -1, 2.5, True, None])
def test_counts_that_are_none(pairs, make_clips):
    clips = make_clips()
    with pytest.raises(InputError, match="pairs: expected how many to draw"):
        Percentiles.of(clips, centred(clips), pairs=pairs)


def test_without_two_different_clips_nothing_is_unusual(make_clips):
    clips = make_clips(["a"])
    with pytest.raises(InputError, match="there are 1 clips"):
        Percentiles.of(clips, Space.fit(clips.vectors, kind="raw", fingerprint="f" * 32))
    same = Collection(
        ("x", "y"), np.ones((2, 3), np.float32), pd.DataFrame(index=range(2)), Maker("m", "speech", 3, "f")
    )
    with pytest.raises(InputError, match="2 clips, all of the same content"):
        Percentiles.of(same, Space.fit(same.vectors, kind="raw", fingerprint="f"))


def test_two_clips_and_where_they_stand(make_clips):
    clips = make_clips()
    space, percentiles = centred(clips), Percentiles.of(clips, centred(clips))
    alike = compare(clips.vectors[0], clips.vectors[1], space, percentiles)
    apart = compare(clips.vectors[0], clips.vectors[30], space, percentiles)
    assert alike.cosine > apart.cosine
    assert alike.percentile > 50 > apart.percentile
    assert min(alike.raw, apart.raw) > 0.95  # the trap
    assert alike.cosine == compare(clips.vectors[1], clips.vectors[0], space, percentiles).cosine
    assert list(alike.percentiles) == ["random pairs", "pairs of one label", "pairs of a", "pairs of b"]
    assert alike.space == space.name
    itself = compare(clips.vectors[0], clips.vectors[0], space, percentiles)
    assert itself.same_content
    assert itself.cosine == pytest.approx(1)
    assert itself.percentile == 100
    record = alike.as_dict(percentiles)
    assert [entry["pairs"] for entry in record["references"]] == [780, 380, 190, 190]
    with pytest.raises(InputError, match="expected vectors of 8 values, got 7"):
        compare(clips.vectors[0, :7], clips.vectors[1, :7], space, percentiles)
