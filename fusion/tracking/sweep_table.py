"""The configurations of a sweep, best first: for the terminal, and as Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from fusion.tracking.jobs import SEED, Configuration, varied


def sweep_view(tried: Sequence[Configuration], *, shown: int, note: str) -> Group:
    """The first `shown` of them as a table."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold", pad_edge=False)
    header, rows = _cells(tried)
    for title in header:
        table.add_column(title, no_wrap=True)
    for place, row in enumerate(rows[:shown]):
        table.add_row(*(Text(cell, "bold" if place == 0 else "") for cell in row))
    more = f"… and {len(rows) - shown:,} more. " if len(rows) > shown else ""
    return Group("", table, Padding(Text(more + note, "dim"), (1, 0, 0, 0)))


def sweep_markdown(tried: Sequence[Configuration], *, note: str) -> str:
    """All of them as a Markdown table."""
    header, rows = _cells(tried)
    lines = [header, ["---"] * len(header), *rows]
    table = "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)
    return f"{table}\n\n{note}\n"


def _cells(tried: Sequence[Configuration]) -> tuple[list[str], list[list[str]]]:
    keys = [key for key in varied([job for one in tried for job in one.jobs]) if key != SEED]
    header = [*keys, "UA on validation", "sample sd over seeds", "seeds", "jobs"]
    rows = [
        [
            *(one.jobs[0].settings.get(key, "") for key in keys),
            "failed" if one.mean is None else f"{one.mean:.4f}",
            "–" if one.spread is None else f"{one.spread:.4f}",
            str(len(one.jobs)),
            ", ".join(str(job.number) for job in one.jobs),
        ]
        for one in tried
    ]
    return header, rows
