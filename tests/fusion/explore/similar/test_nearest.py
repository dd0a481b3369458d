from __future__ import annotations

import csv
import json
import tracemalloc

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from extractors.errors import InputError
from fusion.explore.collection import Collection, Maker
from fusion.explore.similar.contents import Contents
from fusion.explore.similar.matrix import cosine_blocks, write_matrix
from fusion.explore.similar.nearest import cosines_to, nearest
from fusion.explore.space import Space


def centred(clips: Collection) -> Space:
    return Space.fit(clips.vectors, fingerprint=clips.maker.fingerprint)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(-3, 3), min_size=2, max_size=30), st.integers(1, 40))
def test_the_most_alike_come_first_and_equals_in_their_order(angles, k):
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    ids = tuple(map(str, range(len(angles))))
    clips = Collection(ids, vectors, pd.DataFrame(index=range(len(ids))), Maker("m", "speech", 2, "f"))
    space = Space.fit(vectors, kind="raw", fingerprint="f")
    found = nearest(vectors[0], clips, space, k=k)
    values = cosines_to(vectors[0], vectors, space)
    expected = sorted(range(len(angles)), key=lambda row: (-values[row], row))[:k]
    assert found.rows.tolist() == expected
    np.testing.assert_array_equal(found.cosines, values[expected])


def test_some_are_left_out_and_all_can_be(make_clips):
    clips = make_clips()
    without = Contents(clips).of_row(3)
    found = nearest(clips.vectors[3], clips, centred(clips), k=100, without=without)
    assert len(found) == 39
    assert 3 not in found.rows
    assert set(found.rows[:15]) <= set(range(20))  # of its own label
    assert len(nearest(clips.vectors[3], clips, centred(clips), without=np.ones(40, bool))) == 0


def test_many_clips_are_looked_at_piece_by_piece(make_clips):
    clips = make_clips(["a"] * 10_000)
    space = centred(clips)
    expected = space.transform(clips.vectors) @ space.transform(clips.vectors[0])
    np.testing.assert_allclose(cosines_to(clips.vectors[0], clips.vectors, space), expected, atol=1e-6)


@pytest.mark.parametrize("k", [0, -3, 1.5, True, None])
def test_a_k_that_is_no_count(k, make_clips):
    clips = make_clips()
    with pytest.raises(InputError, match="k: expected how many clips"):
        nearest(clips.vectors[0], clips, centred(clips), k=k)


# -- all pairs ----------------------------------------------------------------------------------------------------


def expected_matrix(clips: Collection) -> np.ndarray:
    unit = centred(clips).transform(clips.vectors)
    return unit @ unit.T


def test_the_matrix_as_parquet_and_as_csv(make_clips, tmp_path):
    clips = make_clips(["a"] * 5 + ["b"] * 3 + [None])
    space = centred(clips)
    write_matrix(clips, space, tmp_path / "m.parquet", about={"model": "toy"})
    table = pq.read_table(tmp_path / "m.parquet")
    assert table["id"].to_pylist() == list(clips.ids)
    matrix = np.stack(pd.read_parquet(tmp_path / "m.parquet")["cosines"])
    np.testing.assert_allclose(matrix, expected_matrix(clips), atol=1e-6)
    assert json.loads(table.schema.metadata[b"emofuse"]) == {"space": space.name, "model": "toy"}
    write_matrix(clips, space, tmp_path / "m.csv", format="csv")
    with (tmp_path / "m.csv").open(newline="") as file:
        header, *rows = list(csv.reader(file))
    assert header == ["id", *clips.ids]
    assert [row[0] for row in rows] == list(clips.ids)
    np.testing.assert_allclose(np.array([row[1:] for row in rows], float), expected_matrix(clips), atol=1e-5)


def test_blocks_of_any_size_make_the_same_matrix(make_clips):
    clips = make_clips()
    for block_bytes in (1, 40 * 4 * 7, 10**9):
        blocks = list(cosine_blocks(clips, centred(clips), block_bytes=block_bytes))
        assert [first for first, _ in blocks] == np.cumsum([0, *(len(b) for _, b in blocks)])[:-1].tolist()
        np.testing.assert_allclose(np.concatenate([b for _, b in blocks]), expected_matrix(clips), atol=1e-6)


def test_the_summary_leaves_out_pairs_of_the_same_content(make_clips, tmp_path):
    clips = make_clips(["a"] * 4 + ["b"] * 4 + [None] * 2)
    vectors = clips.vectors.copy()
    vectors[1] = vectors[0]
    clips = Collection(clips.ids, vectors, clips.metadata, clips.maker)
    summary = write_matrix(clips, centred(clips), tmp_path / "m.parquet")
    apart = ~Contents(clips).of_rows(np.arange(10))
    assert (summary.clips, summary.pairs) == (10, 44)
    matrix = expected_matrix(clips)
    assert summary.mean == pytest.approx(matrix[apart].mean(), abs=1e-6)
    for one, rows in (("a", range(4)), ("b", range(4, 8))):
        for two, columns in (("a", range(4)), ("b", range(4, 8))):
            place = np.ix_(rows, columns)
            assert summary.labels.loc[one, two] == pytest.approx(matrix[place][apart[place]].mean(), abs=1e-5)


def test_the_matrix_is_never_in_memory_as_a_whole(make_clips, tmp_path, monkeypatch):
    monkeypatch.setattr("fusion.explore.similar.matrix.cosine_blocks.__kwdefaults__", {"block_bytes": 2**20})
    clips = make_clips(["a", None] * 2000)
    tracemalloc.start()
    write_matrix(clips, centred(clips), tmp_path / "m.parquet")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert 4 * len(clips) ** 2 > 60e6
    assert peak < 15e6
    assert pq.read_metadata(tmp_path / "m.parquet").num_rows == 4000


def test_another_format_and_too_many(make_clips, tmp_path, monkeypatch):
    clips = make_clips()
    with pytest.raises(InputError, match="expected parquet or csv, got 'xlsx'"):
        write_matrix(clips, centred(clips), tmp_path / "m.xlsx", format="xlsx")
    monkeypatch.setattr("fusion.explore.similar.matrix.MOST", 39)
    with pytest.raises(InputError, match="at most 39 clips"):
        write_matrix(clips, centred(clips), tmp_path / "m.csv", format="csv")
    assert list(tmp_path.iterdir()) == []
