"""Zoom's summaries, timed highlights, plain text; which is which; and what is no minutes at all."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from extractors.errors import InputError
from fusion.meeting.minutes import annotate_markdown, parse_minutes, read_minutes, strip_annotations

ZOOM = {
    "meeting_uuid": "x==",
    "summary_title": "Weekly <b>sync</b>",
    "summary_overview": "The team met.\n\n- API | next",
    "summary_details": [{"label": "API", "summary": "It is done.\nStaging is old."}, {"label": "Empty", "summary": ""}],
    "next_steps": ["Ann opens a ticket", {"text": "Bob calls"}],
    "edited_summary": {"next_steps": ["Ann opened a ticket"], "summary_details": ""},
}


def test_zooms_summary_gives_overview_details_and_edited_next_steps() -> None:
    minutes = parse_minutes(json.dumps(ZOOM))
    assert minutes.format == "zoom"
    assert minutes.rendered
    assert [(item.kind, item.section[-1], item.text) for item in minutes.items] == [
        ("paragraph", "Overview", "The team met."),
        ("paragraph", "Overview", "API | next"),
        ("paragraph", "API", "It is done."),
        ("paragraph", "API", "Staging is old."),
        ("task", "Next steps", "Ann opened a ticket"),
    ]
    assert "\\<b\\>sync" in minutes.source
    again = parse_minutes(minutes.source, format="markdown")
    assert [item.text for item in again.items] == [item.text for item in minutes.items]


def test_zooms_webhook_and_its_newer_content_are_read() -> None:
    webhook = {"event": "meeting.summary_completed", "payload": {"object": ZOOM}}
    assert len(parse_minutes(json.dumps(webhook)).items) == 5
    newer = parse_minutes(json.dumps({"summary_title": "A", "summary_content": "## Recap\n- one thing\n"}))
    assert [(item.text, item.section) for item in newer.items] == [("one thing", ("Recap",))]


@pytest.mark.parametrize(
    "content",
    [
        [{"text": "Prices", "start": 18, "end": 65}],
        {"highlights": [{"title": "Prices", "start_time": "00:00:18", "end_time": "00:01:05"}]},
        {"chapters": [{"summary": "Prices", "start": 18000, "end": 65000}]},
        {"clips": [{"text": "Prices", "start_ms": 18000, "end_ms": 65000}]},
        {"a": {"b": [{"text": "Prices", "start": "18.0s", "end": "65.0s"}]}, "words": [{"text": "no", "start": 1}]},
    ],
)
def test_highlights_of_many_shapes_cite_the_same_span(content: object) -> None:
    [item] = parse_minutes(json.dumps(content)).items
    assert item.text == "Prices"
    assert [(cited.start_s, cited.end_s) for cited in item.citations] == [(18.0, 65.0)]


def test_badges_go_beside_rendered_items() -> None:
    minutes = parse_minutes(json.dumps([{"text": "1. <i>Prices</i> _up_", "start": 18}]))
    copy = annotate_markdown(minutes, {"item-1": "+0.3"})
    assert "- 1\\. \\<i\\>Prices\\</i\\> \\_up\\_ (0:18) ⟦+0.3⟧\n" in copy
    assert strip_annotations(copy) == minutes.source


def test_plain_text_has_headings_bullets_boxes_and_paragraphs() -> None:
    text = "Sync\n====\n\nDECISIONS\n– blue it is\n2) and round,\n   like a ball\n\nTodo:\n☐ call Ann\n\nWe met.\n"
    minutes = parse_minutes(text, format="text")
    assert [(item.kind, item.text, item.done) for item in minutes.items[:2]] == [
        ("decision", "blue it is", None),
        ("decision", "and round, like a ball", None),
    ]
    assert minutes.items[2].done is False
    assert "call Ann" in minutes.items[2].text
    copy = annotate_markdown(minutes, {"item-2": "a*b"})
    assert "   like a ball ⟦a*b⟧\n" in copy


def test_a_plain_transcript_like_text_keeps_its_times() -> None:
    minutes = parse_minutes("[00:18] Ann proposes blue\n[01:05] Bob agrees\n")
    assert minutes.format == "text"
    assert [(item.text[8:], item.citations[0].start_s) for item in minutes.items] == [
        ("Ann proposes blue", 18.0),
        ("Bob agrees", 65.0),
    ]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (b"\xef\xbb\xbf \r\n\t", "empty"),
        (b"PK\x03\x04 rest", "Word"),
        (b"%PDF-1.7", "PDF"),
        (b"- caf\xe9", "UTF-8"),
        (b"- a\0b", "zero bytes"),
        (b'{"a": 1}', "holds no minutes"),
        (b'{"a": ', "cannot be read"),
        (b"[" * 100_000, "no item"),
        (b"```\ncode\n```\n", "no item"),
        (b"<html><body><p>Hi</p></body></html>", "no item"),
    ],
)
def test_what_is_no_minutes_is_an_error_that_says_so(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "minutes.txt"
    path.write_bytes(content)
    with pytest.raises(InputError, match=words):
        read_minutes(path, format="markdown" if content.startswith((b"```", b"<")) else None)


def test_a_missing_file_and_an_unknown_format_are_errors(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot read"):
        read_minutes(tmp_path / "none.md")
    with pytest.raises(InputError, match="unknown format"):
        parse_minutes("- a", format="docx")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "text",
    ["- a bullet\n" * 500_000, "| a | b |\n|--|--|\n" + "| x | y |\n" * 500_000, f"- {'word ' * 100}\n" * 10_000],
)
def test_five_megabytes_of_items_are_an_error_within_seconds(text: str) -> None:
    begun = time.perf_counter()
    with pytest.raises(InputError, match=r"500,00\d lines|more than 5,000 items"):
        parse_minutes(text, format="markdown")
    assert time.perf_counter() - begun < 15


def test_five_megabytes_in_one_line_are_one_item() -> None:
    begun = time.perf_counter()
    minutes = parse_minutes("word " * 1_000_000, format="markdown")
    assert len(minutes.items) == 1
    assert time.perf_counter() - begun < 10


def test_highlights_are_cited_from_before_they_were_said_and_read_back() -> None:
    found = parse_minutes(json.dumps([{"text": "Prices go up", "start": 59.6, "end": 60.4}]))
    (item,) = found.items
    assert [citation.text for citation in item.citations] == ["0:59–1:00"]
    again = parse_minutes(annotate_markdown(found, {}))
    assert [(c.start_s, c.end_s) for c in again.items[0].citations] == [(59.0, 60.0)]
