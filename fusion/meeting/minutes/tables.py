"""Rows of a Markdown table: which cell is the statement, which are its citations."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from markdown_it.token import Token

from fusion.meeting.minutes.build import Builder
from fusion.meeting.minutes.citations import find_quotes, find_times
from fusion.meeting.minutes.kinds import DUE_COLUMN, QUOTE_COLUMN, TEXT_COLUMN, TIME_COLUMN
from fusion.meeting.minutes.lines import Lines
from fusion.meeting.minutes.types import Citation, Place

_NOTHING = re.compile(r"(?:n/?a|none|tbd|-+|–|—|无|無|nil|\s)*\.?", re.IGNORECASE)


def read_table(
    tokens: Sequence[Token], position: int, lines: Lines, builder: Builder, plain_text: Callable[[str], str]
) -> int:
    """Reads the table that opens at `position` into items, a row each; returns the position of its end."""
    names: list[str] = []
    cells: list[str] = []
    heading, line = True, 0
    while tokens[position].type != "table_close":
        token = tokens[position]
        if token.type == "tbody_open":
            heading = False
        elif token.type == "tr_open":
            cells, line = [], token.map[0] if token.map else line
        elif token.type == "inline":
            cells.append(token.content)
        elif token.type == "tr_close" and heading:
            names = [plain_text(cell) for cell in cells]
        elif token.type == "tr_close":
            _row(names, cells, line, lines, builder, plain_text)
        position += 1
    return position


def _row(
    names: list[str], cells: list[str], line: int, lines: Lines, builder: Builder, plain_text: Callable[[str], str]
) -> None:
    citations: list[Citation] = []
    said: list[tuple[int, str]] = []
    for column, cell in enumerate(cells):
        name, text = names[column], plain_text(cell)
        if _NOTHING.fullmatch(text) or (DUE_COLUMN.search(name) and not TEXT_COLUMN.search(name)):
            continue
        times = find_times(text, anywhere=True) if TIME_COLUMN.search(name) else find_times(text)
        if TIME_COLUMN.search(name) and times:
            citations += times
        elif QUOTE_COLUMN.search(name) and not TEXT_COLUMN.search(name):
            citations += find_quotes(text, whole=True) + times
        else:
            citations += find_quotes(text) + times
            said.append((column, text))
    if not said:
        return
    main = max(said, key=lambda entry: (bool(TEXT_COLUMN.search(names[entry[0]])), len(entry[1])))[0]
    text = ": ".join(
        [" ".join(text for column, text in said if column < main)] * (said[0][0] < main)
        + [" · ".join(text for column, text in said if column >= main)]
    )
    insert = _end_of_cell(lines[line], cells, main)
    place = Place(line, line + 1, lines.starts[line] + insert, in_table=True)
    quotes_first = sorted(citations, key=lambda citation: citation.kind)
    builder.item(text, "row", place, citations=quotes_first)


def _end_of_cell(line: str, cells: list[str], column: int) -> int:
    """Where in its line a cell's words end. Cells come with their pipes unescaped; all of them were escaped."""
    position = 0
    for cell in cells[: column + 1]:
        raw = cell.replace("|", "\\|")
        found = line.find(raw, position)
        position = (position if found < 0 else found) + len(raw)
    return min(position, len(line))
