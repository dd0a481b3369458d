"""`emofuse similar`: what it says, the files that it writes, and the mistakes that it names."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile

from fusion.explore.space import Space

COMMAND = ("similar", "data.path=voices.csv", "speech=acoustic")


@pytest.fixture
def voices(tmp_path: Path) -> list[str]:
    """`voices.csv`: ten tones, low and high, of two speakers. Returns the ids."""
    rows, ids = ["id,audio,text,label,speaker"], []
    for number in range(10):
        time = np.arange(8_000 + 400 * number) / 16_000
        pitch = (110 if number < 5 else 330) * (1 + 0.02 * (number % 5))
        tone = np.sin(2 * np.pi * pitch * time) + 0.5 * np.sin(4 * np.pi * pitch * time)
        samples = 0.2 * tone * np.hanning(len(time)) + 0.01 * np.random.default_rng(number).normal(size=len(time))
        soundfile.write(tmp_path / f"{number}.wav", samples, 16_000)
        ids.append(f"clip, {number}")
        rows.append(f'"clip, {number}",{number}.wav,words {number},{"low" if number < 5 else "high"},s{number % 2}')
    (tmp_path / "voices.csv").write_text("\n".join(rows) + "\n")
    return ids


def run_folder(tmp_path: Path) -> Path:
    return max((tmp_path / "runs" / "similar").glob("*/*"), key=lambda path: path.stat().st_mtime_ns)


def test_two_clips(emofuse, voices, tmp_path) -> None:
    status, said, errors = emofuse(*COMMAND, "a=clip, 0", "b=3.wav")
    assert status == 0, errors
    folder = run_folder(tmp_path)
    found = json.loads((folder / "similar.json").read_text())
    assert (found["a"], found["b"], found["model"]) == ("clip, 0", "3.wav", "acoustic")
    assert re.fullmatch(r"centred-[0-9a-f]{8}", found["space"])
    assert found["space"] in said
    assert Space.load(tmp_path / "store", found["space"]).rows == 10
    assert [entry["what"] for entry in found["references"]] == [
        "random pairs",
        "pairs of one label",
        "pairs of high",
        "pairs of low",
    ]
    assert [entry["pairs"] for entry in found["references"]] == [45, 20, 10, 10]
    assert f"{found['percentile']:.1f}" in said
    assert found["cosine"] < found["raw_cosine"]
    assert (folder / "similar.png").read_bytes().startswith(b"\x89PNG")
    # the same statistics again, by their name
    status, _, errors = emofuse(*COMMAND, "a=clip, 0", "b=clip, 3", f"space={found['space']}")
    assert status == 0, errors
    again = json.loads((run_folder(tmp_path) / "similar.json").read_text())
    assert again["cosine"] == pytest.approx(found["cosine"], abs=1e-6)


def test_one_against_all(emofuse, voices, tmp_path) -> None:
    status, said, errors = emofuse(*COMMAND, "a=2.wav", "k=4", "space=standardized")
    assert status == 0, errors
    assert "1 clips of the same content as a are left out" in said
    table = pd.read_csv(run_folder(tmp_path) / "similar.csv")
    assert len(table) == 4
    assert set(table["label"]) == {"low"}
    assert "clip, 2" not in set(table["id"])
    assert table["cosine"].is_monotonic_decreasing
    assert table["percentile"].between(0, 100).all()
    assert all(id in said for id in table["id"])


def test_all_pairs(emofuse, voices, tmp_path) -> None:
    status, said, errors = emofuse(*COMMAND, "pairs=all", "format=csv")
    assert status == 0, errors
    folder = run_folder(tmp_path)
    matrix = pd.read_csv(folder / "matrix.csv", index_col="id")
    assert list(matrix.index) == list(matrix.columns) == voices
    np.testing.assert_allclose(np.diag(matrix), 1, atol=1e-5)
    np.testing.assert_allclose(matrix, matrix.T, atol=1e-5)
    labels = pd.read_csv(folder / "labels.csv", index_col="label")
    assert labels.loc["low", "low"] > labels.loc["low", "high"]
    assert "10 clips, 45 pairs" in said
    assert (folder / "similar.png").is_file()
    status, _, errors = emofuse(*COMMAND, "pairs=all")
    assert status == 0, errors
    table = pd.read_parquet(run_folder(tmp_path) / "matrix.parquet")
    np.testing.assert_allclose(np.stack(table["cosines"]), matrix.to_numpy(), atol=1e-5)


def test_two_clips_frame_by_frame(emofuse, voices, tmp_path) -> None:
    status, said, errors = emofuse(*COMMAND, "a=clip, 0", "b=7.wav", "granularity=frame", "space=standardized")
    assert status == 0, errors
    folder = run_folder(tmp_path)
    found = json.loads((folder / "similar.json").read_text())
    assert found["references"][0]["pairs"] == 45
    assert found["frame_rate"] == 50
    assert f"{found['percentile']:.1f}" in said
    seconds = pd.read_csv(folder / "seconds.csv")
    assert list(seconds) == ["a_start", "a_end", "b_start", "b_end", "cosine", "tempo"]
    assert seconds["b_end"].iloc[-1] == pytest.approx(found["seconds"][1], abs=0.01)
    path = pd.read_csv(folder / "path.csv")
    assert path["a"].is_monotonic_increasing
    assert path["b"].is_monotonic_increasing
    assert (folder / "similar.png").is_file()


def test_files_instead_of_an_encoder(emofuse, voices, tmp_path) -> None:
    (tmp_path / "it's, vectors").mkdir()
    rng = np.random.default_rng(0)
    for name in "abcdef":
        np.save(tmp_path / "it's, vectors" / f"{name}.npy", rng.normal(size=(30, 16)).astype(np.float32))
    files = ("similar", "vectors=it's, vectors", "vectors_model=mine")
    status, said, errors = emofuse(*files, "a=a", "b=b")
    assert status == 0, errors
    assert "15" in said
    status, said, errors = emofuse(*files, "a=a", "b=b", "granularity=frame")
    assert status == 0, errors
    np.save(tmp_path / "it's, vectors" / "g.npy", np.ones(17, np.float32))
    np.save(tmp_path / "it's, vectors" / "h.npy", np.full(16, np.nan, np.float32))
    status, _, errors = emofuse(*files, "a=a", "b=b")
    assert status == 2
    assert "2 of 8 files cannot be used" in errors
    assert "g.npy" in errors
    assert "h.npy" in errors


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "expected a clip (a=…) or pairs=all, got neither"),
        (["a=clip, 0", "pairs=all"], "or pairs=all, got both"),
        (["b=clip, 0"], "b is compared with a, and there is no a"),
        (["pairs=some"], "pairs: expected all, got 'some'"),
        (["a=clip, 0", "k=0", "format=xls"], "format: expected parquet or csv, got 'xls'"),
        (["a=clip, 0", "granularity=frame"], "give a= and b="),
        (["a=clip, 0", "b=clip, 1", "granularity=frame", "space=centred-0a"], "of frames expected raw"),
        (["a=clip, 0", "b=clip 99"], "clip 99: no such file, and no id of the 10 clips"),
        (["a=clip, 0", "b=silent.wav"], "silent.wav is silent"),
        (["a=clip, 0", "b=clip, 1", "space=centered"], "got 'centered'"),
        (["a=clip, 0", "b=clip, 1", "reference.pairs=0"], "pairs: expected how many to draw"),
        (["a=clip, 0", "b=wide.npy"], "expected (185,)"),
        (["a=clip, 0", "b=clip, 1", "vectors=nowhere"], "nowhere is not there"),
        (["a=clip, 0", "spaec=raw"], "did you mean space?"),
    ],
)
def test_mistakes_are_named_and_leave_with_2(emofuse, voices, tmp_path, arguments, words) -> None:
    soundfile.write(tmp_path / "silent.wav", np.zeros(8000), 16_000)
    np.save(tmp_path / "wide.npy", np.ones(7, np.float32))
    status, _, errors = emofuse(*COMMAND, *arguments)
    assert words in errors
    assert "Traceback" not in errors
    assert status == 2


def test_an_empty_store_is_named(emofuse, tmp_path) -> None:
    status, _, errors = emofuse("similar", "a=x", "b=y", "speech=acoustic")
    assert status == 2
    assert "has no vectors of acoustic" in errors
