"""Vectors of others into the store: all of a folder or nothing, under the clip's own key, and never through a pickle."""

from __future__ import annotations

import io
import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from extractors.errors import InputError
from extractors.export import NpyExport, StoredClips, WebUIExport
from extractors.importing import ImportedVectors, ImportSummary, import_folder
from extractors.importing.arrays import ArrayError, check_array, read_embedding
from extractors.importing.scores import scores_in
from extractors.importing.vectors import NotImportedError, dimension_of
from extractors.pipeline import TooManyFailuresError, extract_to_store
from extractors.store import EmbeddingStore
from extractors.types import Clip
from tests.extractors.energy import EnergyExtractor, write_clips

DIM = 9


@pytest.fixture
def clips(tmp_path: Path) -> list[Clip]:
    """Four clips: an id like a path, one like no other, one that is the stem of its file, and a span of that file."""
    written = [clip.audio for clip in write_clips(tmp_path / "wav", 3)]
    return [
        Clip("../../x", written[0]),
        Clip("Zürich 7", written[1]),
        Clip("0002", written[2]),
        Clip("span", written[2], None, 0.02, 0.06),
    ]


@pytest.fixture
def store(tmp_path: Path) -> EmbeddingStore:
    return EmbeddingStore(tmp_path / "store")


@pytest.fixture
def folder(tmp_path: Path) -> Callable[..., Path]:
    """A folder of the arrays given by file name."""

    def write(**arrays: Any) -> Path:
        (tmp_path / "in").mkdir(exist_ok=True)
        for name, array in arrays.items():
            np.save(tmp_path / "in" / f"{name}.npy", array)
        return tmp_path / "in"

    return write


def vectors(**options: Any) -> ImportedVectors:
    return ImportedVectors(**{"model": "energy", "dim": DIM} | options)


def take(
    folder: Path, clips: list[Clip], store: EmbeddingStore, extractor: Any = None, **options: Any
) -> ImportSummary:
    return import_folder(folder, clips, extractor or vectors(), store, **{"progress": False, "workers": 1} | options)


def refused(folder: Path, clips: list[Clip], store: EmbeddingStore, extractor: Any = None, **options: Any) -> list[str]:
    """The problems; and that nothing was stored."""
    extractor = extractor or vectors()
    before = {table.table: table.rows for table in store.tables()}
    with pytest.raises(InputError) as error:
        take(folder, clips, store, extractor, **options)
    assert {table.table: table.rows for table in store.tables()} == before
    return list(error.value.problems) or [error.value.summary]


def stored_for(clips: list[Clip], extractor: Any, store: EmbeddingStore, *, frames: bool = False) -> StoredClips:
    """By the way of the pipeline, which computes what it does not find."""
    done = extract_to_store(clips, extractor, store, frames=frames, progress=False, workers=1, max_failed=1.0)
    return StoredClips(store, extractor.fingerprint, clips, done.keys, frames=frames)


# -- round trips ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("frames", [False, True])
@pytest.mark.parametrize("layout", [NpyExport, WebUIExport])
def test_what_was_exported_comes_back_under_the_key_of_its_clip(tmp_path, clips, layout, frames) -> None:
    computed = stored_for(clips, EnergyExtractor(), EmbeddingStore(tmp_path / "first"), frames=frames)
    layout(path=tmp_path / "out").write(computed)
    second = EmbeddingStore(tmp_path / "second")
    summary = take(tmp_path / "out", clips, second)
    assert (summary.new, summary.known, summary.missing, summary.unmatched) == (4, 0, 0, 0)
    back = stored_for(clips, vectors(), second, frames=frames)
    assert len(back) == 4
    for one, other in zip(computed, back, strict=True):
        assert one.clip == other.clip
        np.testing.assert_array_equal(one.array, other.array)
        if frames:
            np.testing.assert_allclose(other.vector, one.frames.mean(axis=0), rtol=1e-6)
    again = take(tmp_path / "out", clips, second)
    assert (again.new, again.known) == (0, 4)


def test_imported_vectors_are_never_taken_for_computed_ones(folder, clips, store) -> None:
    take(folder(**{"0002": np.ones(DIM)}), clips, store)
    done = extract_to_store(clips[2:3], EnergyExtractor(), store, progress=False, workers=1)
    assert done.new == 1
    names = {table.name for table in store.tables()}
    assert names == {"energy", "imported_energy"}


def test_a_clip_that_was_not_imported_is_a_listed_failure(folder, clips, store) -> None:
    take(folder(**{"0002": np.ones(DIM)}), clips, store)
    done = extract_to_store(clips, vectors(), store, progress=False, workers=1, max_failed=0.75)
    assert [key is not None for key in done.keys] == [False, False, True, False]
    assert all("has no imported vector" in failure.reason for failure in done.failed)
    with pytest.raises(TooManyFailuresError, match="emofuse import"):
        extract_to_store(clips, vectors(), store, progress=False, workers=1)
    with pytest.raises(NotImportedError):
        vectors().extract([np.zeros(16_000, np.float32)])


def test_the_weights_own_fingerprint_on_the_users_word_and_after_a_look(tmp_path, clips, store) -> None:
    computed = stored_for(clips, EnergyExtractor(), EmbeddingStore(tmp_path / "first"))
    NpyExport(path=tmp_path / "out").write(computed)
    summary = take(tmp_path / "out", clips, store, EnergyExtractor(), recompute=3)
    assert summary.new == 4
    reused = EnergyExtractor()
    done = extract_to_store(clips, reused, store, progress=False, workers=1)
    assert (done.new, done.reused, reused.computed) == (0, 4, 0)
    problems = refused(tmp_path / "out", clips, store, EnergyExtractor(power=0.5), recompute=3)
    assert len(problems) == 3
    assert "not the same weights" in problems[0]


# -- shapes and numbers ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["<f2", "<f4", "<f8", ">f4", ">f8"])
@pytest.mark.parametrize("shape", [(DIM,), (1, DIM), (7, DIM)])
def test_shapes_and_dtypes(folder, clips, store, dtype, shape) -> None:
    array = np.random.default_rng(0).normal(size=shape).astype(dtype)
    take(folder(**{"0002": np.asfortranarray(array)}), clips, store)
    (row,) = stored_for(clips[2:3], vectors(), store, frames=shape[0] == 7)
    expected = array.reshape(-1, DIM).astype(np.float64)
    np.testing.assert_allclose(row.vector, expected.mean(axis=0), rtol=1e-6, atol=1e-6)
    if shape[0] == 7:
        np.testing.assert_array_equal(row.frames, array.astype(np.float32))


def test_one_row_is_one_frame_only_where_the_folder_says_frames(folder, clips, store) -> None:
    path = folder(**{"0002": np.ones((1, DIM), np.float32)})
    (path / "export.json").write_text(json.dumps({"granularity": "frame"}))
    take(path, clips, store)
    (row,) = stored_for(clips[2:3], vectors(), store, frames=True)
    assert row.frames.shape == (1, DIM)


def test_one_row_is_one_frame_where_others_of_the_folder_have_several(folder, clips, store) -> None:
    take(folder(**{"0002": np.ones((1, DIM)), "span": np.ones((2, DIM))}), clips, store)
    assert [len(row.frames) for row in stored_for(clips[2:], vectors(), store, frames=True)] == [1, 2]


class Boom:
    """Unpickled, it would leave a trace."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Any, ...]:
        return (open, (str(self.trace), "w"))


def test_nothing_is_ever_unpickled(tmp_path, clips, store) -> None:
    trace, path = tmp_path / "trace", tmp_path / "in"
    path.mkdir()
    np.save(path / "0002.npy", np.array([Boom(trace)] * DIM, dtype=object), allow_pickle=True)
    (path / "span.npy").write_bytes(pickle.dumps(Boom(trace)))
    np.savez(buffer := io.BytesIO(), x=np.ones(DIM))
    (path / "Zürich 7.npy").write_bytes(buffer.getvalue())
    problems = refused(path, clips, store)
    assert not trace.exists()
    assert [problem.partition(":")[0] for problem in problems] == ["0002.npy", "Zürich 7.npy", "span.npy"]
    assert "holds Python objects (a pickle), which are never read" in problems[0]
    assert all("is no .npy file" in problem for problem in problems[1:])


def header(shape: str, descr: str = "<f4") -> bytes:
    text = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (np.ones(DIM + 1, np.float32), r"shape \(10,\), float32: expected \(9,\)"),
        (np.ones((DIM, 4), np.float32), r"shape \(9, 4\)"),
        (np.ones((1, 1, DIM), np.float32), r"shape \(1, 1, 9\)"),
        (np.float32(1), r"shape \(\)"),
        (np.ones(DIM, np.int64), "int64: expected float16, float32 or float64"),
        (np.ones(DIM, np.complex64), "complex64: expected"),
        pytest.param(
            np.ones(DIM, np.longdouble),
            "float128: expected",
            marks=pytest.mark.skipif(np.dtype(np.longdouble).itemsize < 16, reason="long double is double here"),
        ),
        (np.ones(DIM, bool), "bool: expected"),
        (np.array(["1.0"] * DIM), "expected float16"),
        (np.ones(DIM, [("x", "<f4")]), "expected float16"),
        (np.full(DIM, np.nan, np.float32), "9 values are NaN, infinite"),
        (np.full((3, DIM), np.inf, np.float16), "27 values are NaN, infinite"),
        (np.full(DIM, 1e300), "9 values are NaN, infinite or beyond float32"),
        (np.ones((0, DIM), np.float32), r"shape \(0, 9\), float32: no frames"),
        (b"", "no .npy|cannot be read"),
        (header("(9,)"), "cannot be read"),  # a header and nothing behind it
        (header("(1000000000000, 9)") + bytes(36), "cannot be read"),  # it promises 36 TB
        (header("(9, -1)") + bytes(36), "cannot be read|shape"),
        (header("__import__('os').getcwd()"), "cannot be read"),
        (b"\x93NUMPY\x09\x00", "cannot be read|is no"),
    ],
)
def test_what_is_no_embedding_is_named(tmp_path, content, words) -> None:
    path = tmp_path / "x.npy"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        np.save(path, content)
    with pytest.raises(ArrayError, match=words) as error:
        check_array(path, DIM)
    assert "\n" not in str(error.value)


def test_all_problems_together_and_nothing_stored(folder, clips, store) -> None:
    wide = {"%2E.%2F..%2Fx": np.ones(DIM + 1), "span": np.ones((4, DIM + 1)), "Zürich 7": np.ones(DIM + 1)}
    path = folder(**wide, **{"0002": np.ones(DIM), "nobody": np.ones(DIM)})
    with pytest.raises(InputError, match="4 problems; nothing was stored") as error:
        take(path, clips, store)
    assert len(error.value.problems) == 4
    assert "unmatched=skip" in error.value.hint
    assert "All of them have 10 values" in error.value.hint
    assert not store.path.exists()
    summary = take(folder(**{name: np.ones(DIM) for name in wide}), clips, store, unmatched="skip")
    assert (summary.new, summary.unmatched) == (4, 1)


def test_many_files_of_one_fault_are_told_together(folder, clips, store) -> None:
    path = folder(**{f"x{number:03}": np.ones((number + 1, DIM + 1)) for number in range(250)})
    with pytest.raises(InputError, match="500 problems; nothing was stored") as error:  # no clip is called so, either
        take(path, clips, store)
    assert sum("expected (9,)" in problem for problem in error.value.problems) == 3
    assert "247 more files have the same fault" in error.value.problems
    assert "granularity" not in error.value.hint


def test_the_width_of_another_published_model_is_recognised(folder, clips, store) -> None:
    with pytest.raises(InputError, match="emotion2vec_plus_seed and emotion2vec_plus_base have"):
        take(folder(**{"0002": np.ones(768)}), clips, store, ImportedVectors(model="iic/emotion2vec_plus_large"))


def test_a_width_must_be_known_or_given() -> None:
    assert dimension_of("iic/emotion2vec_plus_large") == 1024
    assert dimension_of("emotion2vec/emotion2vec_plus_base") == 768
    with pytest.raises(InputError, match="expected their width"):
        ImportedVectors(model="somebody/tuned")
    with pytest.raises(InputError, match="expected their width"):
        ImportedVectors(model="somebody/tuned", dim=0)
    one, other = vectors(), vectors(origin="cluster")
    assert one.fingerprint == vectors(model="anywhere/energy", frame_rate=None).fingerprint
    assert len({one.fingerprint, other.fingerprint, vectors(dim=8).fingerprint, vectors(model="x").fingerprint}) == 4


# -- whose vector it is ----------------------------------------------------------------------------------------------


def test_a_key_is_the_id_or_as_funasr_has_it_the_stem_of_the_file(tmp_path, folder, store) -> None:
    (a, b, c) = (clip.audio for clip in write_clips(tmp_path / "wav", 3))
    clips = [Clip("first", a), Clip("second", b), Clip("third", c), Clip("fourth", c, None, 0.0, 0.05)]
    path = folder(**{"0000": np.full(DIM, 1.0), "second": np.full(DIM, 2.0), "0002": np.full(DIM, 3.0)})
    summary = take(path, clips, store)
    assert (summary.new, summary.missing) == (3, 1)  # the span is another sound than the whole file
    found = {row.clip.id: row.vector[0] for row in stored_for(clips, vectors(), store)}
    assert found == {"first": 1.0, "second": 2.0, "third": 3.0}


def test_a_key_that_points_to_two_clips_is_refused_until_the_user_says_which(tmp_path, folder, store) -> None:
    (a, b) = (clip.audio for clip in write_clips(tmp_path / "wav", 2))
    clips = [Clip("0001", a), Clip("0000", b)]  # each id is the other's file
    path = folder(**{"0000": np.full(DIM, 1.0), "0001": np.full(DIM, 2.0)})
    problems = refused(path, clips, store)
    assert all("match=id or match=audio" in problem for problem in problems)
    take(path, clips, store, match="audio")
    assert [row.vector[0] for row in stored_for(clips, vectors(), store)] == [1.0, 2.0]
    take(path, clips, store, vectors(origin="ids"), match="id")
    assert [row.vector[0] for row in stored_for(clips, vectors(origin="ids"), store)] == [2.0, 1.0]
    assert "match: expected one of" in refused(path, clips, store, match="name")[0]


def test_equal_stems_in_two_folders_cannot_be_told_apart(tmp_path, folder, store) -> None:
    clips = [
        Clip("a", write_clips(tmp_path / "x", 1)[0].audio),
        Clip("b", write_clips(tmp_path / "y", 1, seed=1)[0].audio),
    ]
    (problem,) = refused(folder(**{"0000": np.ones(DIM)}), clips, store)
    assert "may be of several clips: 'a', 'b'" in problem


def test_a_clip_without_audio_and_audio_that_cannot_be_read(folder, clips, store) -> None:
    path = folder(words=np.ones(DIM), gone=np.ones(DIM), **{"0002": np.ones(DIM)})
    problems = refused(path, [*clips, Clip("words", text="hello"), Clip("gone", Path("nowhere/gone.wav"))], store)
    assert len(problems) == 2
    assert any("'words', which has no audio" in problem for problem in problems)
    assert any("'gone'" in problem and "no such file" in problem.lower() for problem in problems)


def test_a_folder_with_nothing_in_it(tmp_path, clips, store) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no vectors in"):
        take(tmp_path / "empty", clips, store)
    with pytest.raises(InputError, match="no such folder"):
        take(tmp_path / "nowhere", clips, store)
    np.save(tmp_path / "empty" / "nobody.npy", np.ones(DIM))
    assert "none of its 1 vectors is of a clip" in refused(tmp_path / "empty", clips, store, unmatched="skip")[0]


def test_one_content_has_one_vector(tmp_path, folder, store) -> None:
    (clip,) = write_clips(tmp_path / "wav", 1)
    (tmp_path / "wav" / "copy.wav").write_bytes(clip.audio.read_bytes())
    clips = [Clip("a", clip.audio), Clip("b", tmp_path / "wav" / "copy.wav")]
    path = folder(a=np.ones(DIM), b=np.full(DIM, 2.0))
    (problem,) = refused(path, clips, store)
    assert "same audio" in problem
    assert "differ by up to 1" in problem
    assert take(folder(b=np.ones(DIM)), clips, store).new == 1
    (problem,) = refused(folder(a=np.full(DIM, 1.5), b=np.full(DIM, 1.5)), clips, store)
    assert "the store has another vector" in problem
    assert "origin=" in problem
    assert take(path, clips, store, vectors(origin="second")).new == 1


def test_frames_are_added_to_vectors_that_came_without(folder, clips, store) -> None:
    take(folder(**{"0002": np.ones(DIM)}), clips, store)
    take(folder(**{"0002": np.ones((3, DIM))}), clips, store)
    (row,) = stored_for(clips[2:3], vectors(), store, frames=True)
    assert row.frames.shape == (3, DIM)


# -- what is said of them -------------------------------------------------------------------------------------------


@pytest.fixture
def webui(tmp_path: Path) -> Callable[..., Path]:
    """The WebUI's own layout, without Emofuse's additions."""

    def write(name: str, array: Any, result: Any = None, audio: bytes | None = None) -> Path:
        folder = tmp_path / "outputs" / name
        folder.mkdir(parents=True)
        np.save(folder / "embedding.npy", array)
        (folder / "processed_audio.wav").write_bytes(audio or b"")
        (folder / "result.json").write_text(result if isinstance(result, str) else json.dumps(result or {}))
        return folder

    return write


def scored(**scores: float) -> dict[str, Any]:
    best = max(scores, key=lambda label: scores[label])
    return {"emotion": best, "confidence": scores[best], "scores": scores, "granularity": "utterance"}


def test_the_webuis_own_folders(tmp_path, clips, store, webui) -> None:
    """They name no clip: the manifest may have the folder's name as id, or the audio in it as audio."""
    sound = clips[0].audio.read_bytes()
    webui("outputs_20240104_223000", np.full((1, DIM), 1.0), scored(happy=0.75, sad=0.25))
    inner = webui("outputs_20240104_223001", np.full(DIM, 2.0), scored(sad=0.5, happy=0.5), sound)
    mine = [Clip("outputs_20240104_223000", clips[1].audio), Clip("any", inner / "processed_audio.wav")]
    assert take(tmp_path / "outputs", mine, store).new == 2
    rows = list(stored_for(mine, vectors(), store))
    assert [row.vector[0] for row in rows] == [1.0, 2.0]
    assert store.tables()[0].labels == ("happy", "sad")
    np.testing.assert_array_equal([row.scores for row in rows], [[0.75, 0.25], [0.5, 0.5]])  # in one order
    alone = EmbeddingStore(tmp_path / "alone")
    assert take(inner, mine, alone).new == 1  # a single output folder, given itself


def test_scores_that_are_none_or_of_other_classes_are_refused(tmp_path, clips, store, webui) -> None:
    results = [
        scored(happy=1.0),
        scored(sad=1.0),
        scored(happy=1.5),
        "{",
        "[1]",
        {"scores": [0.5], "labels": ["a", "b"]},
    ]
    mine = []
    for number, result in enumerate(results):
        webui(f"outputs_20240104_22300{number}", np.ones(DIM), result)
        mine.append(Clip(f"outputs_20240104_22300{number}", clips[0].audio, None, 0.0, 0.03 + number / 1000))
    problems = refused(tmp_path / "outputs", mine, store)
    assert len(problems) == 5
    for words in ("of other classes: sad", "from 0 to 1, got 1.5", "no JSON", "got a list", "of one length"):
        assert any(words in problem for problem in problems), words
    for broken in (3, 4):
        (tmp_path / f"outputs/outputs_20240104_22300{broken}/result.json").write_text("{}")
    assert take(tmp_path / "outputs", mine, store, scores=False).new == 6
    assert store.tables()[0].labels == ()


def test_scores_meet_a_store_that_has_other_labels_or_none(tmp_path, clips, store, webui) -> None:
    names = [f"outputs_20240104_22300{number}" for number in range(3)]
    mine = [Clip(name, clips[0].audio, None, 0.0, 0.03 + i / 1000) for i, name in enumerate(names)]
    first = webui(names[0], np.ones(DIM), scored(happy=0.25, sad=0.75))
    take(first, mine, store)
    second = webui(names[1], np.ones(DIM), scored(sad=0.5, other=0.5))
    assert "expected happy, sad" in refused(second, mine, store)[0]
    third = webui(names[2], np.ones(DIM))
    take(third, mine, store)
    rows = {row.clip.id: row.scores for row in stored_for([mine[0], mine[2]], vectors(), store)}
    assert rows[names[0]].tolist() == [0.25, 0.75]
    assert rows[names[2]] is None
    without = EmbeddingStore(tmp_path / "without")
    take(third, mine, without)
    take(first, mine, without)  # the table has no labels to put them under
    assert all(row.scores is None for row in stored_for([mine[0], mine[2]], vectors(), without))


def test_a_description_that_names_another_model(folder, clips, store) -> None:
    path = folder(**{"0002": np.ones(DIM), "span": np.ones(DIM)})
    (path / "export.json").write_text(json.dumps({"model": "iic/emotion2vec_plus_base"}))
    (problem,) = refused(path, clips, store)
    assert problem == "2 vectors are said to be of emotion2vec_plus_base, not of energy"
    (path / "export.json").write_text(json.dumps({"model": "anywhere/Energy"}))
    assert take(path, clips, store).new == 2


def test_lines_of_scores(folder, clips, store) -> None:
    path = folder(**{"%2E.%2F..%2Fx": np.ones(DIM), "0002": np.ones(DIM)})
    lines = [{"key": "../../x", "labels": ["生气/angry", "<unk>"], "scores": [1.0, 0.0]}, {"labels": []}]
    (path / "scores.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (problem,) = refused(path, clips, store)
    assert "line 2: expected a `key`" in problem
    (path / "scores.jsonl").write_text(json.dumps(lines[0]))
    take(path, clips, store)
    assert store.tables()[0].labels == ("angry", "unknown")


@pytest.mark.parametrize(
    "result",
    [
        {"scores": {"a": "high"}},
        {"scores": {"a": None}},
        {"scores": {"a": True}},
        {"scores": {"a": float("nan")}},
        {"scores": [0.5, 0.5]},
        {"scores": [0.5, 0.5], "labels": ["a", "a"]},
        {"scores": [0.5, 0.5], "labels": ["a", 1]},
        {"scores": "high"},
        {"scores": 1.0},
    ],
)
def test_what_is_no_scores(result) -> None:
    with pytest.raises(ValueError, match=r"^scores: expected"):
        scores_in(result)


def test_reading_does_not_depend_on_the_layout_in_memory(tmp_path) -> None:
    frames = np.random.default_rng(0).normal(size=(5, DIM))
    np.save(tmp_path / "f.npy", np.asfortranarray(frames))
    np.testing.assert_array_equal(read_embedding(tmp_path / "f.npy").frames, frames.astype(np.float32))
