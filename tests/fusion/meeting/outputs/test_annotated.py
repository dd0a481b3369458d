"""The copy of the minutes: whatever they leave open, its readers see the banner."""

from __future__ import annotations

from dataclasses import replace

import pytest
from markdown_it import MarkdownIt

from fusion.meeting.manners import BANNER
from fusion.meeting.minutes import parse_minutes
from fusion.meeting.outputs.annotated import write_annotated


@pytest.mark.parametrize(
    "end",
    [
        "",
        "<!-- to do\n",
        "```\nls\n",
        "~~~\nls",
        "<pre>\nx\n",
        "<script>\nx",
        "<!-- closed -->\n",
        "| a |\n|---|\n| b |",
    ],
)
def test_the_card_is_seen_whatever_the_minutes_leave_open(meeting, tmp_path, end):
    source = f"- it rained\n\n{end}"
    minutes = parse_minutes(source, format="markdown")
    copy = write_annotated(replace(meeting, minutes=minutes, items=()), tmp_path / "m.md").read_text()
    assert copy.startswith(source)
    paragraphs = [token.content for token in MarkdownIt("commonmark").parse(copy) if token.type == "inline"]
    assert f"**{BANNER}**" in paragraphs
