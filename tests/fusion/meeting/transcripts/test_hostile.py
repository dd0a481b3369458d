"""Files made to break a reader: large, deep, endless, in another encoding, or no transcript at all."""

from __future__ import annotations

import contextlib
import gzip
import time
import tracemalloc
from pathlib import Path

import pytest

from benchmarks.transcript_files import WRITERS, conversation
from extractors.errors import InputError
from fusion.meeting.transcripts import read_transcript, source
from fusion.meeting.transcripts.formats import BY_NAME

from .conftest import Read

SECONDS = 10.0  # on a busy machine; alone it is one


@pytest.mark.parametrize("unit", ["<v ", "word ", "<00:00:01.000><c>", "&lt;", "00:00.000 --> 00:01.000 ", "a: "])
def test_fifty_megabytes_in_one_line(tmp_path: Path, unit: str) -> None:
    path = tmp_path / "call.vtt"
    path.write_bytes(b"WEBVTT\n\n00:00.000 --> 00:01.000\n" + unit.encode() * (50_000_000 // len(unit)))
    tracemalloc.start()
    began = time.perf_counter()
    with pytest.raises(InputError, match=r"line 4 has .* characters"):
        read_transcript(path)
    assert time.perf_counter() - began < SECONDS
    assert tracemalloc.get_traced_memory()[1] < 300_000_000
    tracemalloc.stop()


@pytest.mark.parametrize(
    "unit",
    [
        "<v ",
        "<v" + " " * 50,
        "<c.",
        "<",
        "&",
        "&#",
        "{\\",
        "a:",
        "：",
        "[",
        "<00:",
        "1:",
        "--> ",
        ">>",
        "- ",
        "Mr. ",
        "(",
        "“",
    ],
)
@pytest.mark.parametrize(
    "head", ["WEBVTT\n\n00:00.000 --> 00:01.000\n", "1\n00:00:00,000 --> 00:00:01,000\n", "Ann  0:01\n", "[0:01] "]
)
def test_no_pattern_runs_away_on_a_long_line(read: Read, unit: str, head: str) -> None:
    began = time.perf_counter()
    with contextlib.suppress(InputError):
        read(head + unit * (200_000 // len(unit)) + "\n")
    assert time.perf_counter() - began < 3.0


@pytest.mark.parametrize("depth", [100_000])
@pytest.mark.parametrize("opening", ["[", '{"segments":['])
def test_json_without_a_bottom(read: Read, opening: str, depth: int) -> None:
    with pytest.raises(InputError):
        read(opening * depth)


def test_a_bomb_in_gzip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "LARGEST", 2**22)  # the real one takes seconds to pack
    path = tmp_path / "call.vtt.gz"
    path.write_bytes(gzip.compress(b"WEBVTT\n" + b"\n" * 2**24))
    with pytest.raises(InputError, match="larger than"):
        read_transcript(path)


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252", "latin-1"]
)
def test_encodings(read: Read, encoding: str) -> None:
    text = "WEBVTT\n\n00:00.000 --> 00:01.000\n<v Zoë>Où est l'été? Straße.\n"
    found = read(text.encode(encoding))
    assert (found.utterances[0].speaker, found.utterances[0].text) == ("Zoë", "Où est l'été? Straße.")


def test_chinese_in_its_own_encoding(read: Read) -> None:
    text = "1\n00:00:01,000 --> 00:00:02,000\n张三：我们先看一下预算。\n"
    assert read(text.encode("gb18030")).utterances[0].speaker == "张三"
    assert read(text.encode("big5", "ignore"), encoding="big5").utterances
    with pytest.raises(InputError, match="cannot be read as ascii"):
        read(text, encoding="ascii")
    with pytest.raises(InputError, match="cannot be read as no-such"):
        read(text, encoding="no-such")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "empty"),
        (b" \n\n", "empty"),
        (b"RIFF\x00\x00\x00\x00WAVE", "a recording"),
        (b"PK\x03\x04 word/document.xml", "Word document"),
        (bytes(range(256)) * 20, "no text|no format"),
        (b"WEBVTT\n\n", "no cue gives an utterance"),
        (b"WEBVTT\n\n00:00.000 --> 00:01.000\n\n", "no cue gives an utterance"),
        (b"Dear all,\n\nhere are my notes.\n", "no format is known"),
        (b'{"answer": 42}', "no format is known"),
        (b'{"segments": [', "broken JSON"),
        (b"<html><body>Sign in</body></html>", "no format is known"),
        (b"\x1f\x8b not gzip", "cannot be read"),
    ],
)
def test_what_is_no_transcript(read: Read, data: bytes, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read(data)


def test_no_such_file_or_format(tmp_path: Path, read: Read) -> None:
    (tmp_path / "call.vtt").write_text("WEBVTT\n")
    with pytest.raises(InputError, match=r"Beside it: call\.vtt"):
        read_transcript(tmp_path / "cal.vtt")
    with pytest.raises(InputError, match="a folder"):
        read_transcript(tmp_path)
    with pytest.raises(InputError, match="is it 'webvtt'"):
        read("WEBVTT\n", format="webvt")
    with pytest.raises(InputError, match="offset is a number"):
        read("WEBVTT\n", offset=float("nan"))


def test_all_at_the_same_moment(read: Read) -> None:
    cues = "".join(f"00:00.000 --> 00:00.000\n<v P{n}>x\n\n" for n in range(3000))
    found = read("WEBVTT\n\n" + cues)
    assert len(found.utterances) == 3000
    assert all(u.flags == ("zero_length",) for u in found.utterances)


@pytest.mark.parametrize("name", WRITERS)
def test_a_format_said_wrongly(read: Read, name: str) -> None:
    data = WRITERS[name][1](conversation(3)).data
    for format in BY_NAME:
        try:
            read(data, format=format)
        except InputError:
            continue
