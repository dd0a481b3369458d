"""`emofuse import`: from the files of others to a classifier, by the command."""

from __future__ import annotations

import json
import shlex

import numpy as np
import pytest

EXTRACT = ("extract", "data.path=m.csv", "modalities=[speech]")


@pytest.mark.parametrize("export", ["npy", "webui"])
@pytest.mark.parametrize("granularity", ["utterance", "frame"])
def test_there_and_back(emofuse, manifest, checkpoint, tmp_path, export, granularity) -> None:
    model = (f"speech.model={checkpoint}", f"granularity={granularity}")
    status, _, errors = emofuse(*EXTRACT, *model, "speech.device=cpu", f"export={export}", "export.path=out")
    assert status == 0, errors
    store = f"store.path={tmp_path / 'second'}"
    status, said, errors = emofuse("import", "path=out", "data.path=m.csv", store, f"speech.model={checkpoint}")
    assert status == 0, errors
    assert "imported_tiny: 3 new, 0 known already, from out" in said
    assert "speech=imported speech.model=tiny speech.dim=64" in said
    imported = ("speech=imported", "speech.model=tiny", "speech.dim=64", store, f"granularity={granularity}")
    status, said, errors = emofuse(*EXTRACT, *imported, "export=npy", "export.path=back")
    assert status == 0, errors
    assert "imported_tiny: 0 new, 3 reused" in said
    assert "3 clips with scores of 9 classes in back" in said
    status, _, errors = emofuse(*EXTRACT, *model, "speech.device=cpu", "export=npy", "export.path=first")
    assert status == 0, errors
    names = {p.name for p in (tmp_path / "first").glob("*.npy")}
    assert names == {p.name for p in (tmp_path / "back").glob("*.npy")}
    for name in names:
        np.testing.assert_array_equal(np.load(tmp_path / "back" / name), np.load(tmp_path / "first" / name))
    scores = [(tmp_path / folder / "scores.jsonl").read_text().splitlines() for folder in ("first", "back")]
    assert [json.loads(line) for line in scores[0]] == [json.loads(line) for line in scores[1]]


def test_acoustic_vectors_of_another_machine(emofuse, manifest, tmp_path) -> None:
    emofuse(*EXTRACT, "speech=acoustic", "export=npy", "export.path=out")
    command = ("import", "path=out", "data.path=m.csv", "speech=acoustic", f"store.path={tmp_path / 'second'}")
    status, said, errors = emofuse(*command)
    assert status == 0, errors
    assert "speech=imported speech.model=acoustic speech.dim=185" in said
    status, said, errors = emofuse(*command, "same_weights=true")
    assert status == 0, errors
    assert "acoustic: 3 new" in said
    status, said, errors = emofuse(*EXTRACT, "speech=acoustic", f"store.path={tmp_path / 'second'}")
    assert "acoustic: 0 new, 3 reused" in said
    status, _, errors = emofuse(*command, "same_weights=true", "speech.loudness=-40")
    assert status == 2
    assert "not the same weights and settings" in errors


def test_frames_of_another_width_than_the_vectors_cannot_be_imported(emofuse, manifest, tmp_path) -> None:
    emofuse(*EXTRACT, "speech=acoustic", "granularity=frame", "export=npy", "export.path=out")
    status, _, errors = emofuse("import", "path=out", "data.path=m.csv", "speech=acoustic")
    assert status == 2
    assert "They are frames of 31 values, and vectors of that model have 185" in errors
    assert "Export again with granularity=utterance" in errors


def test_it_is_said_what_does_not_fit(emofuse, manifest, tmp_path) -> None:
    """Without the model at hand: the published width counts."""
    (tmp_path / "out").mkdir()
    np.save(tmp_path / "out" / "call 7.npy", np.ones(768, np.float32))
    np.save(tmp_path / "out" / "a.npy", np.ones((3, 768), np.float32))
    np.save(tmp_path / "out" / "call 7 end.npy", np.array([{}] * 3), allow_pickle=True)
    np.save(tmp_path / "out" / "nobody.npy", np.ones(1024, np.float32))
    command = ("import", "path=out", "data.path=m.csv")
    status, _, errors = emofuse(*command)
    assert status == 2
    assert "out: 4 problems; nothing was stored" in errors
    assert "a.npy: shape (3, 768), float32: expected (1024,), (1, 1024) or (frames, 1024)" in errors
    assert "call 7 end.npy: holds Python objects (a pickle), which are never read" in errors
    assert "nobody.npy: no clip is called 'nobody'" in errors
    assert not list((tmp_path / "store").glob("*.lance"))
    (tmp_path / "out" / "call 7 end.npy").unlink()
    status, said, errors = emofuse(*command, "unmatched=skip", "speech=emotion2vec_plus_base", "origin=cluster")
    assert status == 0, errors
    assert "2 new, 0 known already, from out; files of no clip: 1; clips without a vector there: 1" in said
    assert """ "speech.origin='cluster'"\n""" in said


def test_the_words_that_select_an_import_are_those_that_are_printed(emofuse, manifest, tmp_path) -> None:
    (tmp_path / "out").mkdir()
    np.save(tmp_path / "out" / "a.npy", np.ones(5, np.float32))
    command = ("import", "path=out", "data.path=m.csv", "speech.model=mine", "dim=5")
    origin = """it's "theirs", \\ or ours"""
    status, said, errors = emofuse(*command, f"origin={origin}")
    assert status == 0, errors
    words = shlex.split(said[said.index("speech=imported") :])
    status, said, errors = emofuse(*EXTRACT, *words, "extraction.max_failed=0.7")
    assert status == 0, errors
    assert "imported_mine: 0 new, 1 reused, 2 failed" in said


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "path: expected a value"),
        (["path=nowhere"], "path=nowhere: no such folder"),
        (["path=."], "no vectors in ."),
        (["path=.", "match=name"], "match: expected one of auto, id, audio"),
        (["path=.", "unmatched=keep"], "unmatched: expected refuse or skip"),
        (["path=.", "speech.model=somebody/tuned"], "expected their width"),
        (["path=.", "speech=acoustic", "dim=7"], "acoustic has vectors of 185 values, not of 7"),
        (["path=.", "speech=imported", "dim=7"], "expected speech.dim and speech.origin"),
        (["path=.", "speech=imported", "same_weights=true"], "same_weights=true: expected"),
        (["path=.", "same_weights=true", "speech.model=/nowhere/tiny"], "no Emotion2Vec+ model at /nowhere/tiny"),
        (["path=.", "data=features", "data.path=x.npz"], "import needs a manifest"),
        (["path=.", "orign=x"], "did you mean origin?"),
    ],
)
def test_mistakes_are_named_and_leave_with_2(emofuse, manifest, arguments, words) -> None:
    status, _, errors = emofuse("import", "data.path=m.csv", *arguments)
    assert words in errors
    assert "Traceback" not in errors
    assert status == 2
