"""What a search found, on a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath
from typing import Any

from rich.table import Table
from rich.text import Text

from fusion.explore.search.hits import Hit

SHOWN = 50  # of a long list; the file holds all
LONGEST = 60  # letters of a text


def hits_table(hits: Sequence[Hit], *, caption: str) -> Table:
    """A row for each hit; columns that no hit fills are left out."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold", pad_edge=False, caption_justify="left")
    table.add_column("rank", justify="right", no_wrap=True)
    table.add_column("id", no_wrap=True, max_width=28)
    numbers = [name for name in FORMATS if any(getattr(hit, name) is not None for hit in hits)]
    said = [name for name in ("label", "speaker", "text") if any(hit.metadata.get(name) for hit in hits)]
    placed = any(hit.metadata.get("audio") for hit in hits)
    for name in numbers:
        table.add_column(name, justify="right", no_wrap=True)
    for name in said:
        table.add_column(name, no_wrap=name != "text", max_width=LONGEST if name == "text" else 20, overflow="ellipsis")
    if placed:
        table.add_column("file", no_wrap=True, overflow="ellipsis")
    for hit in hits[:SHOWN]:
        cells = [Text(_number(name, getattr(hit, name))) for name in numbers]  # as Text: a name may hold markup
        cells += [Text(_short(hit.metadata.get(name))) for name in said]
        cells += [Text(_place(hit))] if placed else []
        table.add_row(str(hit.rank), Text(hit.id), *cells)
    table.caption = caption + (f"\n… and {len(hits) - SHOWN:,} more in the file" if len(hits) > SHOWN else "")
    return table


FORMATS = {"cosine": "{:+.3f}", "percentile": "{:.1f}", "keywords": "{:.2f}", "fused": "{:.4f}"}


def _number(name: str, value: float | None) -> str:
    return "–" if value is None else FORMATS[name].format(value).replace("-", "−")


def _short(value: Any) -> str:
    text = "" if value is None else " ".join(str(value).split())
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def _place(hit: Hit) -> str:
    """The file without its folders, and the seconds."""
    audio, start, end = (hit.metadata.get(name) for name in ("audio", "start", "end"))
    if not audio:
        return ""
    name = PurePath(str(audio)).name
    if start is None and end is None:
        return name
    return f"{name} {float(start or 0):.1f}–{'' if end is None else f'{float(end):.1f}'} s"
