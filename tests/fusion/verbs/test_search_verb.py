"""`emofuse search`: what it prints, the files that it writes, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from fusion.cli import VERBS


@pytest.fixture(autouse=True)
def _listed(monkeypatch) -> None:
    monkeypatch.setitem(VERBS, "search", ("fusion.verbs.search", "the clips most like one"))


@pytest.fixture
def vectors(tmp_path: Path) -> Path:
    """Twelve vectors in files, and `m.csv` of what is known of them."""
    (tmp_path / "vectors").mkdir()
    rows = ["id,text,label,speaker"]
    for row, vector in enumerate(5 + np.random.default_rng(0).normal(size=(12, 6)).astype(np.float32)):
        np.save(tmp_path / "vectors" / f"call-{row}.npy", vector)
        rows.append(f"call-{row},I said [b]{'money' if row % 4 == 0 else 'music'}[/b],{'xy'[row % 2]},s{row % 3}")
    (tmp_path / "m.csv").write_text("\n".join(rows) + "\n")
    return tmp_path / "vectors"


FILES = ("search", "vectors=vectors", "vectors_model=mine", "data.path=m.csv")


def hits(folder: Path) -> list[dict]:
    [path] = folder.glob("runs/search/*/*/hits.jsonl")
    found = [json.loads(line) for line in path.read_text().splitlines()]
    path.unlink()
    return found


def test_the_table_and_the_files(emofuse, vectors, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    status, said, errors = emofuse(*FILES, "query=call-3", "k=4", "where=label = 'x' AND speaker <> 's1'")
    assert status == 0, errors
    for heading in ("rank", "id", "cosine", "percentile", "label", "speaker", "text"):
        assert heading in said
    assert "[b]mu" in said or "[b]mo" in said  # no markup of ours
    assert "of 12 clips, mine, searched exactly; cosine in centred-" in said
    found = hits(tmp_path)
    assert [hit["rank"] for hit in found] == [1, 2, 3, 4]
    assert {hit["label"] for hit in found} == {"x"}
    assert "s1" not in {hit["speaker"] for hit in found}
    assert [hit["cosine"] for hit in found] == sorted((hit["cosine"] for hit in found), reverse=True)
    about = json.loads(next(tmp_path.glob("runs/search/*/*/search.json")).read_text())
    assert about["where"] == "label = 'x' AND speaker <> 's1'"
    assert about["hits"] == 4
    assert about["space"].startswith("centred-")


def test_an_index_answers_the_same_and_is_kept(emofuse, vectors, tmp_path) -> None:
    status, _, errors = emofuse(*FILES, "query=call-3", "k=5", "output=exact.jsonl")
    assert status == 0, errors
    status, said, errors = emofuse(*FILES, "query=call-3", "k=5", "index.use=always", "output=by index.jsonl")
    assert status == 0, errors
    assert "index: building" in said
    status, said, errors = emofuse(*FILES, "query=call-3", "k=5", "output=exact.jsonl")
    assert (status, "the earlier hits were replaced" in said + errors) == (0, True)
    one, other = ((tmp_path / name).read_text().splitlines() for name in ("exact.jsonl", "by index.jsonl"))
    assert [json.loads(line)["id"] for line in one] == [json.loads(line)["id"] for line in other]
    assert len(list((tmp_path / "store" / "indexes").iterdir())) == 1
    status, said, _ = emofuse(*FILES, "query=call-3", "k=5", "index.use=always")
    assert status == 0
    assert "index: building" not in said


def test_texts_by_meaning_and_by_words_besides(emofuse, manifest, tmp_path) -> None:
    manifest.write_text(
        "id,text,label,speaker\n"
        "a,I want my money back,angry,s1\nb,Please refund what I paid,angry,s2\n"
        "c,What a lovely day,calm,s1\nd,The money is well spent,calm,s2\n"
    )
    text = ("search", "modality=text", "data.path=m.csv", "text.device=cpu")
    status, _, errors = emofuse(*text, "query=It's a refund, please", "k=1")
    assert status == 0, errors
    assert [hit["id"] for hit in hits(tmp_path)] == ["b"]
    status, said, _ = emofuse(*text, "query=give me my money", "mode=hybrid", "where=label='angry'")
    assert status == 0
    found = hits(tmp_path)
    assert [hit["id"] for hit in found] == ["a", "b"]
    assert found[0]["fused"] == pytest.approx(2 / 61)
    assert "reciprocal ranks" in said


def test_keywords_alone(emofuse, vectors, tmp_path) -> None:
    status, said, errors = emofuse(*FILES, "query=money", "mode=keyword", "where=speaker = 's2'")
    assert status == 0, errors
    assert {hit["id"] for hit in hits(tmp_path)} == {"call-8"}
    assert "BM25" in said
    status, said, errors = emofuse(*FILES, "query=call-3", "words=money", "mode=hybrid", "k=12")
    assert status == 0, errors
    assert {"call-0", "call-4", "call-8"} <= {hit["id"] for hit in hits(tmp_path)}


def test_speech_and_the_whole_store(emofuse, manifest, checkpoint, tmp_path) -> None:
    speech = (f"speech.model={checkpoint}", "speech.device=cpu")
    status, said, errors = emofuse("search", "query=a.wav", "data.path=m.csv", *speech, "k=5")
    assert status == 0, errors
    assert {hit["id"] for hit in hits(tmp_path)} == {"call 7", "call 7 end"}  # and not the file itself
    assert "b.wav 0.2–0.7 s" in said
    status, _, errors = emofuse("search", "query=a.wav", *speech, "k=5")  # all that the store has
    assert status == 0, errors
    assert len(hits(tmp_path)) == 2
    soundfile.write(tmp_path / "silent.wav", np.zeros(16_000), 16_000)
    status, _, errors = emofuse("search", "query=silent.wav", "data.path=m.csv", *speech)
    assert status == 2
    assert "silent" in errors


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("query=call-3", "k=0"), "k: expected how many clips, at least 1, got 0"),
        (("query=call-3", "mode=fuzzy"), "mode: expected vector, keyword, hybrid"),
        (("query=call-3", "where=speeker = 's1'"), "there is no column 'speeker'; did you mean 'speaker'?"),
        (("query=call-3", "where=label = NULL"), "Use IS NULL or IS NOT NULL"),
        (("query=call-3", "where=label = 'x' AND"), "Expected: an expression"),
        (("query=call-3", "where=true; DROP TABLE rows"), "second statement"),
        (("query=nobody",), "nobody"),
        (("query=narrow.npy",), "narrow.npy"),
        (("query=call-3", "index.use=perhaps"), "index.use: expected auto, always, never"),
        (("query=call-3", "index.prob=3"), "index.prob"),
        (("query=call-3", "output=letter.txt"), "is there already and holds no hits"),
        (("query=call-3", "output=vectors"), "output: expected a file for the hits, got the folder vectors"),
        (("query=call-3", "space=centred-00000000"), "space: expected raw, centred"),
        ((), "query"),
        (("query= ",), "query: expected a clip, a file or a text, got nothing"),
        (("query=call-3", "where=TRY_CAST(label AS DOUBLE) > 0 OR CAST(text AS DOUBLE) > 0"), "Cannot cast string"),
    ],
)
def test_what_cannot_be(emofuse, vectors, tmp_path, arguments, said) -> None:
    np.save(tmp_path / "narrow.npy", np.ones(3, np.float32))
    (tmp_path / "letter.txt").write_text("Dear all,\n")
    status, _, errors = emofuse(*FILES, *arguments)
    assert status == 2
    assert (tmp_path / "letter.txt").read_text() == "Dear all,\n"
    assert said in errors
    assert "Traceback" not in errors


def test_words_among_clips_without_texts(emofuse, vectors) -> None:
    for arguments in (("query=money", "mode=keyword"), ("query=call-3", "words=money", "mode=hybrid")):
        status, _, errors = emofuse("search", "vectors=vectors", "vectors_model=mine", *arguments)
        assert status == 2
        assert "none of the 12 clips has a text to find words in" in errors


def test_a_search_for_nothing_is_refused_before_anything_is_embedded(emofuse, manifest, tmp_path) -> None:
    status, _, errors = emofuse("search", "data.path=m.csv", "speech=acoustic")
    assert status == 2
    assert "query: expected a value" in errors
    assert not (tmp_path / "store").exists()


def test_an_empty_store(emofuse, manifest, checkpoint) -> None:
    status, _, errors = emofuse("search", "query=a.wav", f"speech.model={checkpoint}", "speech.device=cpu")
    assert status == 2
    assert "has no vectors of" in errors


def test_nothing_under_a_filter(emofuse, vectors, tmp_path) -> None:
    status, said, _ = emofuse(*FILES, "query=call-3", "where=label = 'nobody'")
    assert status == 0
    assert "nothing found under where=label = 'nobody'" in said
    assert hits(tmp_path) == []
