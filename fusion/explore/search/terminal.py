"""What a search found, on a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath

from rich.console import Group
from rich.text import Text

from fusion.explore.fitting import Column, fitted, left_out
from fusion.explore.search.hits import Hit

SHOWN = 50  # of a long list; the file holds all
LEAST_ID, LONGEST_ID = 28, 64  # characters
LEAST_TEXT, LONGEST_TEXT = 12, 60
LONGEST_NAME = 20  # of a label or speaker
FORMATS = {"cosine": "{:+.3f}", "percentile": "{:.1f}", "keywords": "{:.2f}", "fused": "{:.4f}"}
SPARE = {"text": 1, "label": 2, "keywords": 3, "speaker": 4, "fused": 5, "file": 6}  # the highest goes first


def hits_table(hits: Sequence[Hit], *, caption: str, width: int = 80) -> Group:
    """A row for each hit, in at most `width` characters; columns that no hit fills are left out."""
    shown = hits[:SHOWN]
    columns = [
        Column("rank", [str(hit.rank) for hit in shown], right=True),
        Column("id", [hit.id for hit in shown], least=LEAST_ID, most=LONGEST_ID),
    ]
    for name, form in FORMATS.items():
        values = [getattr(hit, name) for hit in shown]
        if any(value is not None for value in values):
            cells = ["–" if value is None else form.format(value).replace("-", "−") for value in values]
            columns.append(Column(name, cells, right=True, spare=SPARE.get(name, 0)))
    for name in ("label", "speaker", "text"):
        said = [str(hit.metadata.get(name) or "") for hit in shown]
        least, most = (LEAST_TEXT, LONGEST_TEXT) if name == "text" else (None, LONGEST_NAME)
        if any(said):
            columns.append(Column(name, said, least=least, most=most, spare=SPARE[name]))
    if any(files := [_place(hit) for hit in shown]):
        columns.append(Column("file", files, spare=SPARE["file"]))
    table, missing = fitted(columns, width)
    lines = [caption, left_out(missing, "the file of hits")]
    lines.append(f"… and {len(hits) - SHOWN:,} more in the file" if len(hits) > SHOWN else "")
    return Group(table, Text("\n".join(line for line in lines if line), style="dim"))


def _place(hit: Hit) -> str:
    """The file without its folders, and the seconds."""
    audio, start, end = (hit.metadata.get(name) for name in ("audio", "start", "end"))
    if not audio:
        return ""
    name = PurePath(str(audio)).name
    if start is None and end is None:
        return name
    return f"{name} {float(start or 0):.1f}–{'' if end is None else f'{float(end):.1f}'} s"
