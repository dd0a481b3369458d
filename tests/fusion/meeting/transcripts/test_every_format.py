"""What holds for every format: told by content, nothing lost, nothing run, whatever stands in the texts."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmarks.transcript_files import WRITERS, Said, conversation
from extractors.errors import InputError
from fusion.meeting.transcript import Transcript
from fusion.meeting.transcripts import account, read_transcript

PLAIN = ["so", "budget", "naïve", "we're", "10%", "R&D", "我们", "ça", "“quoted”", "x", "Tuesday,", "done."]
HOSTILE = [
    "<b>bold</b>", "<script>alert(1)</script>", "&amp;", "&#60;", "a:b", "Note:", "NOTE", "10:30", "http://x.y", "{", "}",
    "[x]", "<v", "<v Bob>", "</v>", ";;", "\\", '"', "'", "|", ";", "\u202e", "\u0000", "\x1b[31m", "SPEAKER", "{\\an8}", "%s",
    "$(rm -rf ~)", "=1+1", "\ud7ff", "🎉", "<|ANGRY|>", "00:00:01.000", "\u2028",
]  # fmt: skip
PEOPLE = ["Ann Lee", "Bob", "李四", "Zoë O'Neil"]


def talk(words: list[str], *, least: int) -> st.SearchStrategy[list[Said]]:
    """Turns of these words, each after the one before."""
    text = st.lists(st.sampled_from(words), min_size=least, max_size=6).map(" ".join)
    turn = st.tuples(st.integers(0, 3000), st.integers(1, 9000), st.sampled_from(PEOPLE), text)

    def laid(turns: list[tuple[int, int, str, str]]) -> list[Said]:
        at, said = 0, []
        for pause, length, speaker, words_ in turns:
            start = at + pause + 2
            at = start + length
            said.append(Said(start / 1000, at / 1000, speaker, words_))
        return said

    return st.lists(turn, min_size=1, max_size=8).map(laid)


def read_or_refused(path: Path) -> Transcript | None:
    """The transcript; None where it was refused with a reason, which is right too for what is broken."""
    try:
        return read_transcript(path)
    except InputError:
        return None


def assert_sound(transcript: Transcript) -> None:
    """What every transcript promises."""
    said = transcript.utterances
    assert transcript.cues + transcript.splits - transcript.joins == len(said) + len(transcript.left_out)
    assert all(entry.place and entry.reason for entry in transcript.left_out)
    assert len({u.id for u in said}) == len(said)
    assert all(0 <= u.start_s <= u.end_s < math.inf for u in said)
    assert [(u.start_s, u.end_s) for u in said] == sorted((u.start_s, u.end_s) for u in said)
    assert all(u.speaker is None or u.speaker.strip() for u in said)
    assert transcript.has_speakers == any(u.speaker for u in said)
    for utterance in said:
        (utterance.text + (utterance.speaker or "")).encode("utf-8")  # can be written
        assert "\n" not in utterance.text
    assert account(transcript)[0].startswith(transcript.format)


@pytest.mark.parametrize("name", WRITERS)
def test_told_by_content_and_read_whole(name: str, tmp_path: Path) -> None:
    expected, writer = WRITERS[name]
    said = conversation(12)
    written = writer(said)
    path = tmp_path / "transcript.dat"  # the name says nothing
    path.write_bytes(written.data)
    read = read_transcript(path)
    assert (read.format, read.cues, read.left_out) == (expected, written.cues, ())
    assert_sound(read)
    assert [u.start_s for u in read.utterances] == [s.start for s in said]
    assert read.has_end_times == written.ends
    if written.ends:
        assert [u.end_s for u in read.utterances] == pytest.approx([s.end for s in said], abs=1e-3)
    if written.text:
        assert [u.text for u in read.utterances] == [s.text for s in said]
    if written.speakers:
        assert [u.speaker for u in read.utterances] == [s.speaker for s in said]
    assert read_transcript(path, format=expected) == read


@pytest.mark.parametrize("name", WRITERS)
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(said=talk(PLAIN, least=1))
def test_cues_in_are_utterances_out(name: str, said: list[Said], tmp_path: Path) -> None:
    written = WRITERS[name][1](said)
    path = tmp_path / "transcript"
    path.write_bytes(written.data)
    read = read_transcript(path)
    assert read.cues == written.cues
    assert_sound(read)
    if written.text:
        kept = " ".join(u.text for u in read.utterances)
        assert sorted("".join(kept.split())) == sorted("".join("".join(s.text.split()) for s in said))


def test_an_id_that_cleans_to_nothing_takes_nobody_elses(tmp_path: Path) -> None:
    times = "00:00:0{0},000 --> 00:00:0{0},900"
    path = tmp_path / "call.srt"
    path.write_text(f"stray\n\n\x01\n{times.format(1)}\none\n\n2\n{times.format(2)}\ntwo\n")
    read = read_transcript(path)
    assert_sound(read)
    assert [(u.id, u.text) for u in read.utterances] == [("2-2", "one"), ("2", "two")]


@pytest.mark.parametrize("name", WRITERS)
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(said=talk([*PLAIN, *HOSTILE], least=0))
def test_whatever_the_texts_hold(name: str, said: list[Said], tmp_path: Path) -> None:
    path = tmp_path / "transcript"
    path.write_bytes(WRITERS[name][1](said).data)
    read = read_or_refused(path)
    if read is not None:
        assert_sound(read)


@pytest.mark.parametrize("name", WRITERS)
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    damage=st.lists(st.tuples(st.floats(0, 1), st.binary(max_size=4)), min_size=1, max_size=4), cut=st.floats(0.1, 1)
)
def test_a_damaged_file_is_read_or_refused(
    name: str, damage: list[tuple[float, bytes]], cut: float, tmp_path: Path
) -> None:
    data = WRITERS[name][1](conversation(4)).data
    data = data[: int(cut * len(data))]
    for where, new in damage:
        at = int(where * len(data))
        data = data[:at] + new + data[at + 1 :]
    path = tmp_path / "transcript"
    path.write_bytes(data)
    read = read_or_refused(path)
    if read is not None:
        assert_sound(read)


@pytest.mark.parametrize("name", WRITERS)
def test_an_offset_is_added_to_words_too(name: str, tmp_path: Path) -> None:
    path = tmp_path / "transcript"
    path.write_bytes(WRITERS[name][1](conversation(6)).data)
    plain, later = read_transcript(path), read_transcript(path, offset=7.5)
    assert later.offset_s == 7.5
    assert [u.start_s for u in later.utterances] == [u.start_s + 7.5 for u in plain.utterances]
    pairs = [
        (a, b)
        for p, q in zip(plain.utterances, later.utterances, strict=True)
        for a, b in zip(p.words, q.words, strict=True)
    ]
    assert all(b.start_s == pytest.approx(a.start_s + 7.5) for a, b in pairs)
    earlier = read_transcript(path, offset=-5.0)  # the first turn, 0 to 2.5 s, is before the recording then
    assert_sound(earlier)
    assert len(earlier.left_out) >= 1
    assert "before the recording's second 0" in earlier.left_out[0].reason
