"""The tables on a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console, Group
from rich.measure import Measurement
from rich.table import Table as RichTable
from rich.text import Text

from fusion.comparison.table import Table

LONGEST = 40  # lines; a longer table would scroll the others away


def print_tables(tables: Sequence[Table], console: Console | None = None) -> None:
    """Print every table with its notes; columns that do not fit are left out, and it is said where they are."""
    console = console or Console()
    for table in tables:
        console.print(_view(table, console))


def _view(table: Table, console: Console) -> Group:
    if len(table.lines) > LONGEST:
        return Group("", Text(table.title, "bold"), Text(f"{len(table.lines)} lines: the files have them.", "dim"))
    left_out: list[int] = []
    drawn = _draw(table, left_out)
    unbounded = console.options.update(max_width=10_000)
    for places in table.optional:
        if Measurement.get(console, unbounded, drawn).maximum <= console.width:
            break
        left_out += places
        drawn = _draw(table, left_out)
    notes = list(table.notes)
    if left_out:
        names = dict.fromkeys(table.columns[place] for place in sorted(left_out))
        notes.append(f"No room here for {', '.join(names)}: the files have them.")
    return Group("", Text(table.title, "bold"), drawn, *(Text(note, "dim") for note in notes))


def _draw(table: Table, left_out: Sequence[int]) -> RichTable:
    kept = [place for place in range(len(table.columns)) if place not in left_out]
    drawn = RichTable(box=None, padding=(0, 2, 0, 0), header_style="bold", pad_edge=False)
    for place in kept:
        drawn.add_column(Text(table.columns[place]), justify="left" if place == 0 else "right", vertical="top")
    for line in table.lines:
        cells = []
        for place in kept:
            cell = line[place]
            text = Text(cell.text, "bold" if cell.bold else "", no_wrap=place > 0)  # as Text: a name may hold markup
            cells.append(text.append(f"\n{cell.small}", "not bold dim") if cell.small else text)
        drawn.add_row(*cells)
    return drawn
