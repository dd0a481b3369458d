"""Minutes that came as data, written as Markdown, so that they too have a copy with badges."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from fusion.meeting.minutes.build import Builder
from fusion.meeting.minutes.types import Citation, Kind, Minutes, Place

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~&!])")
_START = re.compile(r"([-+=]|\d+[.)])(?=\s|\Z)")


@dataclass(frozen=True, slots=True)
class Draft:
    """A heading (level 1 to 6), or an item (level 0)."""

    text: str
    level: int = 0
    kind: Kind = "bullet"
    citations: tuple[Citation, ...] = ()


def escape(text: str) -> str:
    """Text as Markdown that shows exactly it: one line, no markup, no HTML.

    >>> escape("1. <b>a|b</b>")
    '1\\\\. \\\\<b\\\\>a\\\\|b\\\\</b\\\\>'
    """
    text = _SPECIAL.sub(r"\\\1", " ".join(text.split()))
    start = _START.match(text)
    return f"{text[: start.end() - 1]}\\{text[start.end() - 1 :]}" if start else text


def render(drafts: Iterable[Draft], format: str, notes: Iterable[str] = ()) -> Minutes:
    """Minutes with a source of their own: headings and bullets, times in brackets after the words.

    >>> minutes = render([Draft("Sync", 1), Draft("We <3 it", citations=(Citation("time", "0:18", 18.0),))], "highlights")
    >>> print(minutes.source)
    # Sync
    <BLANKLINE>
    - We \\<3 it (0:18)
    <BLANKLINE>
    """
    builder = Builder()
    builder.notes += notes
    lines: list[str] = []
    length = 0
    for draft in drafts:
        times = ", ".join(citation.text for citation in draft.citations if citation.kind == "time")
        words = escape(draft.text)
        if times and times not in draft.text:
            words = f"{words} ({times})"
        if draft.level:
            added = ([""] if lines else []) + [f"{'#' * draft.level} {words}", ""]
            builder.heading(draft.level, " ".join(draft.text.split()), draft.citations)
        else:
            added = [f"- {words}"]
            place = Place(len(lines), len(lines) + 1, length + len(added[0]))
            builder.item(" ".join(draft.text.split()), draft.kind, place, citations=draft.citations or None)
        lines += added
        length += sum(len(line) + 1 for line in added)
    return builder.finish("\n".join([*lines, ""]), format, rendered=True)
