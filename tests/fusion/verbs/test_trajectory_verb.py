from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hydra.core.global_hydra import GlobalHydra

from extractors.audio import load_audio
from extractors.vad import speech_detector
from fusion.verbs.trajectory import main

SAMPLES = Path(__file__).resolve().parents[3] / "samples" / "audio"


@pytest.fixture(scope="module")
def call() -> np.ndarray:
    """(samples,) five clips of one speaker."""
    return np.concatenate([load_audio(path) for path in sorted(SAMPLES.glob("us-f1-0*"))[:5]])


@pytest.fixture
def trajectory(call, tmp_path, monkeypatch, capsys):
    """trajectory("key=value", …) in a folder with `it's a call.flac` -> exit status, standard output, standard error."""
    monkeypatch.chdir(tmp_path)
    soundfile.write(tmp_path / "it's a call.flac", call, 16_000)

    def run(*arguments: str) -> tuple[int, str, str]:
        GlobalHydra.instance().clear()
        monkeypatch.setattr(sys, "argv", ["emofuse trajectory", *arguments])
        status = 0
        try:
            main()
        except SystemExit as left:
            status = int(left.code or 0)
        GlobalHydra.instance().clear()
        return status, *capsys.readouterr()

    return run


def test_scores_of_emotion2vec_with_speakers(trajectory, checkpoint, tmp_path):
    (tmp_path / "call.vtt").write_text(
        "WEBVTT\n\n00:00.000 --> 00:04.000\n<v Ann Lee>So it is.</v>\n\n00:04.000 --> 00:08.000\n<v Bo>No.</v>\n"
    )
    status, out, err = trajectory(
        "audio=it's a call.flac", "transcript=call.vtt", f"speech.model={checkpoint}", "speech.device=cpu", "output=out"
    )
    assert status == 0, err
    assert "it's a call" in out
    assert "not for employment" in " ".join(out.split())
    found = json.loads((tmp_path / "out" / "trajectory.json").read_text())
    assert [row["speaker"] for row in found["speakers"]] == ["Ann Lee", "Bo"]
    assert found["rows_per_second"] == 50
    assert found["settings"]["valence"] == "default"


def test_acoustic_without_changes_and_people_left_out(trajectory, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "call.srt").write_text(
        "1\n00:00:00,000 --> 00:00:05,000\nAnn: So it is.\n\n2\n00:00:05,000 --> 00:00:08,000\nBo: No.\n\n"
        "3\n00:00:08,000 --> 00:00:10,000\nAnn: But.\n\n4\n00:00:10,000 --> 00:00:12,000\nBo: No.\n"
    )
    arguments = ("audio=~/it's a call.flac", "speech=acoustic", "transcript=~/call.srt", "exclude_speakers=[Bo]")
    status, _, err = trajectory(*arguments, "changes=null", "output=~/out")
    assert status == 0, err
    found = json.loads((tmp_path / "out" / "trajectory.json").read_text())
    assert [row["speaker"] for row in found["speakers"]] == ["Ann"]
    assert found["speech_s"] < 7.6
    assert found["settings"]["signal"] is None


def test_mistakes_are_said_and_leave_with_two(trajectory, tmp_path):
    soundfile.write(tmp_path / "silent.wav", np.zeros(64_000), 16_000)
    call = "audio=it's a call.flac"
    for arguments, said in (
        (("audio=none.wav",), "no such file"),
        (("audio=silent.wav", "speech=acoustic"), "is silent"),
        ((call, "speech=acoustic", "shown=-1"), "shown: expected a number from 0"),
        ((call, "speech=acoustic", "changes.penalty=0"), "penalty: expected a number above 0"),
        ((call, "speech=acoustic", "changes=5"), "changes: expected penalty and min_seconds"),
        ((call, "speech=acoustic", "exclude_speakers=[Bo]"), "exclude_speakers needs a transcript"),
        ((call, "speech=acoustic", "valance=default"), "valence"),
        ((call, "bundle=nowhere"), "is not a bundle"),
        ((), "audio: expected a value"),
    ):
        status, _, err = trajectory(*arguments)
        assert status == 2, (arguments, err)
        assert said in err


ACOUSTIC = ("audio=it's a call.flac", "speech=acoustic")


def test_what_is_not_installed_is_said_before_anything_is_read(trajectory, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ruptures", None)
    (tmp_path / "broken.wav").write_bytes(b"no sound")
    for arguments in (("audio=broken.wav", "speech=acoustic"), ("audio=broken.wav", "transcript=none.vtt")):
        status, _, err = trajectory(*arguments)
        assert (status, "ruptures is needed here and is not installed" in err) == (2, True), err
    status, _, err = trajectory("audio=broken.wav", "speech=acoustic", "changes=null")
    assert (status, "ruptures" in err) == (2, False)
    monkeypatch.setitem(sys.modules, "silero_vad", None)
    speech_detector.cache_clear()
    status, _, err = trajectory("audio=broken.wav", "speech=acoustic", "changes=null", "silence=vad")
    assert (status, "emofuse[vad]" in err) == (2, True), err


def test_an_earlier_course_is_replaced_and_nothing_else_is(trajectory, tmp_path):
    arguments = (*ACOUSTIC, "changes=null", "output=out")
    status, out, err = trajectory(*arguments)
    assert status == 0, err
    assert "was replaced" not in out + err
    assert "acoustic brings no classes" in out + err
    (tmp_path / "out" / "notes.txt").write_text("mine")
    status, out, err = trajectory(*arguments)
    assert status == 0, err
    assert "the earlier course of it's a call was replaced" in out + err
    assert (tmp_path / "out" / "notes.txt").read_text() == "mine"

    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "changes.csv").write_text("version,change\n")
    (tmp_path / "theirs" / "trajectory.json").write_text('{"name": "of a rocket"}')
    status, _, err = trajectory("audio=none.wav", "output=theirs")  # before anything is read
    assert status == 2
    assert "theirs holds files of other origin" in err
    assert "changes.csv" in err
    assert (tmp_path / "theirs" / "changes.csv").read_text() == "version,change\n"

    status, _, err = trajectory(*ACOUSTIC, "transcript=out/trajectory.TextGrid", "output=out")
    assert (status, "what is read would be written over" in err) == (2, True)
