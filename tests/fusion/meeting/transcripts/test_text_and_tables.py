"""Text for people, CSV and JSON Lines."""

from __future__ import annotations

from pathlib import Path

import pytest

from extractors.errors import InputError
from fusion.meeting.transcripts import read_transcript

from .conftest import Read


def test_otter_has_no_ends(read: Read) -> None:
    found = read("Ann Lee  0:01\nRight, let's start.\nReally: now.\n\nUnknown Speaker  1:00:09\nTwelve?\n")
    assert [(u.speaker, u.start_s, u.text) for u in found.utterances] == [
        ("Ann Lee", 1.0, "Right, let's start. Really: now."), ("Unknown Speaker", 3609.0, "Twelve?"),
    ]  # fmt: skip
    assert all("no_end" in u.flags for u in found.utterances)
    assert not found.has_end_times
    assert found.utterances[0].end_s < 10  # not the hour until the next


def test_bracketed(read: Read) -> None:
    found = read("Call of Monday\n[00:00:01] Alice: So.\nand more\n(0:04 - 0:06) no name here: none\n")
    assert [(u.speaker, u.start_s, u.text) for u in found.utterances] == [
        ("Alice", 1.0, "So. and more"), ("no name here", 4.0, "none"),
    ]  # fmt: skip
    assert [o.reason for o in found.left_out] == ["text before the first time"]


def test_meets_document_has_a_time_every_five_minutes(read: Read) -> None:
    found = read(
        "Weekly sync - Transcript\n\n00:00:00\n\nAnn Lee: Good morning to all of you.\nBob: Hi.\n\n"
        "00:05:00\n\nAnn Lee: Late again.\n"
        "Meeting ended after 00:06:10\n"
    )
    assert [(u.speaker, u.start_s) for u in found.utterances] == [("Ann Lee", 0.0), ("Bob", 3.0), ("Ann Lee", 300.0)]
    assert ["interpolated" in u.flags for u in found.utterances] == [False, True, False]
    assert (found.duration_s, found.has_end_times) == (370.0, False)


def test_csv_of_usual_and_of_named_columns(read: Read) -> None:
    usual = read('Start (s);End;Speaker;Text\n1,5;00:00:03.5;Ann;"so; be\nit"\n')
    assert [(u.start_s, u.end_s, u.speaker, u.text) for u in usual.utterances] == [(1.5, 3.5, "Ann", "so; be it")]
    columns = {"start": "Von", "duration": "Dauer", "text": "Wort", "speaker": "Wer", "unit": "ms"}
    named = read("Von,Dauer,Wort,Wer,text\n1500,2000,Ja,Ann,ignored\nx,1,Nein,Ann,\n", columns=columns)
    assert [(u.start_s, u.end_s, u.text) for u in named.utterances] == [(1.5, 3.5, "Ja")]
    assert [(o.place, o.reason) for o in named.left_out] == [("line 3", "no start time")]


def test_csv_with_columns_that_are_not_there(read: Read) -> None:
    with pytest.raises(InputError, match="is it 'Begin'") as caught:
        read("Begin,Stop,Words\n0,1,so\n", columns={"start": "Beginn", "text": "Words", "unit": "min", "colour": "x"})
    assert len(caught.value.problems) == 3
    with pytest.raises(InputError, match="no column for start"):
        read("a,b\n0,1\n", format="csv")


def test_json_lines_with_a_broken_line(read: Read) -> None:
    found = read('{"start_ms": 1500, "end_ms": 2000, "text": "so", "speaker": 4, "id": 7}\n{"start_ms": 2\n\n[]\n')
    assert [(u.id, u.start_s, u.speaker) for u in found.utterances] == [("7", 1.5, "4")]
    assert [(o.place, o.reason) for o in found.left_out] == [("line 2", "no JSON record"), ("line 4", "no JSON record")]


def test_a_json_list_of_records(read: Read) -> None:
    assert read([{"start": 0, "end": 1, "text": "so", "who": "Ann"}]).utterances[0].speaker == "Ann"


def test_samples(shared_data: Path) -> None:
    for name, format, count in (("otter.txt", "otter", 2), ("bracketed.txt", "bracketed", 3)):
        found = read_transcript(shared_data / "meeting/turnchunk_fixtures" / name)
        assert (found.format, len(found.utterances), found.has_end_times) == (format, count, False)
