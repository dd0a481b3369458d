"""The vector index: it finds what an exact search finds, in bounded memory, and keeps up with its collection."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from extractors.errors import InputError
from extractors.locking import alone
from fusion.explore.collection import Maker
from fusion.explore.search import building
from fusion.explore.search.building import IndexBusyError, drop
from fusion.explore.search.index import EXACT_UNDER, VectorIndex, index_folder
from fusion.explore.space import Space

ROWS = 30_000  # of the fixture `large`


def exact(unit, query, k, allowed=None):
    allowed = np.arange(len(unit)) if allowed is None else np.flatnonzero(allowed)
    return [f"clip-{row}" for row in allowed[np.argsort(-(unit[allowed] @ query), kind="stable")[:k]]]


def recall(index, unit, queries, *, where=None, allowed=None) -> float:
    right = [
        len(
            {match.id for match in index.nearest(unit[row], 10, where=where)} & set(exact(unit, unit[row], 10, allowed))
        )
        for row in queries
    ]
    return sum(right) / len(queries) / 10


def test_it_finds_what_all_cosines_say(large) -> None:
    index, _, unit = large
    assert index.record.trained == ROWS
    assert recall(index, unit, range(0, 1000, 20)) >= 0.95
    found = index.nearest(unit[5], 10)
    assert found[0].id == "clip-5"
    for match in found:
        row = int(match.id.removeprefix("clip-"))
        assert match.value == pytest.approx(float(unit[row] @ unit[5]), abs=1e-5)
        assert match.metadata["audio"] == f"/calls/{row}.wav"
        assert set(match.metadata) == {"audio", "text", "label", "speaker", "start", "end"}


def test_under_a_filter_there_are_as_many_and_the_right_ones(large) -> None:
    index, stream, unit = large
    frame = stream.metadata
    few = (frame.speaker == "s17").to_numpy()
    assert few.sum() <= EXACT_UNDER
    for row in range(20):  # few rows are compared one by one
        found = index.nearest(unit[row], 10, where="speaker = 's17'")
        assert [match.id for match in found] == exact(unit, unit[row], 10, few)
    many = (frame.label != "angry").to_numpy()
    assert recall(index, unit, range(40), where="label <> 'angry'", allowed=many) >= 0.95
    assert index.nearest(unit[0], 10, where="label = 'nobody'") == []
    one = index.nearest(unit[0], 10, where="id = 'clip-29999'")
    assert [match.id for match in one] == ["clip-29999"]
    assert one[0].value == pytest.approx(float(unit[29_999] @ unit[0]), abs=1e-5)


def test_where_the_index_misses_rows_of_a_filter_all_are_compared(large, monkeypatch) -> None:
    index, stream, unit = large
    monkeypatch.setattr("fusion.explore.search.index.EXACT_UNDER", 0)
    monkeypatch.setattr(index, "probes", 1)
    few = (stream.metadata.speaker == "s17").to_numpy()
    found = index.nearest(unit[0], 10, where="speaker = 's17'")
    assert len(found) == 10
    assert {match.id for match in found} <= set(np.array(stream.ids)[few])


def test_more_than_there_are(large) -> None:
    index, _, unit = large
    assert len(index.nearest(unit[0], ROWS + 5)) == ROWS
    assert len(index.nearest(unit[0], 500)) == 500


def test_keywords_rows_and_cosines(large) -> None:
    index, stream, unit = large
    assert {match.id for match in index.saying("money", 1000)} == {f"clip-{row}" for row in range(7, ROWS, 100)}
    assert [match.id for match in index.saying("money", 10, where="start < 4")] == ["clip-7"]
    assert np.allclose(index.unit("clip-12"), unit[12], atol=1e-6)
    assert index.unit("nobody") is None
    assert index.match("it's nobody") is None
    assert index.match("clip-12").metadata["label"] == stream.metadata.label[12]
    assert index.cosines(unit[0], ["clip-3", "clip-4"]) == pytest.approx(
        {"clip-3": float(unit[3] @ unit[0]), "clip-4": float(unit[4] @ unit[0])}, abs=1e-5
    )


def test_percentiles_are_of_random_pairs(large) -> None:
    index, _, unit = large
    random = np.random.default_rng(1)
    one, two = random.integers(ROWS, size=(2, 20_000))
    cosines = np.einsum("ij,ij->i", unit[one], unit[two])
    for share in (10, 50, 90, 99):
        assert index.percentiles.percentile(float(np.percentile(cosines, share))) == pytest.approx(share, abs=1.5)


def test_a_wrong_filter_is_an_input_error(large) -> None:
    index, _, unit = large
    with pytest.raises(InputError, match="did you mean 'speaker'"):
        index.nearest(unit[0], 3, where="speeker = 's1'")
    with pytest.raises(InputError, match="did you mean 'label'"):
        index.saying("money", 3, where="lable = 'sad'")
    for hidden in ("mark > 0", "vector IS NULL"):
        with pytest.raises(InputError, match="no column"):
            index.nearest(unit[0], 3, where=hidden)


def test_it_is_opened_by_its_own_maker_only(large) -> None:
    index, stream, _ = large
    assert len(VectorIndex.open(index.folder, stream.maker)) == ROWS
    with pytest.raises(InputError, match="never compared"):
        VectorIndex.open(index.folder, Maker("drawn", "speech", 64, "drawn-2"))
    with pytest.raises(InputError, match="never compared"):
        index.update(type(stream)(stream.rows, stream.metadata, maker=Maker("other", "speech", 64, "o")))
    with pytest.raises(InputError, match="there is none"):
        VectorIndex.open(index.folder / "nothing")


def test_one_store_keeps_indexes_of_several_makers_spaces_and_collections_apart(tmp_path, drawn) -> None:
    one, other = drawn(10), drawn(10, maker=Maker("drawn", "speech", 20, "drawn-2"))
    renamed = drawn(10)
    renamed.name = "another"
    folders = [index_folder(tmp_path, one, "centred"), index_folder(tmp_path, one, "whitened")]
    folders += [index_folder(tmp_path, other, "centred"), index_folder(tmp_path, renamed, "centred")]
    assert len(set(folders)) == 4
    assert folders[0] == index_folder(tmp_path, drawn(20), "centred")
    assert folders[0].parent == tmp_path / "indexes"


# -- keeping up --------------------------------------------------------------------------------------------------------


def test_new_changed_and_lost_rows(tmp_path, drawn) -> None:
    stream = drawn(6_000)
    folder = tmp_path / "store" / "indexes" / "x"
    index = VectorIndex.build(folder, stream, space="centred", store=tmp_path / "store")
    space = index.record.space
    grown = drawn(6_500)
    grown.rows[:6_000] = stream.rows
    grown.metadata.loc[:5_999] = stream.metadata
    grown.metadata.loc[5, "label"] = "corrected"
    keep = np.arange(6_500) != 6  # clip-6 is gone
    grown.ids = [id for id, kept in zip(grown.ids, keep, strict=True) if kept]
    grown.rows, grown.metadata = grown.rows[keep], grown.metadata[keep].reset_index(drop=True)
    index.update(grown)
    assert grown.read == 501  # what is new, and what changed
    assert len(index) == 6_499
    assert index.record.space == space
    assert index.match("clip-6") is None
    assert index.match("clip-5").metadata["label"] == "corrected"
    assert [match.id for match in index.nearest(index.unit("clip-6400"), 1)] == ["clip-6400"]
    assert [match.id for match in index.nearest(index.unit("clip-6400"), 5, where="label = 'corrected'")] == ["clip-5"]
    assert {match.id for match in index.saying("6407", 3)} == {"clip-6407"}
    unit = index.space.transform(grown.rows)
    found = [match.id for match in index.nearest(unit[100], 10)]
    assert len(set(found) & {grown.ids[row] for row in np.argsort(-(unit @ unit[100]))[:10]}) >= 9
    before = grown.read
    index.update(grown)
    assert grown.read == before  # nothing to do


def test_an_index_that_has_doubled_is_made_anew_with_statistics_of_what_there_is(tmp_path, drawn) -> None:
    folder = tmp_path / "store" / "indexes" / "x"
    index = VectorIndex.build(folder, drawn(200), space="centred", store=tmp_path / "store")
    assert index.record.trained == 0  # too few to train on: every row is looked at
    assert index.searched == "exactly"
    first = index.record
    index.update(drawn(5_500, seed=1))
    assert index.record.trained == 5_500
    assert index.record.space != first.space
    assert index.record.table != first.table
    assert [path.stem for path in folder.glob("*.lance")] == [index.record.table]


def test_a_small_index_that_has_doubled_or_halved_takes_new_statistics(tmp_path, drawn) -> None:
    folder, store = tmp_path / "store" / "indexes" / "x", tmp_path / "store"
    index = VectorIndex.build(folder, drawn(100), space="centred", store=store)
    assert index.space.rows == 100
    for rows, fitted in ((190, 100), (201, 201), (110, 201), (100, 100)):
        stream = drawn(rows)
        index.update(stream)
        assert (len(index), index.space.rows) == (rows, fitted)
    np.testing.assert_allclose(index.space.mean, stream.rows.mean(axis=0), rtol=1e-5)
    named = VectorIndex.build(folder, drawn(100), space=index.record.space, store=store)
    named.update(drawn(300))
    assert (len(named), named.record.space) == (300, index.record.space)  # the user's own choice


def test_texts_that_come_later_are_found_by_their_stems(tmp_path, drawn) -> None:
    stream = drawn(40)
    folder, store = tmp_path / "store" / "indexes" / "x", tmp_path / "store"
    stream.metadata["text"] = pd.Series([None] * 40, dtype=object)
    index = VectorIndex.build(folder, stream, space="centred", store=store, language="English")
    assert not index.reads
    stream.metadata.loc[3, "text"] = "one refund, zurück"
    index.update(stream)
    assert index.reads
    for words in ("refunds", "zuruck"):
        assert [match.id for match in index.saying(words, 5)] == ["clip-3"]


def test_a_changed_column_makes_the_index_anew_in_the_same_space(tmp_path, drawn) -> None:
    stream = drawn(300)
    folder = tmp_path / "store" / "indexes" / "x"
    index = VectorIndex.build(folder, stream, space="centred", store=tmp_path / "store")
    space = index.record.space
    stream.metadata["topic"] = "refund"
    index.update(stream)
    assert index.record.space == space
    assert index.record.asked_space == "centred"
    assert len(index.nearest(index.unit("clip-1"), 3, where="topic = 'refund'")) == 3


def test_a_rebuild_is_noticed_by_those_who_have_it_open(tmp_path, drawn) -> None:
    folder, store = tmp_path / "store" / "indexes" / "x", tmp_path / "store"
    index = VectorIndex.build(folder, drawn(300), space="centred", store=store)
    VectorIndex.build(folder, drawn(400, seed=3), space="centred", store=store)
    assert index.match("clip-399") is not None
    assert len(index) == 400


def test_searches_go_on_while_the_index_is_made_anew(tmp_path, drawn) -> None:
    folder, store = tmp_path / "store" / "indexes" / "x", tmp_path / "store"
    index = VectorIndex.build(folder, drawn(500), space="raw", store=store)
    unit, stop, failed = index.unit("clip-3"), threading.Event(), []

    def ask() -> None:
        while not stop.is_set():
            try:
                assert index.nearest(unit, 1)[0].id == "clip-3"
            except Exception as error:
                failed.append(error)

    asking = threading.Thread(target=ask)
    asking.start()
    for _ in range(5):
        VectorIndex.build(folder, drawn(500), space="raw", store=store)
    stop.set()
    asking.join()
    assert not failed


def test_one_process_builds_at_a_time(tmp_path, drawn) -> None:
    folder, store = tmp_path / "store" / "indexes" / "x", tmp_path / "store"
    VectorIndex.build(folder, drawn(10), space="centred", store=store)
    with alone(folder, lock=building.BUILDING), pytest.raises(IndexBusyError, match="another process"):
        VectorIndex.build(folder, drawn(10), space="centred", store=store)


def test_a_build_that_fails_leaves_the_old_index(tmp_path, drawn) -> None:
    folder, store = tmp_path / "store" / "indexes" / "x", tmp_path / "store"
    index = VectorIndex.build(folder, drawn(300), space="centred", store=store)
    broken = drawn(400)

    def vectors(listing, rows):
        yield rows[:100], broken.rows[rows[:100]]
        raise OSError("the disk went away")

    broken.vectors = vectors
    with pytest.raises(Exception, match="the disk went away"):
        VectorIndex.build(folder, broken, space="raw", store=store)
    assert len(VectorIndex.open(folder)) == len(index) == 300
    VectorIndex.build(folder, drawn(300), space="raw", store=store)
    assert len(list(folder.glob("*.lance"))) == 1  # and nothing of the broken one


def test_drop(tmp_path, drawn) -> None:
    folder, store = tmp_path / "store" / "indexes" / "x", tmp_path / "store"
    VectorIndex.build(folder, drawn(300), space="centred", store=store)
    drop(folder)
    assert not list(folder.glob("*.lance"))
    with pytest.raises(InputError, match="there is none"):
        VectorIndex.open(folder)


# -- what cannot be ----------------------------------------------------------------------------------------------------


def test_a_folder_that_cannot_be_written(tmp_path, drawn) -> None:
    (tmp_path / "indexes").write_text("a file")
    with pytest.raises(InputError, match=r"cannot be written.*\n?.*index\.use=never"):
        VectorIndex.build(tmp_path / "indexes" / "x", drawn(10), space="centred", store=tmp_path / "store")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_permission(tmp_path, drawn) -> None:
    (tmp_path / "indexes").mkdir(mode=0o500)
    with pytest.raises(InputError, match="Permission denied"):
        VectorIndex.build(tmp_path / "indexes" / "x", drawn(10), space="centred", store=tmp_path / "store")


@pytest.mark.parametrize("change", [{"format": 99}, {"maker": "x"}, {"rows": None, "pairs": None}])
def test_a_damaged_record(tmp_path, drawn, change) -> None:
    folder = tmp_path / "store" / "indexes" / "x"
    VectorIndex.build(folder, drawn(20), space="centred", store=tmp_path / "store")
    path = folder / "index.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(InputError, match=r"index\.rebuild=true"):
        VectorIndex.open(folder)
    path.write_text("{")
    with pytest.raises(InputError, match=r"index\.rebuild=true"):
        VectorIndex.open(folder)


def test_a_space_of_other_vectors(tmp_path, drawn) -> None:
    store = tmp_path / "store"
    name = Space.fit(np.eye(20, dtype=np.float32), fingerprint="another").save(store).stem
    with pytest.raises(InputError, match="statistics of other vectors"):
        VectorIndex.build(store / "indexes" / "x", drawn(20), space=name, store=store)


@pytest.mark.parametrize("setting", [{"probes": 0}, {"refine": -1}, {"probes": True}, {"refine": 1.5}])
def test_settings_that_there_are_not(large, setting) -> None:
    with pytest.raises(InputError, match="at least 1"):
        VectorIndex(large[0].folder, **setting)


@pytest.mark.slow
def test_building_holds_little_however_many_rows_there_are(tmp_path: Path) -> None:
    """340,000 more vectors of 512 values, made as they are read, are 664 MiB; the process may hold their names and marks."""
    import subprocess
    import sys

    script = """
import resource, sys
import numpy as np, pandas as pd
from pathlib import Path
from fusion.explore.collection import Maker
from fusion.explore.search.index import VectorIndex
from fusion.explore.search.streams import Listing

class Made:
    name, source, maker = "made", None, Maker("made", "speech", 512, "made")
    def __init__(self, rows): self.rows = rows
    def count(self): return self.rows
    def state(self): return str(self.rows)
    def listing(self):
        ids = [str(row) for row in range(self.rows)]
        return Listing(ids, ids, pd.DataFrame(index=range(self.rows)))
    def vectors(self, listing, rows):
        for first in range(0, len(rows), 4096):
            part = rows[first : first + 4096]
            yield part, np.random.default_rng(first).standard_normal((len(part), 512), dtype=np.float32)

VectorIndex.build(Path(sys.argv[1]) / "indexes" / "x", Made(int(sys.argv[2])), space="centred", store=Path(sys.argv[1]))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""
    peaks = []
    for rows in (60_000, 400_000):
        command = [sys.executable, "-c", script, str(tmp_path / str(rows)), str(rows)]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        peaks.append(int(done.stdout.split()[-1]) / 1024)  # MiB
    assert peaks[1] - peaks[0] < 332, peaks
