"""WebVTT as Zoom, Teams, Stream and YouTube write it, each with its traps."""

from __future__ import annotations

from pathlib import Path

import pytest

from fusion.meeting.transcripts import read_transcript

from .conftest import Read

ZOOM = """WEBVTT

1
00:04:02.100 --> 00:04:05.400
Priya Raman: Can everyone hear me okay?

2
00:04:05.400 --> 00:04:07.900
Great. So here's the thing: we're behind.

3
00:04:08.000 --> 00:04:09.000
Tom: Yes.

4
00:04:09.000 --> 00:04:10.000
Note: this is not a speaker, at 10:30: see https://x.org: ok

5
00:04:10.000 --> 00:04:11.000
Priya Raman: Ratio 3:1.
"""


def test_zoom_names_in_the_text_and_goes_on_without_one(read: Read) -> None:
    found = read(ZOOM)
    assert found.tool == "zoom"
    assert found.utterances[0].start_s == 242.1  # minutes in
    assert [(u.speaker, u.text) for u in found.utterances] == [
        ("Priya Raman", "Can everyone hear me okay?"),
        ("Priya Raman", "Great. So here's the thing: we're behind."),
        ("Tom", "Yes."),
        ("Tom", "Note: this is not a speaker, at 10:30: see https://x.org: ok"),
        ("Priya Raman", "Ratio 3:1."),
    ]
    assert [("continued_speaker" in u.flags) for u in found.utterances] == [False, True, False, True, False]


@pytest.mark.parametrize("colon", [": ", "：", " : "])
def test_both_colons(read: Read, colon: str) -> None:
    cues = [f"00:0{n}.000 --> 00:0{n + 1}.000\n{name}{colon}好的\n" for n, name in enumerate(["张三", "李四", "张三"])]
    assert [u.speaker for u in read("WEBVTT\n\n" + "\n".join(cues)).utterances] == ["张三", "李四", "张三"]


@pytest.mark.parametrize(
    "texts",
    [
        ["We have options.", "Python: no.", "Well then.", "Right.", "Fine."],  # once, among many without
        ["Question: what?", "Answer: this.", "Question: why?"],  # words that are no names
        ["10:30 it is", "11:00 it was", "12:15 too"],  # times
        ["https://a.org: see", "https://b.org: see"],  # addresses
        [f"{place}: this is where we were" for place in ("Rome", "Oslo", "Bern", "Riga", "Kyiv", "Cork")],  # ever new
        ["I told him, and this matters, that we go: now", "she said what she had to say to us: no"],  # sentences
    ],
)
def test_what_is_no_name_stays_text(read: Read, texts: list[str]) -> None:
    cues = [f"00:{n:02}.000 --> 00:{n + 1:02}.000\n{text}\n" for n, text in enumerate(texts)]
    found = read("WEBVTT\n\n" + "\n".join(cues))
    assert [u.text for u in found.utterances] == texts
    assert not found.has_speakers


def test_several_names_in_one_zoom_cue(read: Read) -> None:
    found = read(
        "WEBVTT\n\n00:00.000 --> 00:04.000\nAnn: One.\nBob: Two.\nand more\n\n00:04.000 --> 00:05.000\nAnn: Yes.\n"
    )
    assert [(u.id, u.speaker, u.text) for u in found.utterances] == [
        ("1", "Ann", "One."), ("1.2", "Bob", "Two. and more"), ("2", "Ann", "Yes."),
    ]  # fmt: skip
    assert (found.cues, found.splits) == (2, 1)


def test_teams_negative_offsets_are_neither_lost_nor_kept(read: Read) -> None:
    found = read(
        "WEBVTT\n\n-0:0:9.000 --> -0:0:8.000\n<v Ann Lee>Before.</v>\n\n-0:0:2.500 --> 0:0:3.100\n<v Ann Lee>Started earlier."
        "</v>\n\n0:0:4.0 --> 0:0:5.0\n<v Ann Lee>Next.</v>\n"
    )
    assert found.tool == "teams"
    assert [(u.start_s, u.end_s, u.flags) for u in found.utterances] == [(0.0, 3.1, ("clipped_start",)), (4.0, 5.0, ())]
    assert [(o.place, o.reason) for o in found.left_out] == [
        ("line 3", "ends before the recording's second 0 (-8.00 s)")
    ]
    assert found.cues == 3


def test_an_offset_brings_negative_times_back(read: Read) -> None:
    found = read("WEBVTT\n\n-0:0:2.500 --> 0:0:3.100\n<v Ann>So.</v>\n", offset=3.0)
    assert [(u.start_s, u.end_s, u.flags) for u in found.utterances] == [(0.5, 6.1, ())]


def test_two_voices_share_a_cue_by_their_texts(read: Read) -> None:
    found = read("WEBVTT\n\n00:02.000 --> 00:04.000\n<v Ann>Two voices</v> <v Bob &amp; Co>in one cue</v>\n")
    assert [(u.id, u.speaker, u.start_s, u.end_s) for u in found.utterances] == [
        ("1", "Ann", 2.0, 3.0), ("1.2", "Bob & Co", 3.0, 4.0),
    ]  # fmt: skip
    assert all("shared_cue" in u.flags for u in found.utterances)
    assert (found.cues, found.splits, found.left_out) == (1, 1, ())


def test_guids_are_ids_and_notes_hold_confidence(read: Read) -> None:
    guid = "9f6b5f9e-1b2c-4d3a-8f77-0d6f1a2b3c4d"
    found = read(
        'WEBVTT\n\nNOTE duration:"00:24:07.7380000"\n\nNOTE Confidence: 0.9\n\n'
        f"{guid}/3-0\n00:01.000 --> 00:02.000\nhello\n\n{guid}/4-0\n00:02.000 --> 00:03.000\nyou &amp; me\n"
    )
    assert [(u.id, u.text, u.confidence) for u in found.utterances] == [
        (f"{guid}/3-0", "hello", 0.9), (f"{guid}/4-0", "you & me", None),
    ]  # fmt: skip
    assert (found.duration_s, found.cues) == (1447.738, 2)


def test_equal_ids_are_told_apart(read: Read) -> None:
    found = read("WEBVTT\n\n" + "".join(f"x\n00:0{n}.000 --> 00:0{n + 1}.000\nhi\n\n" for n in range(4)))
    assert [u.id for u in found.utterances] == ["x", "x-2", "x-3", "x-4"]


def test_the_payload_may_be_json_with_a_wall_clock(read: Read) -> None:
    found = read(
        'WEBVTT\n\n00:00:16.000 --> 00:00:17.500\n{\n "startDateTime": "2026-03-02T09:00:16.0000000Z",\n'
        ' "speakerName": "Ann <Lee>",\n "spokenText": "It is {so}."\n}\n\n'
        '00:00:18.000 --> 00:00:19.000\n{"spokenText": broken\n'
    )
    assert [(u.speaker, u.text, u.start_s) for u in found.utterances] == [("Ann <Lee>", "It is {so}.", 16.0)]
    assert found.absolute_start is not None
    assert found.absolute_start.isoformat() == "2026-03-02T09:00:00+00:00"
    assert [o.reason for o in found.left_out] == ["its JSON is broken"]


def test_html_in_names_and_texts_is_text(read: Read) -> None:
    found = read(
        "WEBVTT\n\n00:00.000 --> 00:02.000\n<v &lt;script&gt;alert(1)&lt;/script&gt;>a &lt; b, <div>stays</div>, <b>goes</b>\n"
    )
    assert found.utterances[0].speaker == "<script>alert(1)</script>"
    assert found.utterances[0].text == "a < b, <div>stays</div>, goes"


def test_cues_without_blank_lines_or_with_broken_times(read: Read) -> None:
    found = read(
        "WEBVTT\n\n1\n00:00.000 --> 00:01.000\none\n2\n00:01.000 --> 00:02.000\ntwo\n\n3\n00:0x --> 00:03.000\nthree\n\nlost\n"
    )
    assert [(u.id, u.text) for u in found.utterances] == [("1", "one"), ("2", "two")]
    assert sorted(o.reason for o in found.left_out) == ["its times cannot be read", "text without times"]


def test_styles_and_notes_are_no_cues(read: Read) -> None:
    found = read(
        "WEBVTT - call\n\nSTYLE\n::cue { color: red }\n\nNOTE nothing\n\n00:00.000 --> 00:01.000 align:start\nhi\n"
    )
    assert (found.cues, len(found.utterances)) == (1, 1)


def test_youtube_rolls_each_line_twice(read: Read) -> None:
    found = read(
        "WEBVTT\nKind: captions\nLanguage: en\n\n00:00.000 --> 00:02.000\n \nthe<00:00:00.500><c> first</c>\n\n"
        "00:02.000 --> 00:02.010\nthe first\n \n\n00:02.010 --> 00:04.000\nthe first\nthing<00:00:03.000><c> is</c>\n"
    )
    assert [u.text for u in found.utterances] == ["the first", "thing is"]
    assert [o.reason for o in found.left_out] == ["repeats the cue before"]


@pytest.mark.parametrize(
    ("name", "cues", "utterances", "speakers"),
    [
        ("ami_ES2011a/ES2011a_teams_style.vtt", 348, 348, 4),
        ("turnchunk_fixtures/zoom.vtt", 3, 3, 2),
        ("turnchunk_fixtures/teams.vtt", 4, 4, 2),
        ("turnchunk_fixtures/renewal-call.vtt", 12, 12, 3),
        ("turnchunk_fixtures/escaped_tags.vtt", 3, 3, 0),
        ("turnchunk_fixtures/youtube_rolling.vtt", 4, 4, 0),
        ("vtt_edge/voices.vtt", 6, 7, 4),
        ("vtt_edge/stream_notes.vtt", 2, 2, 0),
        ("vtt_edge/teams_negative_offset.vtt", 2, 2, 1),
        ("vtt_edge/zh_colon.vtt", 3, 3, 2),
        ("vtt_edge/zoom_bom_crlf.vtt", 2, 2, 2),
    ],
)
def test_samples(shared_data: Path, name: str, cues: int, utterances: int, speakers: int) -> None:
    found = read_transcript(shared_data / "meeting" / name)
    assert (found.format, found.cues, len(found.utterances), found.left_out) == ("webvtt", cues, utterances, ())
    assert len({u.speaker for u in found.utterances} - {None}) == speakers


def test_over_99_hours_and_names_with_commas(shared_data: Path) -> None:
    found = read_transcript(shared_data / "meeting/vtt_edge/voices.vtt")
    assert found.utterances[-1].start_s == 360_001.0
    assert "Lastname, Firstname (Contoso)" in {u.speaker for u in found.utterances}
    assert [u.flags for u in found.utterances if u.text == "Zero length"] == [("zero_length",)]
    assert [u.speaker for u in found.utterances if u.text == "Unnamed"] == [None]
