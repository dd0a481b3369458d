"""Tables that fit the terminal: what tells least is left out and named, and what is cut ends in …"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

GAP = 2  # blanks between columns


@dataclass(frozen=True)
class Column:
    """A column of texts, one line each.

    least : characters that it may be cut down to, where it is longer; None: never cut
    most  : characters beyond which it is cut, however wide the terminal is
    spare : the highest is left out first where not all fit; 0: always there
    """

    heading: str
    cells: Sequence[str]
    right: bool = False
    least: int | None = None
    most: int | None = None
    spare: int = 0

    @property
    def whole(self) -> int:
        longest = max(map(cell_len, [self.heading, *self.cells]))
        return longest if self.most is None else min(longest, max(self.most, cell_len(self.heading)))

    @property
    def narrowest(self) -> int:
        return self.whole if self.least is None else min(self.whole, max(self.least, cell_len(self.heading)))


def fitted(columns: Sequence[Column], width: int) -> tuple[Table, list[str]]:
    """A table of at most `width` characters, and the headings of the columns that did not fit.

    >>> texts = Column("text", ["one two three"], least=6, spare=1)
    >>> fitted([Column("id", ["call-17"]), texts, Column("file", ["call-17.flac"], spare=2)], 15)[1]
    ['file']
    """
    shown = list(columns)
    while _together([column.narrowest for column in shown]) > width and any(column.spare for column in shown):
        shown.remove(max(shown, key=lambda column: column.spare))
    widths = [column.whole for column in shown]
    while _together(widths) > width:  # a character at a time of whichever is the longest that may be cut
        room = [now - column.narrowest for now, column in zip(widths, shown, strict=True)]
        if not any(room):
            break  # a terminal this narrow folds the lines
        widths[max(range(len(shown)), key=lambda place: (room[place] > 0, widths[place]))] -= 1
    table = Table(box=None, padding=(0, GAP, 0, 0), pad_edge=False, header_style="bold", caption_justify="left")
    for column, characters in zip(shown, widths, strict=True):
        side = "right" if column.right else "left"
        table.add_column(column.heading, justify=side, width=characters, no_wrap=True)  # type: ignore[arg-type]
    for cells in zip(*(column.cells for column in shown), strict=True):
        table.add_row(*(Text(" ".join(cell.split())) for cell in cells))  # as Text: a name may hold markup
    return table, [column.heading for column in columns if column not in shown]


def left_out(headings: Sequence[str], where: str) -> str:
    """
    >>> left_out(["speaker", "file"], "hits.jsonl")
    'not shown for want of room: speaker, file (in hits.jsonl)'
    """
    return f"not shown for want of room: {', '.join(headings)} (in {where})" if headings else ""


def _together(widths: Sequence[int]) -> int:
    return sum(widths) + GAP * (len(widths) - 1)
