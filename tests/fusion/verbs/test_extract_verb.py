"""`emofuse extract`: what it says, and the files that it writes for others."""

from __future__ import annotations

import json

import numpy as np
import pyarrow.parquet as pq
import pytest
from safetensors.numpy import load_file

SPEECH = ("extract", "data.path=m.csv", "speech=acoustic", "modalities=[speech]")


def test_the_summary_is_printed_and_a_second_run_computes_nothing(emofuse, manifest) -> None:
    status, said, _ = emofuse(*SPEECH)
    assert status == 0
    assert "acoustic: 3 new, 0 reused, 0 failed, 1 without speech in " in said
    status, said, _ = emofuse(*SPEECH)
    assert status == 0
    assert "acoustic: 0 new, 3 reused, 0 failed, 1 without speech in " in said


def test_npy(emofuse, manifest, tmp_path) -> None:
    status, said, errors = emofuse(*SPEECH, "export=npy", "export.path=out, put/it's")
    assert status == 0, errors
    assert "3 clips in out, put/it's" in said
    folder = tmp_path / "out, put" / "it's"
    assert {p.name for p in folder.glob("*.npy")} == {"%2E.%2F..%2Fx.npy", "call 7.npy", "call 7 end.npy"}
    assert all(np.load(p, allow_pickle=False).shape == (185,) for p in folder.glob("*.npy"))
    assert not list(tmp_path.parent.glob("x*"))  # where ../../x would have led
    status, _, errors = emofuse(*SPEECH, "export=npy", "export.path=out, put/it's")
    assert status == 2
    assert "4 of these files are in" in errors
    assert "Nothing is ever overwritten" in errors


def test_what_cannot_be_written_is_refused_before_anything_is_computed(emofuse, manifest, tmp_path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "call 7.npy").write_bytes(b"mine")
    status, said, errors = emofuse(*SPEECH, "export=npy", "export.path=out")
    assert status == 2
    assert "- call 7.npy" in errors
    assert "acoustic" not in said
    assert not (tmp_path / "store").exists()
    manifest.write_text(manifest.read_text() + "CALL 7,a.wav,,x,s1,,\n" + "x" * 300 + ",a.wav,,x,s1,,\n")
    status, _, errors = emofuse(*SPEECH, "export=npy")
    assert status == 2
    assert "'call 7', 'CALL 7': one file on Windows and macOS" in errors
    assert "has 304 bytes, 255 are possible" in errors
    status, _, errors = emofuse(*SPEECH, "export=parquet")  # where ids are data
    assert status == 0, errors


def test_frames_scores_and_every_layout_of_emotion2vec(emofuse, manifest, checkpoint, tmp_path) -> None:
    command = ("extract", "data.path=m.csv", f"speech.model={checkpoint}", "speech.device=cpu", "modalities=[speech]")
    status, said, errors = emofuse(*command, "granularity=frame", "export=webui", "export.path=outputs")
    assert status == 0, errors
    assert "3 clips with scores of 9 classes in outputs" in said
    found = {}
    for folder in sorted((tmp_path / "outputs").iterdir()):
        result = json.loads((folder / "result.json").read_text())
        found[result["key"]] = result, np.load(folder / "embedding.npy")
    assert list(found) == ["../../x", "call 7", "call 7 end"]
    assert [array.shape for _, array in found.values()] == [(37, 64), (37, 64), (22, 64)]
    assert all(sum(result["scores"].values()) == pytest.approx(1, abs=1e-5) for result, _ in found.values())
    assert all(result["model"] == "tiny" for result, _ in found.values())

    status, said, errors = emofuse(*command, "export=safetensors", "export.path=st")
    assert status == 0, errors
    assert "tiny: 0 new, 3 reused" in said  # frames are there, and vectors with them
    tensors = load_file(tmp_path / "st" / "speech.safetensors")
    np.testing.assert_allclose(tensors["vectors"], [array.mean(axis=0) for _, array in found.values()], atol=1e-5)
    np.testing.assert_allclose(tensors["scores"], [list(result["scores"].values()) for result, _ in found.values()])

    status, _, errors = emofuse(*command, "granularity=frame", "export=parquet", "export.path=st")
    assert status == 0, errors
    table = pq.read_table(tmp_path / "st" / "speech.parquet")
    assert table["id"].to_pylist() == list(found)
    np.testing.assert_array_equal(np.float32(table["frames"][2].as_py()), found["call 7 end"][1])
    assert "score_surprised" in table.column_names


def test_text_and_both(emofuse, manifest, tmp_path) -> None:
    both = ("extract", "data.path=m.csv", "speech=acoustic")
    status, said, errors = emofuse(*both, "export=parquet", "export.path=out", "export.modality=text")
    assert status == 0, errors
    assert "acoustic: 3 new" in said
    assert pq.read_table(tmp_path / "out" / "text.parquet")["id"].to_pylist() == ["../../x", "call 7", "words"]
    assert not (tmp_path / "out" / "speech.parquet").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["granularity=word"], "granularity: expected utterance or frame, got 'word'"),
        (
            ["granularity=frame", "speech=imported", "speech.model=x", "speech.dim=4", "speech.frame_rate=null"],
            "describes whole clips; it has no frames",
        ),
        (["export=numpy"], "did you mean npy?"),
        (["export=npy", "export.modality=text"], "modalities=['speech'] computes none"),
        (["export=npy", "export.path=m.csv"], "export.path=m.csv cannot be written: m.csv is a file"),
        (["export=webui", "export.modality=text"], "export.modality: no such key"),
        (["data=features", "data.path=x.npz"], "extract needs a manifest"),
    ],
)
def test_mistakes_are_named_and_leave_with_2(emofuse, manifest, arguments, words) -> None:
    status, _, errors = emofuse(*SPEECH, *arguments)
    assert words in errors
    assert "Traceback" not in errors
    assert status == 2


def test_no_row_with_that_modality(emofuse, tmp_path) -> None:
    (tmp_path / "m.csv").write_text("id,text,label\n1,a,x\n2,b,x\n")
    status, _, errors = emofuse(*SPEECH, "export=npy")
    assert (status, "no row of the manifest has speech" in errors) == (2, True)
