"""The annotated copy: a badge beside each item, every other character as it was."""

from __future__ import annotations

import re
from collections.abc import Mapping

from extractors.errors import InputError
from fusion.meeting.minutes.types import Minutes

BRACKETS = (("⟦", "⟧"), ("⦗", "⦘"), ("⟬", "⟭"), ("⦅", "⦆"))  # tried in order: the first that the minutes do not use
_SPECIAL = re.compile(r"([\\`*_\[\]<>&~])")


def annotate_markdown(minutes: Minutes, annotations: Mapping[str, str]) -> str:
    """The source with ` ⟦badge⟧` after the words of each item that has one (item id -> text; empty ones are passed over).

    Nothing but the badges is added and nothing is changed: line ends, tables, nested lists, code, HTML and front matter
    stay as they are, and `strip_annotations` gives the source back. A badge is text: line breaks become spaces, and what
    Markdown or HTML would read as markup is escaped (not in plain text). Write it with `minutes.encoding` and no
    translation of line ends: `path.write_bytes(copy.encode(minutes.encoding))`.

    Raises InputError for an id that is no item's.

    >>> from fusion.meeting.minutes.read import parse_minutes
    >>> minutes = parse_minutes("- prices go up  \\n- <b>call</b> Ann\\n")
    >>> annotate_markdown(minutes, {"item-1": "−0.42 · 3 of 4"})
    '- prices go up ⟦−0.42 · 3 of 4⟧  \\n- <b>call</b> Ann\\n'
    """
    items = {item.id: item for item in minutes.items}
    if unknown := sorted(set(annotations) - set(items)):
        raise InputError("annotations for items that the minutes do not have", unknown)
    opening, closing = brackets_for(minutes)
    parts: list[str] = []
    position = 0
    for item in sorted(minutes.items, key=lambda item: item.place.insert):
        badge = " ".join(annotations.get(item.id, "").split())
        if not badge:
            continue
        badge = badge.replace(opening, "[").replace(closing, "]")
        if minutes.format != "text":
            # a pipe as an entity: in a table it would end the cell, above a rule even an escaped one makes a table
            badge = _SPECIAL.sub(r"\\\1", badge).replace("|", "&#124;")
        parts += [minutes.source[position : item.place.insert], f" {opening}{badge}{closing}"]
        position = item.place.insert
    return "".join([*parts, minutes.source[position:]])


def strip_annotations(annotated: str, brackets: tuple[str, str] = BRACKETS[0]) -> str:
    """The text without its badges; `brackets` as `brackets_for` gives them.

    >>> strip_annotations("- prices go up ⟦−0.42⟧  \\n")
    '- prices go up  \\n'
    """
    opening, closing = map(re.escape, brackets)
    return re.sub(f" {opening}[^{opening}{closing}]*{closing}", "", annotated)


def brackets_for(minutes: Minutes) -> tuple[str, str]:
    """The brackets that a copy of these minutes has its badges in. Raises InputError where all are taken."""
    for opening, closing in BRACKETS:
        if opening not in minutes.source and closing not in minutes.source:
            return opening, closing
    raise InputError(f"the minutes use every bracket that badges could stand in: {' '.join(map(''.join, BRACKETS))}")
