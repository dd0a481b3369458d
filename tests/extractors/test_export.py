"""Files for others: their layout and content, names that cannot leave the folder, and nothing ever overwritten."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import soundfile
from hypothesis import example, given, settings
from hypothesis import strategies as st
from safetensors import safe_open

from extractors.conditioning import Conditioning
from extractors.errors import EmofuseError, InputError
from extractors.export import NpyExport, ParquetExport, SafetensorsExport, StoredClips, WebUIExport, stored
from extractors.export.names import file_name, id_of, name_problems
from extractors.export.publish import new_entries
from extractors.export.webui import free_names
from extractors.pipeline import extract_to_store
from extractors.store import EmbeddingStore
from extractors.types import Clip, Embedding
from tests.extractors.energy import EnergyExtractor, write_clips

LABELS = ("angry", "sad", "unknown")


class Classifying(EnergyExtractor):
    """The energy of a clip, and three numbers that sum to one."""

    name = "energy-scores"

    def _embed(self, samples: Any, frames: bool) -> Embedding:
        found = super()._embed(samples, frames)
        first, second = found.vector[:2] / found.vector[:3].sum()
        scores = np.array([first, second, 1 - first - second], np.float32)
        return Embedding(found.vector, found.frames, scores, LABELS)


@pytest.fixture
def clips(tmp_path: Path) -> list[Clip]:
    """Four clips with difficult ids; the third is a span."""
    written = write_clips(tmp_path / "wav", 4)
    ids = ["a", "../../x", "Zürich 7", "100%/b"]
    spans = [(None, None), (None, None), (0.05, 0.09), (None, None)]
    return [Clip(id, c.audio, None, *span) for id, c, span in zip(ids, written, spans, strict=True)]


@pytest.fixture
def fill(tmp_path: Path) -> Callable[..., StoredClips]:
    def fill(clips: Sequence[Clip], extractor: Any = None, *, frames: bool = False) -> StoredClips:
        extractor, store = extractor or Classifying(), EmbeddingStore(tmp_path / "store")
        done = extract_to_store(clips, extractor, store, frames=frames, progress=False, workers=1)
        return StoredClips(store, extractor.fingerprint, clips, done.keys, frames=frames)

    return fill


def everything_in(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


# -- names --------------------------------------------------------------------------------------------------------


@given(st.text(st.characters(), min_size=1, max_size=40))
@example("../../x")
@example("..")
@example(".")
@example("/etc/passwd")
@example("C:\\x")
@example("con.txt")
@example("a\0b")
@example("%2e%2e")
@example("\ud800")
@example("\u202egpj.exe")
@settings(max_examples=300, deadline=None)
def test_any_id_becomes_a_name_in_the_folder_and_comes_back(id: str) -> None:
    name = file_name(id)
    assert id_of(name) == id
    assert name.encode().decode() == name
    assert not set(name) & set('/\\:*?"<>|\0')
    assert not name.startswith(".")
    assert os.path.normpath(os.path.join("/folder", name + ".npy")) == f"/folder/{name}.npy"  # noqa: PTH118


@given(st.text("Aa.%/é\u0301", min_size=1, max_size=4), st.text("Aa.%/é\u0301", min_size=1, max_size=4))
@settings(max_examples=300, deadline=None)
def test_different_ids_never_share_a_name(one: str, other: str) -> None:
    assert (file_name(one) == file_name(other)) == (one == other)


def test_ordinary_ids_stay_as_they_are() -> None:
    for id in ("call-0007_a.b", "Zürich 7", "通話", "03a01Fa", "-x", "con7"):
        assert file_name(id) == id


def test_ids_that_cannot_be_files_are_listed_together() -> None:
    problems = name_problems(["a", "A", "b", "b", "x" * 252, "é" * 130, "e\u0301", "\u00e9", "fine", ""], suffix=".npy")
    assert len(problems) == 6
    assert sum("Windows and macOS" in problem for problem in problems) == 2
    assert any("'b': 2 clips" in problem for problem in problems)
    assert sum("255 are possible" in problem for problem in problems) == 2
    assert "an empty id" in problems
    assert not name_problems(["x" * 251, "a", "b"], suffix=".npy")


# -- nothing is overwritten, nothing is half there ------------------------------------------------------------------


@pytest.mark.parametrize("exists", [False, True])
def test_an_export_that_fails_leaves_nothing(tmp_path: Path, exists: bool) -> None:
    target = tmp_path / "deep" / "out"
    if exists:
        target.mkdir(parents=True)
        (target / "mine.txt").write_text("mine")
    with pytest.raises(EmofuseError, match=r"cannot be written.*Nothing"), new_entries(target) as aside:  # noqa: PT012
        (aside / "a").write_text("a")
        raise OSError(28, "No space left on device")
    assert everything_in(tmp_path) == ({"deep/out/mine.txt": b"mine"} if exists else {})


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_a_name_taken_meanwhile_is_refused_and_the_rest_taken_back(tmp_path: Path, kind: str) -> None:
    target = tmp_path / "out"
    target.mkdir()
    with pytest.raises(InputError, match="by another program meanwhile"), new_entries(target) as aside:  # noqa: PT012
        (aside / "a").write_text("new")
        if kind == "file":
            (aside / "b").write_text("new")
        else:
            (aside / "b").mkdir()
        (aside / "c").write_text("new")
        (target / "b").write_text("theirs")
    assert everything_in(tmp_path) == {"out/b": b"theirs"}


def test_without_hard_links_nothing_is_overwritten_either(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_links(*_: Any) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_links)
    target = tmp_path / "out"
    target.mkdir()
    with new_entries(target) as aside:
        (aside / "a").write_text("a")
    assert everything_in(tmp_path) == {"out/a": b"a"}
    with pytest.raises(InputError, match="meanwhile"), new_entries(target) as aside:
        (aside / "a").write_text("other")
    assert everything_in(tmp_path) == {"out/a": b"a"}


def test_files_that_exist_are_listed_together_before_anything_is_computed(tmp_path: Path, clips: list[Clip]) -> None:
    export = NpyExport(path=tmp_path / "out")
    export.check(clips)
    (tmp_path / "out").mkdir()
    for name in ("a.npy", "Zürich 7.npy", "other.npy"):
        (tmp_path / "out" / name).write_bytes(b"theirs")
    with pytest.raises(InputError, match="2 of these files") as refused:
        export.check(clips)
    assert refused.value.problems == ("a.npy", "Zürich 7.npy")
    with pytest.raises(InputError, match="names of files in one folder") as refused:
        export.check([*clips, Clip("A"), Clip("a")])
    assert len(refused.value.problems) == 1


@pytest.mark.parametrize("export", [NpyExport, WebUIExport, ParquetExport, SafetensorsExport])
def test_a_second_export_changes_nothing_of_the_first(tmp_path, clips, fill, export) -> None:
    rows, path = fill(clips), tmp_path / "out"
    export(path=path).write(rows)
    before = everything_in(path)
    if export is WebUIExport:  # whose folders are never the same
        export(path=path).write(rows)
        assert len(list(path.iterdir())) == 8
    else:
        with pytest.raises(InputError, match="already"):
            export(path=path).write(rows)
        assert everything_in(path) == before
    assert before.items() <= everything_in(path).items()
    assert {p.name for p in tmp_path.iterdir()} == {"wav", "store", "out"}
    with pytest.raises(InputError, match="is a file"):
        export(path=clips[0].audio).check(clips)


# -- what is written ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("frames", [False, True])
def test_npy(tmp_path, clips, fill, frames) -> None:
    rows = fill([*clips, Clip("no audio")], frames=frames)
    folder = NpyExport(path=tmp_path / "out").write(rows)
    assert {p.stem for p in folder.glob("*.npy")} == {"a", "%2E.%2F..%2Fx", "Zürich 7", "100%25%2Fb"}
    scores = [json.loads(line) for line in (folder / "scores.jsonl").read_text().splitlines()]
    assert [line["key"] for line in scores] == [clip.id for clip in clips]
    for row, line in zip(rows, scores, strict=True):
        array = np.load(folder / f"{file_name(row.clip.id)}.npy", allow_pickle=False)
        assert array.dtype == np.float32
        np.testing.assert_array_equal(array, row.frames if frames else row.vector)
        assert array.ndim == 1 + frames
        assert line["labels"] == list(LABELS)
        np.testing.assert_array_equal(np.float32(line["scores"]), row.scores)
    about = json.loads((folder / "export.json").read_text())
    assert about["fingerprint"] == Classifying().fingerprint
    assert (about["dim"], about["granularity"]) == (9, "frame" if frames else "utterance")


def test_npy_of_a_model_without_scores_has_no_scores(tmp_path, clips, fill) -> None:
    folder = NpyExport(path=tmp_path / "out").write(fill(clips, EnergyExtractor()))
    assert {p.suffix for p in folder.iterdir()} == {".npy", ".json"}


@pytest.mark.parametrize("frames", [False, True])
def test_webui(tmp_path, clips, fill, frames) -> None:
    rows = fill(clips, frames=frames)
    folders = sorted(WebUIExport(path=tmp_path / "out").write(rows).iterdir())
    assert len(folders) == 4
    for folder, row in zip(folders, rows, strict=True):  # in the manifest's order
        assert datetime.strptime(folder.name, "outputs_%Y%m%d_%H%M%S") <= datetime.now()
        assert {p.name for p in folder.iterdir()} == {"processed_audio.wav", "result.json", "embedding.npy"}
        result = json.loads((folder / "result.json").read_text())
        assert list(result)[:5] == ["emotion", "confidence", "scores", "granularity", "timestamp"]
        assert result["key"] == row.clip.id
        assert result["emotion"] == LABELS[int(np.argmax(row.scores))]
        assert result["confidence"] == pytest.approx(float(np.max(row.scores)))
        assert list(result["scores"]) == result["labels"] == list(LABELS)
        assert (result["granularity"], result["model"]) == ("frame" if frames else "utterance", "energy-scores")
        np.testing.assert_array_equal(np.load(folder / "embedding.npy", allow_pickle=False), row.array)
        info = soundfile.info(folder / "processed_audio.wav")
        assert (info.samplerate, info.channels, info.subtype) == (16_000, 1, "PCM_16")
        written, _ = soundfile.read(folder / "processed_audio.wav", dtype="int16")
        source, _ = soundfile.read(row.clip.audio, dtype="int16")
        first, last = round((row.clip.start or 0) * 16_000), row.clip.end and round(row.clip.end * 16_000)
        np.testing.assert_array_equal(written, source[first:last])  # bit by bit
        assert result["seconds"] == len(written) / 16_000


def test_webui_without_scores_says_so(tmp_path, clips, fill) -> None:
    folder, *_ = WebUIExport(path=tmp_path / "out").write(fill(clips, EnergyExtractor())).iterdir()
    result = json.loads((folder / "result.json").read_text())
    assert (result["emotion"], result["confidence"], result["scores"]) == (None, None, {})


def test_webui_audio_is_what_was_encoded(tmp_path, clips, fill) -> None:
    class Louder(EnergyExtractor):
        conditioning = Conditioning(loudness=-30.0)

        def describe(self) -> dict[str, Any]:
            return super().describe() | self.conditioning.settings()

        def _embed(self, samples: Any, frames: bool) -> Embedding:
            return super()._embed(self.conditioning.plan(samples).apply(samples), frames)

    (clip,) = write_clips(tmp_path / "long", 1, shortest=1.0, longest=1.1)
    (folder,) = WebUIExport(path=tmp_path / "out").write(fill([clip], Louder())).iterdir()
    heard, _ = soundfile.read(folder / "processed_audio.wav", dtype="float32")
    (expected,) = EnergyExtractor().extract([heard])
    np.testing.assert_allclose(np.load(folder / "embedding.npy"), expected.vector, atol=1e-5)
    (as_it_is,) = EnergyExtractor().extract([soundfile.read(clip.audio, dtype="float32")[0]])
    assert np.abs(as_it_is.vector - expected.vector).min() > 1e-3


def test_webui_names_go_around_what_is_there() -> None:
    now = datetime(2024, 3, 1, 0, 0, 1)
    taken = {"outputs_20240301_000000", "outputs_20240229_235958"}
    assert free_names(taken, 3, now) == [
        "outputs_20240229_235957",
        "outputs_20240229_235959",
        "outputs_20240301_000001",
    ]


@pytest.mark.parametrize("frames", [False, True])
def test_parquet(tmp_path, clips, fill, frames, monkeypatch) -> None:
    monkeypatch.setattr("extractors.export.parquet.GROUP_ROWS", 3)
    monkeypatch.setattr(stored, "ROWS_AT_ONCE", 2)
    rows = fill(clips, frames=frames)
    table = pq.read_table(ParquetExport(path=tmp_path / "out").write(rows))
    expected = list(rows)
    assert table["id"].to_pylist() == [clip.id for clip in clips]
    assert str(table.schema.field("vector").type).startswith("fixed_size_list<")
    np.testing.assert_array_equal(np.float32(table["vector"].to_pylist()), [row.vector for row in expected])
    for place, label in enumerate(LABELS):
        np.testing.assert_array_equal(
            np.float32(table[f"score_{label}"].to_pylist()), [row.scores[place] for row in expected]
        )
    assert ("frames" in table.column_names) == frames
    if frames:
        for found, row in zip(table["frames"].to_pylist(), expected, strict=True):
            np.testing.assert_array_equal(np.float32(found), row.frames)
    assert json.loads(table.schema.metadata[b"labels"]) == list(LABELS)
    assert json.loads(table.schema.metadata[b"emofuse"])["fingerprint"] == Classifying().fingerprint


@pytest.mark.parametrize("frames", [False, True])
def test_safetensors(tmp_path, clips, fill, frames) -> None:
    rows = fill(clips, frames=frames)
    with safe_open(SafetensorsExport(path=tmp_path / "out").write(rows), "numpy") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        metadata = file.metadata()
    assert json.loads(metadata["ids"]) == [clip.id for clip in clips]
    assert json.loads(metadata["labels"]) == list(LABELS)
    assert json.loads(metadata["emofuse"])["model"] == "energy-scores"
    assert ("frames" in tensors) == frames
    for place, row in enumerate(rows):
        np.testing.assert_array_equal(tensors["vectors"][place], row.vector)
        np.testing.assert_array_equal(tensors["scores"][place], row.scores)
        if frames:
            first, last = tensors["offsets"][place : place + 2]
            np.testing.assert_array_equal(tensors["frames"][first:last], row.frames)


def test_a_clip_without_scores_among_others_has_none(tmp_path, clips) -> None:
    extractor, store = Classifying(), EmbeddingStore(tmp_path / "store")
    keys = [store.key(clip.id, None, None, extractor.fingerprint) for clip in clips]
    found = [
        Embedding(np.full(9, i, np.float32), None, *([None, ()] if i == 2 else [np.ones(3, np.float32), LABELS]))
        for i in range(4)
    ]
    store.put(extractor, keys, found)
    rows = StoredClips(store, extractor.fingerprint, clips, keys)
    assert [row.scores is None for row in rows] == [False, False, True, False]
    table = pq.read_table(ParquetExport(path=tmp_path / "out").write(rows))
    assert table["score_sad"].to_pylist() == [1, 1, None, 1]
    with safe_open(SafetensorsExport(path=tmp_path / "out").write(rows), "numpy") as file:
        np.testing.assert_array_equal(np.isnan(file.get_tensor("scores")).all(axis=1), [False, False, True, False])


def test_nothing_to_export_is_said(fill) -> None:
    with pytest.raises(InputError, match="no clip has an embedding"):
        fill([Clip("a"), Clip("b")])
