"""Reads a table of any supported format as text: nothing is guessed, only an empty cell is missing."""

from __future__ import annotations

import codecs
import logging
from pathlib import Path

from extractors.errors import InputError
from fusion.data.problems import Positions
from fusion.data.raw_csv import csv_lines, delimiter_of, read_csv
from fusion.data.raw_jsonl import jsonl_lines, read_jsonl
from fusion.data.raw_parquet import read_parquet
from fusion.data.raw_table import RawTable

log = logging.getLogger(__name__)

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


def read_raw(path: Path, *, delimiter: str | None = None, label: str | None = None) -> RawTable:
    """Read CSV, TSV, JSON Lines or Parquet, by the file's suffix.

    Without a `delimiter` it is the suffix's, or what separates the header's names instead.
    In the column `label` of JSON Lines an object of weights or a list of votes becomes the text that says the same.
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
        return read_parquet(path)
    with path.open("rb") as file:
        start = file.read(4)
    if start[:2] in WIDE_ENCODINGS:
        name = WIDE_ENCODINGS[start[:2]]
        hint = f"Save it as UTF-8, or: iconv -f {name} -t UTF-8 {path.name} > utf8{path.suffix}"
        raise InputError(f"{path} is {name}; expected UTF-8", hint=hint)
    if kind == "jsonl":
        return read_jsonl(path, label=label)
    if delimiter is None and (found := delimiter_of(path, kind)) != kind:
        log.info("%s: its fields are separated by %r, and read so", path.name, found)
        return read_csv(path, found)
    return read_csv(path, delimiter or kind)


def line_numbers(path: Path, *, delimiter: str | None = None) -> Positions | None:
    """(data rows,) int64, the line on which each data row begins, broken rows too; None where a file has no lines."""
    kind = FORMATS[path.suffix.lower()]
    if kind == "parquet":
        return None
    if kind == "jsonl":
        return jsonl_lines(path)
    return csv_lines(path, delimiter or delimiter_of(path, kind))


def _neighbours(path: Path) -> str | None:
    """Tables that lie where the missing one was looked for."""
    if not path.parent.is_dir():
        return f"There is no folder {path.parent} either."
    found = sorted(other.name for other in path.parent.iterdir() if other.suffix.lower() in FORMATS)
    return f"That folder holds: {', '.join(found[:8])}{', …' if len(found) > 8 else ''}" if found else None
