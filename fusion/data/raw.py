"""Reads a table of any supported format as text: nothing is guessed, only an empty cell is missing."""

from __future__ import annotations

import codecs
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from extractors.errors import InputError
from fusion.data.problems import Numbering, Positions

FORMATS = {
    ".csv": ",",
    ".tsv": "\t",
    ".tab": "\t",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
    ".pq": "parquet",
}
WIDE_ENCODINGS = {codecs.BOM_UTF16_LE: "UTF-16", codecs.BOM_UTF16_BE: "UTF-16"}


@dataclass(frozen=True)
class RawTable:
    """A table as it stands in its file.

    frame    : one `str` column per name; a missing cell is NaN (`isna`), never "" and never the text "NA".
               Columns of Parquet that are neither text nor numbers keep their type.
    rows     : (rows,) int64, the data row of each row of `frame`, from 1; broken rows are left out of `frame`
    lines    : (rows,) int64, the line of the file where the row begins, from 1; None where it is not known (yet)
    broken   : how many rows could not be read
    problems : sentences about these, about names that stand twice, and the like
    hints    : what to do about them
    """

    frame: pd.DataFrame
    rows: Positions
    lines: Positions | None = None
    broken: int = 0
    problems: list[str] = field(default_factory=list)
    hints: list[str] = field(default_factory=list)

    @property
    def numbering(self) -> Numbering:
        return Numbering(self.rows, self.lines)


def read_raw(path: Path, *, delimiter: str | None = None) -> RawTable:
    """Read CSV, TSV, JSON Lines or Parquet, by the file's suffix.

    Raises InputError where there is no such file, no such format, or nothing in it that could be read as a table.
    """
    kind = FORMATS.get(path.suffix.lower())
    if not path.exists():
        raise InputError(f"no such file: {path}", hint=_neighbours(path))
    if not path.is_file():
        raise InputError(f"{path} is a folder; expected a table: {', '.join(FORMATS)}")
    if kind is None:
        hint = "Save the sheet as CSV (UTF-8)." if path.suffix.lower() in (".xlsx", ".xls", ".ods") else None
        hint = "One JSON object per line goes by the name .jsonl." if path.suffix.lower() == ".json" else hint
        raise InputError(f"{path}: expected one of {', '.join(FORMATS)}, got {path.suffix or 'no suffix'!r}", hint=hint)
    if kind == "parquet":
        from fusion.data.raw_parquet import read_parquet

        return read_parquet(path)
    with path.open("rb") as file:
        start = file.read(4)
    if start[:2] in WIDE_ENCODINGS:
        name = WIDE_ENCODINGS[start[:2]]
        hint = f"Save it as UTF-8, or: iconv -f {name} -t UTF-8 {path.name} > utf8{path.suffix}"
        raise InputError(f"{path} is {name}; expected UTF-8", hint=hint)
    if kind == "jsonl":
        from fusion.data.raw_jsonl import read_jsonl

        return read_jsonl(path)
    from fusion.data.raw_csv import read_csv

    return read_csv(path, delimiter or kind)


def line_numbers(path: Path, *, delimiter: str | None = None) -> Positions | None:
    """(data rows,) int64, the line on which each data row begins, broken rows too; None where a file has no lines."""
    kind = FORMATS[path.suffix.lower()]
    if kind == "parquet":
        return None
    if kind == "jsonl":
        from fusion.data.raw_jsonl import jsonl_lines

        return jsonl_lines(path)
    from fusion.data.raw_csv import csv_lines

    return csv_lines(path, delimiter or kind)


def text_frame(columns: dict[str, list[str | None]], count: int) -> pd.DataFrame:
    """`count` rows of text as a frame of `str` columns; empty text is missing."""
    index = pd.RangeIndex(count)
    frame = pd.DataFrame({name: pd.array(values, dtype="str") for name, values in columns.items()}, index=index)
    return frame.mask(frame == "") if len(frame.columns) else frame


def unique_names(names: list[str]) -> tuple[list[int], list[str]]:
    """Positions of the first column of each name, and a problem per name that stands twice."""
    first: dict[str, int] = {}
    twice: dict[str, list[int]] = {}
    for position, name in enumerate(names):
        if name in first:
            twice.setdefault(name, [first[name] + 1]).append(position + 1)
        else:
            first[name] = position
    problems = [
        f"column {name!r} stands {len(where)} times: columns {', '.join(map(str, where))}"
        for name, where in twice.items()
    ]
    return list(first.values()), problems


def row_numbers(count: int) -> Positions:
    return np.arange(1, count + 1, dtype=np.int64)


def _neighbours(path: Path) -> str | None:
    """Tables that lie where the missing one was looked for."""
    if not path.parent.is_dir():
        return f"There is no folder {path.parent} either."
    found = sorted(other.name for other in path.parent.iterdir() if other.suffix.lower() in FORMATS)
    return f"That folder holds: {', '.join(found[:8])}{', …' if len(found) > 8 else ''}" if found else None
