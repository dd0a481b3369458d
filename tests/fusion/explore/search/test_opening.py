"""Which collections get an index, what each kind of source streams, and when an index is brought up to date."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from extractors.errors import InputError
from fusion.data.sources import ManifestSource
from fusion.explore.search.exact import ExactRows
from fusion.explore.search.index import VectorIndex
from fusion.explore.search.opening import open_rows
from fusion.explore.search.searcher import Searcher
from fusion.explore.search.streams import sampled, stored_vectors, stream_of
from fusion.explore.sources import EncoderVectors, FileVectors


def test_few_clips_are_searched_in_memory_and_many_by_an_index(sentences, store) -> None:
    stream = stream_of(sentences)
    assert isinstance(open_rows(stream, store.path), ExactRows)
    assert not (store.path / "indexes").exists()
    assert isinstance(open_rows(stream, store.path, above=7), VectorIndex)
    assert isinstance(open_rows(stream, store.path), VectorIndex)  # it is there
    assert isinstance(open_rows(stream, store.path, use="never"), ExactRows)
    assert store.tables()[0].rows == 8  # an index is none of the store's tables


def test_an_edited_manifest_is_noticed(sentences, store, tmp_path) -> None:
    index = open_rows(stream_of(sentences), store.path, use="always")
    manifest = tmp_path / "said.csv"
    table = pd.read_csv(manifest)
    table.loc[len(table)] = ["new", "Something entirely new", "calm", "anna"]
    table.loc[0, "label"] = "furious"
    table.drop(index=1).to_csv(manifest, index=False)
    as_it_was = open_rows(stream_of(sentences), store.path, use="always", update=False)
    assert as_it_was.match("new") is None
    index = open_rows(stream_of(sentences), store.path, use="always")
    assert len(index) == 8
    assert index.match("new").metadata["speaker"] == "anna"
    assert index.match("refund").metadata["label"] == "furious"
    assert index.match("again") is None
    assert index.record.rows == 8


def test_the_whole_store_grows(store, letters, filled) -> None:
    first = filled(letters, ["one", "two", "three"])
    source = EncoderVectors(None, build=lambda: letters, store=store)
    index = open_rows(stream_of(source), store.path, use="always", space="raw")
    assert len(index) == 3
    assert Searcher(index, source)(first[0], k=2)[0].id != first[0]
    more = filled(letters, ["four", "five"])
    index = open_rows(stream_of(source), store.path, use="always", space="raw")
    assert len(index) == 5
    assert index.match(more[1]) is not None
    assert Searcher(index, source)("five", k=1)[0].id == more[1]


def test_files_that_changed_are_read_again(tmp_path) -> None:
    folder = tmp_path / "vectors"
    folder.mkdir()
    vectors = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)
    for row in range(4):
        np.save(folder / f"{row}.npy", vectors[row])
    index = open_rows(stream_of(FileVectors(folder, model="mine")), tmp_path / "store", use="always", space="raw")
    assert len(index) == 4
    np.save(folder / "4.npy", vectors[4])
    np.save(folder / "0.npy", np.stack([vectors[4], vectors[4]]))  # other bytes
    (folder / "1.npy").unlink()
    index = open_rows(stream_of(FileVectors(folder, model="mine")), tmp_path / "store", use="always", space="raw")
    assert len(index) == 4
    assert {match.id for match in index.nearest(index.unit("4"), 2)} == {"0", "4"}
    assert index.match("1") is None


def test_other_settings_of_the_encoder_are_another_index(store, filled, letters) -> None:
    filled(letters, ["one", "two"])
    other = type(letters)("capitals")
    filled(other, ["one", "two", "three"])
    lengths = [
        len(open_rows(stream_of(EncoderVectors(None, build=lambda e=e: e, store=store)), store.path, use="always"))
        for e in (letters, other)
    ]
    assert lengths == [2, 3]
    assert len(list((store.path / "indexes").iterdir())) == 2


def test_a_rebuild_and_another_language(sentences, store) -> None:
    stream = stream_of(sentences)
    first = open_rows(stream, store.path, use="always")
    again = open_rows(stream, store.path, use="always")
    assert again.record.table == first.record.table
    rebuilt = open_rows(stream, store.path, use="always", rebuild=True)
    assert rebuilt.record.table != first.record.table
    stemmed = open_rows(stream, store.path, use="always", language="English")
    assert stemmed.record.language == "English"
    assert {match.id for match in stemmed.saying("songs", 5)} == {"song"}


def test_a_damaged_index_is_said_and_made_anew_when_told(sentences, store) -> None:
    stream = stream_of(sentences)
    index = open_rows(stream, store.path, use="always")
    (index.folder / "index.json").write_text("{")
    with pytest.raises(InputError, match=r"index\.rebuild=true"):
        open_rows(stream, store.path, use="always")
    assert len(open_rows(stream, store.path, use="always", rebuild=True)) == 8


@pytest.mark.parametrize("use", ["never", "auto", "always"])
def test_a_wrong_filter_is_known_before_anything_is_embedded(sentences, store, use) -> None:
    with pytest.raises(InputError, match="did you mean 'speaker'"):
        open_rows(stream_of(sentences), store.path, use=use, where="speeker = 'anna'")
    assert not store.path.exists()


def test_two_ids_of_one_content(tmp_path, store, letters) -> None:
    path = tmp_path / "twice.csv"
    path.write_text("id,text,speaker\na,yes,x\nb,yes,y\nc,no,x\n")
    source = EncoderVectors(ManifestSource(path=path, require_label=False), build=lambda: letters, store=store)
    index = open_rows(stream_of(source), store.path, use="always", space="raw")
    assert {match.id for match in index.nearest(index.unit("a"), 2)} == {"a", "b"}
    assert [match.id for match in index.nearest(index.unit("a"), 2, where="speaker = 'y'")] == ["b"]


def test_a_few_of_many_stored_vectors_and_all_of_them_are_the_same(store, letters, filled) -> None:
    texts = [f"{'a' * (number % 7)}{'b' * (number // 7)}c" for number in range(200)]
    keys = filled(letters, texts)
    expected = np.stack([embedding.vector for embedding in letters.extract(texts)])
    for rows in (np.array([3, 150]), np.arange(200), np.arange(0, 200, 2)):
        found = {
            int(place): vector
            for places, vectors in stored_vectors(store, letters.fingerprint, keys, rows)
            for place, vector in zip(places, vectors, strict=True)
        }
        assert sorted(found) == rows.tolist()
        assert all(np.array_equal(found[row], expected[row]) for row in found)


def test_statistics_are_of_a_sample_that_is_the_same_each_time(drawn) -> None:
    stream = drawn(3_000)
    one, two = (sampled(stream, stream.listing(), 500) for _ in range(2))
    assert one.ids == two.ids
    assert len(one) == len(set(one.ids)) == 500
    assert np.array_equal(one.vectors, stream.rows[[int(id.removeprefix("clip-")) for id in one.ids]])


@pytest.mark.parametrize(
    "settings",
    [{"use": "perhaps"}, {"above": -1}, {"above": True}, {"update": "yes"}, {"rebuild": "no"}, {"probes": 0}],
)
def test_settings_that_there_are_not(sentences, store, settings) -> None:
    with pytest.raises(InputError, match="settings of the index"):
        open_rows(stream_of(sentences), store.path, **({"use": "always"} | settings))


def test_a_store_that_is_none(sentences, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError):
        open_rows(stream_of(sentences), tmp_path / "file", use="always")
