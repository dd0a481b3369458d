"""Minutes as plain text: lines that begin with a mark or a number are bullets, short lines above them are headings."""

from __future__ import annotations

import re

from fusion.meeting.minutes.build import BOLD, Builder
from fusion.meeting.minutes.lines import Lines, find_lines
from fusion.meeting.minutes.types import Minutes, Place

_MARK = re.compile(
    r"(?P<indent>[ \t]*)(?:[-*+•‣◦▪●○·–—>]|\(?(?:\d{1,3}|[a-zA-Z])[.)、])[ \t]+(?=\S)|(?P<indented>[ \t]*)(?=[\[(]\d{1,2}:\d)"
)
_BOX = re.compile(r"\[([ xX✓✔])\][ \t]+|([☐☑☒])[ \t]*")
_RULE = re.compile(r"[ \t]*([-=_*~#])\1{2,}[ \t]*")
_TITLE = re.compile(r"[ \t]*(?P<title>[^.!?。！？]{1,60}?)[ \t]*[:：]?[ \t]*")


def parse_plain(text: str) -> Minutes:
    """Minutes of a plain text. Paragraphs are separated by empty lines; a line goes on with the lines indented below it.

    A heading is a short line that ends with a colon, is in capitals, or is underlined.

    >>> minutes = parse_plain("ACTION ITEMS\\n1) Ann opens a ticket\\n   for staging\\n\\nWe met. All went well.\\n")
    >>> [(item.kind, item.text) for item in minutes.items]
    [('task', 'Ann opens a ticket for staging'), ('task', 'We met. All went well.')]
    """
    lines = find_lines(text)
    builder = Builder()
    number = 0
    while number < len(lines):
        line = lines[number].lstrip("\ufeff")
        if not line.strip() or _RULE.fullmatch(line):
            number += 1
        elif title := _heading(lines, number, line):
            builder.heading(BOLD, title)
            number += 1
        else:
            number = _statement(lines, number, line, builder)
    return builder.finish(text, "text")


def _heading(lines: Lines, number: int, line: str) -> str | None:
    found = _TITLE.fullmatch(line)
    if found is None or _MARK.match(line):
        return None
    below = lines[number + 1] if number + 1 < len(lines) else ""
    capitals = line.isupper() and len(line.strip()) > 3
    if line.rstrip().endswith((":", "：")) or capitals or (_RULE.fullmatch(below) and not below.isspace()):
        return found["title"].strip()
    return None


def _statement(lines: Lines, start: int, line: str, builder: Builder) -> int:
    mark = _MARK.match(line)
    body = line[mark.end() :] if mark else line
    box = _BOX.match(body)
    words = [body[box.end() :] if box else body]
    end = start + 1
    while end < len(lines) and _continues(lines, end, marked=mark is not None):
        words.append(lines[end])
        end += 1
    done = (box.group(1) or box.group(2)) in ("x", "X", "✓", "✔", "☑", "☒") if box else None
    place = Place(start, end, lines.last_word(end - 1))
    builder.item(" ".join(" ".join(words).split()), "bullet" if mark else "paragraph", place, done=done)
    return end


def _continues(lines: Lines, number: int, *, marked: bool) -> bool:
    line = lines[number]
    if not line.strip() or _RULE.fullmatch(line) or _MARK.match(line):
        return False
    return line[:1] in " \t" if marked else _heading(lines, number, line) is None
