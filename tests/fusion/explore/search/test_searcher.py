"""Queries of every kind and mode, and what is said to those that cannot be."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from extractors.acoustic import AcousticExtractor
from extractors.errors import InputError
from extractors.store import EmbeddingStore
from fusion.data.sources import ManifestSource
from fusion.explore.collection import Collection
from fusion.explore.search.exact import ExactRows
from fusion.explore.search.opening import open_rows
from fusion.explore.search.searcher import Searcher
from fusion.explore.search.streams import stream_of
from fusion.explore.sources import EncoderVectors, FileVectors
from fusion.explore.space import Space


def searcher(source, store: Path, space: str = "raw") -> Searcher:
    return Searcher(open_rows(stream_of(source), store, space=space), source)


@pytest.fixture
def said(sentences, store) -> Searcher:
    return searcher(sentences, store.path)


@pytest.fixture
def ids(clips: Collection) -> Searcher:
    return Searcher(ExactRows(clips, Space.fit(clips.vectors, fingerprint="drawn-1")))


def test_a_text_finds_what_reads_like_it(said) -> None:
    hits = said("I want my money back", k=3)
    assert [hit.id for hit in hits[:2]] == ["refund", "again"]
    assert hits[0].cosine == pytest.approx(1)
    assert [hit.rank for hit in hits] == [1, 2, 3]
    assert hits[0].percentile >= hits[1].percentile >= hits[2].percentile


def test_an_id_leaves_itself_out_unless_told(said) -> None:
    assert [hit.id for hit in said("refund", k=1)] == ["again"]
    assert [hit.id for hit in said("refund", k=1, include_itself=True)] == ["refund"]
    assert len(said("refund", k=100)) == 7


def test_a_filter_before_the_count(said) -> None:
    hits = said("refund", k=3, where="speaker = 'bob'")
    assert len(hits) == 3
    assert {hit.metadata["speaker"] for hit in hits} == {"bob"}


def test_keywords(said) -> None:
    hits = said("money BACK", mode="keyword", k=5)
    assert {hit.id for hit in hits} == {"refund", "again"}
    assert all(hit.cosine is None and hit.keywords > 0 for hit in hits)
    assert [hit.id for hit in said(words="zurück", mode="keyword")] == ["german"]
    assert [hit.id for hit in said(words="ZURUCK", mode="keyword")] == ["german"]
    assert said(words="elephant", mode="keyword") == []
    assert next(hit.id for hit in said(words='me OR (song) AND "x', mode="keyword")) == "song"


def test_hybrid_ranks_by_both(said) -> None:
    hits = said("money please", mode="hybrid", k=8)
    assert {hit.id for hit in hits[:2]} == {"refund", "again"}
    assert hits[0].keywords is not None
    assert [hit.fused for hit in hits] == sorted((hit.fused for hit in hits), reverse=True)
    assert all(hit.cosine is not None for hit in hits)
    by_vector = [hit.id for hit in said("money please", k=8)]
    by_word = [hit.id for hit in said("money please", mode="keyword", k=8)]
    for hit in hits:
        ranks = [ranking.index(hit.id) + 1 for ranking in (by_vector, by_word) if hit.id in ranking]
        assert hit.fused == pytest.approx(sum(1 / (60 + rank) for rank in ranks))


def test_hybrid_of_a_clip_and_words(ids) -> None:
    hits = ids("clip-3", mode="hybrid", words="money", k=5)
    assert {"clip-7", "clip-107"} <= {hit.id for hit in hits}
    assert next(hit for hit in hits if hit.id == "clip-107").cosine is not None
    with pytest.raises(InputError, match="needs words beside a clip"):
        ids("clip-3", mode="hybrid")


def test_a_vector(ids, clips) -> None:
    hits = ids(clips.vectors[9], k=2)
    assert hits[0].id == "clip-9"  # a vector is no row, and so it finds its own


def test_the_index_answers_as_memory_does(large) -> None:
    index, stream, _ = large
    clips = Collection(tuple(stream.ids), stream.rows, stream.metadata, stream.maker)
    exact, indexed = Searcher(ExactRows(clips, index.space)), Searcher(index)
    for mode, words in (("vector", None), ("hybrid", "money")):
        one = exact("clip-5", k=10, mode=mode, words=words, where="speaker < 's2'")
        other = indexed("clip-5", k=10, mode=mode, words=words, where="speaker < 's2'")
        assert len({hit.id for hit in one} & {hit.id for hit in other}) >= 9
        assert one[0].cosine == pytest.approx(other[0].cosine, abs=1e-5)
        assert one[0].percentile == pytest.approx(other[0].percentile, abs=2)
        assert one[0].metadata == other[0].metadata
        assert "clip-5" not in {hit.id for hit in other}


# -- files -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def calls(tmp_path: Path) -> EncoderVectors:
    """Six tones, one of them twice under two names, one file in two spans."""
    rows = ["id,audio,start,end"]
    for number in range(5):
        seconds = np.arange(16_000) / 16_000
        soundfile.write(tmp_path / f"{number}.wav", 0.3 * np.sin(2 * np.pi * (120 + 60 * number) * seconds), 16_000)
        rows.append(f"tone {number},{number}.wav,,")
    (tmp_path / "copy.wav").write_bytes((tmp_path / "0.wav").read_bytes())
    rows += ["copy,copy.wav,,", "early,1.wav,0,0.5", "late,1.wav,0.5,1"]
    (tmp_path / "calls.csv").write_text("\n".join(rows) + "\n")
    source = ManifestSource(path=tmp_path / "calls.csv", require_label=False)
    return EncoderVectors(source, build=AcousticExtractor, store=EmbeddingStore(tmp_path / "store"))


def test_an_audio_file_leaves_itself_out_under_every_name(calls, tmp_path) -> None:
    search = searcher(calls, tmp_path / "store", "standardized")
    found = {hit.id for hit in search(tmp_path / "0.wav", k=10)}
    assert found == {"tone 1", "tone 2", "tone 3", "tone 4", "early", "late"}
    assert {"tone 0", "copy"} <= {hit.id for hit in search(tmp_path / "0.wav", k=10, include_itself=True)}
    (tmp_path / "elsewhere.wav").write_bytes((tmp_path / "0.wav").read_bytes())
    assert {hit.id for hit in search(tmp_path / "elsewhere.wav", k=10)} == found  # the same bytes
    assert {hit.id for hit in search("tone 0", k=10)} == found
    spanned = {hit.id for hit in search(tmp_path / "1.wav", start=0.0, end=0.5, k=10)}
    assert spanned == {"tone 0", "tone 2", "tone 3", "tone 4", "copy", "late"}


def test_a_file_that_cannot_be_asked_for(calls, tmp_path) -> None:
    search = searcher(calls, tmp_path / "store", "standardized")
    soundfile.write(tmp_path / "silent.wav", np.zeros(16_000), 16_000)
    with pytest.raises(InputError, match="is silent"):
        search(tmp_path / "silent.wav")
    with pytest.raises(InputError, match="no such file, and no id of the 8 clips"):
        search("nowhere.wav")
    with pytest.raises(InputError, match="modality=text, or mode=keyword"):
        search("I want my money back")
    np.save(tmp_path / "narrow.npy", np.ones(3, np.float32))
    with pytest.raises(InputError, match=r"narrow\.npy"):
        search(tmp_path / "narrow.npy")
    with pytest.raises(InputError, match="start and end are of an audio file"):
        search("tone 0", start=1.0)
    with pytest.raises(InputError, match="expected seconds"):
        search(tmp_path / "0.wav", start=-1.0)


def test_npy_files(tmp_path) -> None:
    (tmp_path / "vectors").mkdir()
    for row, vector in enumerate(np.random.default_rng(0).normal(size=(6, 4)).astype(np.float32)):
        np.save(tmp_path / "vectors" / f"call-{row}.npy", vector)
    source = FileVectors(tmp_path / "vectors", model="mine")
    search = searcher(source, tmp_path / "store")
    hits = search(tmp_path / "vectors" / "call-3.npy", k=6)
    assert hits[0].id == "call-3"
    assert hits[0].cosine == pytest.approx(1)
    with pytest.raises(InputError, match="without their encoder"):
        search(_wav(tmp_path))


def _wav(folder: Path) -> Path:
    soundfile.write(folder / "x.wav", np.ones(1600) / 2, 16_000)
    return folder / "x.wav"


# -- what cannot be ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"k": 0}, "k: expected how many clips, at least 1, got 0"),
        ({"k": -3}, "at least 1"),
        ({"k": True}, "at least 1"),
        ({"k": 2.5}, "at least 1"),
        ({"mode": "fuzzy"}, "mode: expected vector, keyword, hybrid, got 'fuzzy'"),
        ({"query": None}, "query: expected a clip"),
        ({"query": None, "mode": "hybrid", "words": "x"}, "query: expected a clip"),
        ({"query": np.ones(20, np.float32), "mode": "keyword"}, "expected words"),
        ({"mode": "keyword", "query": " -- "}, "keywords: expected words"),
        ({"query": np.ones(7, np.float32)}, "expected vectors of 20 values, got 7"),
        ({"query": np.ones((1, 20), np.float32)}, "shape (1, 20)"),
        ({"query": np.full(20, np.nan, np.float32)}, "not finite"),
        ({"query": "nobody"}, "no id of the 200 clips"),
        ({"where": "speeker = 'x'"}, "did you mean 'speaker'"),
        ({"where": "speeker = 'x'", "mode": "keyword", "words": "money"}, "did you mean 'speaker'"),
    ],
)
def test_wrong_questions(ids, settings, said) -> None:
    with pytest.raises(InputError) as caught:
        ids(**({"query": "clip-1"} | settings))
    assert said in str(caught.value)


def test_a_query_without_direction(ids) -> None:
    with pytest.raises(InputError, match="the mean of the space itself"):
        ids(ids.rows.space.mean)


def test_another_model_s_source_is_refused(ids, tmp_path) -> None:
    np.save(tmp_path / "x.npy", np.ones(20, np.float32))
    with pytest.raises(InputError, match="never compared"):
        Searcher(ids.rows, FileVectors(tmp_path, model="another"))


def test_an_empty_store(letters, tmp_path) -> None:
    source = EncoderVectors(None, build=lambda: letters, store=EmbeddingStore(tmp_path / "store"))
    for use in ("auto", "never", "always"):
        with pytest.raises(InputError, match="has no vectors of letters"):
            open_rows(stream_of(source), tmp_path / "store", use=use)
