"""Blocks of a subtitle file, as WebVTT and SubRip share them: an id, a line of times, lines of text."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from fusion.meeting.transcripts.clock import clock_seconds

ARROW = "-->"
TIMES = re.compile(r"\s*([-−]?[\d:.,]+)\s*--+>\s*([-−]?[\d:.,]*)")
ID_BEFORE_TIMES = re.compile(r"\s*(?:\d{1,9}|[0-9a-fA-F]{8}-[0-9a-fA-F-]{27}\S{0,40})\s*")
ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,30});")
TIMESTAMP_TAG = re.compile(r"<(\d{1,6}:\d{1,2}(?::\d{1,2})?(?:\.\d{1,9})?)>")


@dataclass(slots=True)
class Block:
    """One block. `times` is False for blocks that have no line of times: notes, styles, stray text."""

    line: int  # of the times, else of its first line; from 1
    times: bool
    start: float | None = None
    end: float | None = None
    id: str | None = None
    lines: list[str] = field(default_factory=list)


def blocks(lines: Sequence[str]) -> Iterator[Block]:
    """The blocks between blank lines, in order. Times also begin a block where the blank line was lost."""
    current: Block | None = None
    for number, line in enumerate(lines, start=1):
        if ARROW in line and (found := TIMES.match(line)):
            name: str | None = None
            if current is not None:
                before = current.lines
                if before and (not current.times or ID_BEFORE_TIMES.fullmatch(before[-1])):
                    name = before.pop().strip()
                if current.times or before:
                    yield current
            current = Block(number, True, clock_seconds(found[1]), clock_seconds(found[2]), name)
        elif not line:  # a line of spaces ends nothing: YouTube writes such lines inside a cue
            if current is not None:
                yield current
            current = None
        elif current is None:
            current = Block(number, False, lines=[line])
        else:
            current.lines.append(line)
    if current is not None:
        yield current


def unescape(text: str) -> str:
    """Entities that are closed, once: `&amp;lt;` is the text `&lt;`, `AT&T` and `&copy` stay.

    >>> unescape("Tom &amp; Ann &lt;b&gt; AT&T &amp;lt; &nosuch;")
    'Tom & Ann <b> AT&T &lt; &nosuch;'
    """
    return ENTITY.sub(lambda found: html.unescape(found[0]), text) if "&" in text else text
