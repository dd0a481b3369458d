"""Who speaks: renamed, left out, or told by an RTTM beside the transcript."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from extractors.errors import InputError
from fusion.meeting.transcripts import read_transcript

from .conftest import Read

CALL = (
    "WEBVTT\n\n00:00.000 --> 00:02.000\n<v Ann Lee>One.\n\n00:02.000 --> 00:04.000\n<v Bob>Two.\n\n"
    "00:04.000 --> 00:06.000\n<v Ann Lee>Three.\n"
)


def test_map_by_the_files_names(read: Read) -> None:
    found = read(CALL, speaker_map={"ann  LEE": "A"})
    assert [u.speaker for u in found.utterances] == ["A", "Bob", "A"]


def test_numbers_may_be_meant_by_the_number(read: Read) -> None:
    utterances = [
        {"start": 0, "end": 900, "text": "so", "speaker": "A"},
        {"start": 900, "end": 1800, "text": "no", "speaker": "B"},
    ]
    found = read({"utterances": utterances}, speaker_map={"A": "Ann", "Speaker B": "Bob"})
    assert [u.speaker for u in found.utterances] == ["Ann", "Bob"]


@pytest.mark.parametrize("name", ["Bop", "Ann", "Lee", "Ann Lee Schmidt", "Anne Lee"])
def test_who_is_likely_meant_is_not_let_in(read: Read, name: str) -> None:
    with pytest.raises(InputError, match="exclude_speakers") as refused:
        read(CALL, exclude_speakers=[name])
    assert "is it" in refused.value.problems[0]


def test_an_rttm_without_a_turn_is_none(read: Read, tmp_path: Path) -> None:
    (tmp_path / "call.vtt").write_text(CALL)
    with pytest.raises(InputError, match="not a line of it is RTTM"):
        read(CALL, rttm=tmp_path / "call.vtt")


@pytest.mark.parametrize("name", ["Bob", "bob", "BOB ", "Robert"])
def test_left_out_before_anything_looks(read: Read, name: str) -> None:
    found = read(CALL, exclude_speakers=[name], speaker_map={"Bob": "Robert"})
    assert [u.text for u in found.utterances] == ["One.", "Three."]
    assert "Two." not in repr(found)
    assert "Bob" not in repr(found)
    assert "Robert" not in repr(found)
    assert found.excluded_times == ((2.0, 4.0),)
    assert [o.reason for o in found.left_out] == ["its speaker was to be left out"]
    assert found.cues == 3


def test_a_slip_in_a_name_lets_nobody_in(read: Read, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(InputError, match="is it 'ann lee'"):
        read(CALL, exclude_speakers=["Anne Lee"])
    with caplog.at_level(logging.WARNING):
        assert len(read(CALL, exclude_speakers=["Zacharias"]).utterances) == 3  # was not in this meeting
    assert "Zacharias" in caplog.text


def test_nobody_can_be_left_out_of_nobody(read: Read) -> None:
    with pytest.raises(InputError, match="nobody can be left out"):
        read("1\n00:00:01,000 --> 00:00:02,000\nhello\n", exclude_speakers=["Ann"])
    with pytest.raises(InputError, match="nothing is left"):
        read(CALL, exclude_speakers=["Ann Lee", "Bob"])
    with pytest.raises(InputError, match="a list of names"):
        read(CALL, exclude_speakers="Bob")


def test_rttm_names_who_speaks(read: Read, tmp_path: Path) -> None:
    rttm = tmp_path / "call.rttm"
    rttm.write_text(
        "".join(f"SPEAKER x 1 {start} {length} <NA> <NA> {who} <NA> <NA>\n" for start, length, who in
                [(0.0, 1.9, "s0"), (2.0, 1.1, "s1"), (3.0, 1.0, "s0")])
    )  # fmt: skip
    srt = "".join(f"{n}\n00:00:{n:02},000 --> 00:00:{n + 2:02},000\nsaid\n\n" for n in (0, 2, 9))
    found = read(srt, rttm=rttm, speaker_map={"s0": "Ann"})
    assert [(u.speaker, u.flags) for u in found.utterances] == [
        ("Ann", ()), ("s1", ("mixed_speakers",)), (None, ("speaker_unheard",)),
    ]  # fmt: skip
    shifted = read(srt, rttm=rttm, offset=2.0)  # the transcript's times move, the RTTM's do not
    assert [u.speaker for u in shifted.utterances] == ["s1", None, None]


def test_rttm_divides_at_words(read: Read, tmp_path: Path) -> None:
    rttm = tmp_path / "call.rttm"
    rttm.write_text("SPEAKER x 1 0 2 <NA> <NA> s0 <NA> <NA>\nSPEAKER x 1 2 2 <NA> <NA> s1 <NA> <NA>\n")
    words = [{"word": f" w{n}", "start": n * 0.5, "end": n * 0.5 + 0.4} for n in range(8)]
    content = {
        "segments": [{"start": 0, "end": 4, "text": " w0 w1 w2 w3 w4 w5 w6 w7", "words": words}],
        "language": "en",
    }
    found = read(content, rttm=rttm)
    assert [(u.speaker, u.text, u.start_s, u.end_s) for u in found.utterances] == [
        ("s0", "w0 w1 w2 w3", 0.0, 2.0), ("s1", "w4 w5 w6 w7", 2.0, 4.0),
    ]  # fmt: skip
    assert (found.cues, found.splits) == (1, 1)


def test_rttm_of_the_same_people_agrees(shared_data: Path) -> None:
    folder = shared_data / "meeting"
    plain = read_transcript(folder / "ami_ES2011a/ES2011a_teams_style.vtt")
    named = read_transcript(folder / "ami_ES2011a/ES2011a_teams_style.vtt", rttm=folder / "ami_ES2011a/ES2011a.rttm")
    pairs = [(a.speaker, b.speaker) for a, b in zip(plain.utterances, named.utterances, strict=True)]
    assert sum(a == b for a, b in pairs) > 0.94 * len(
        pairs
    )  # short ones within another's longer turn may go to that one
    call = read_transcript(folder / "pyannote_sample/sample.stm", rttm=folder / "pyannote_sample/sample.rttm")
    assert {u.speaker for u in call.utterances} == {"speaker90", "speaker91"}
    own = read_transcript(folder / "pyannote_sample/sample.stm")
    who = {"Diane": "speaker90", "Sheila": "speaker91"}
    assert sum(who[a.speaker or ""] == b.speaker for a, b in zip(own.utterances, call.utterances, strict=True)) >= 12
