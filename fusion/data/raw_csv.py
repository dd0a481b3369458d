"""CSV and TSV as text: Arrow reads what is well-formed; what is not is read again, slowly, to say where and why."""

from __future__ import annotations

import csv
import mmap
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import csv as arrow_csv

from extractors.errors import InputError
from fusion.data.problems import SHOWN_EACH, Positions, ranges
from fusion.data.raw_table import RawTable, row_numbers, text_frame, unique_names

UNDECODED = re.compile("[\udc80-\udcff]")  # what "surrogateescape" makes of a byte that is no UTF-8
MARKS = (";", "\t", ",", "|")
OPEN_QUOTE = 'a quote (") is opened here and never closed'


def read_csv(path: Path, delimiter: str) -> RawTable:
    """Read a delimited UTF-8 file with a header row; a byte order mark is skipped."""
    header, line = _header(path, delimiter)
    kept, problems = unique_names(header)
    # an open quote swallows the rest of the file, and Arrow calls that a text; it also counts blank lines at the top
    if line != 1 or not _even_quotes(path):
        return _read_slowly(path, delimiter, header)
    names = [str(i) for i in range(len(header))]
    try:
        table = arrow_csv.read_csv(
            path,
            read_options=arrow_csv.ReadOptions(column_names=names, skip_rows_after_names=1),
            parse_options=arrow_csv.ParseOptions(delimiter=delimiter, newlines_in_values=True),
            convert_options=arrow_csv.ConvertOptions(
                column_types={name: pa.string() for name in names},
                null_values=[""],
                strings_can_be_null=True,
                quoted_strings_can_be_null=True,
            ),
        )
    except (pa.ArrowInvalid, pa.ArrowKeyError):
        return _read_slowly(path, delimiter, header)
    frame = table.select(kept).to_pandas().set_axis([header[i] for i in kept], axis=1)
    return RawTable(frame.astype("str"), row_numbers(len(frame)), problems=problems)


def delimiter_of(path: Path, usual: str) -> str:
    """What separates the fields, where the user did not say: `usual`, or what the header has instead. A spreadsheet of a
    country with decimal commas writes semicolons.
    """
    records = _records(path, usual)
    _, fields, _ = next(records, (1, [], None))
    records.close()  # type: ignore[attr-defined]
    return _other_mark(fields, usual) or usual


def csv_lines(path: Path, delimiter: str) -> Positions:
    """The line on which each data row begins; only wanted when there is something to complain about."""
    records = _records(path, delimiter)
    next(records, None)
    return np.array([line for line, _, _ in records], dtype=np.int64)


def _read_slowly(path: Path, delimiter: str, header: list[str]) -> RawTable:
    problems: list[str] = []
    undecoded: dict[int, str] = {}  # row -> the fault
    hints: list[str] = []
    rows: list[int] = []
    lines: list[int] = []
    cells: list[list[str]] = []
    records = _records(path, delimiter)
    next(records, None)
    ragged = 0
    for row, (line, fields, fault) in enumerate(records, start=1):
        where = f"row {row} (line {line})"
        if fault is None and any(UNDECODED.search(cell) for cell in fields):
            column = next(i for i, cell in enumerate(fields) if UNDECODED.search(cell))
            byte = ord(UNDECODED.findall(fields[column])[0]) - 0xDC00
            name = header[column] if column < len(header) else str(column + 1)
            undecoded[row] = f"{where}: not UTF-8: byte 0x{byte:02x} in column {name!r}"
            continue
        elif fault is None and len(fields) != len(header):
            fault = f"expected {len(header)} fields as in the header, got {len(fields)}"
            ragged += 1
        if fault is not None:
            problems.append(f"{where}: {fault}")
            continue
        rows.append(row)
        lines.append(line)
        cells.append(fields)
    broken = len(problems) + len(undecoded)
    if undecoded:  # mostly all of a file, for one reason
        problems[:0] = undecoded.values() if len(undecoded) <= SHOWN_EACH else [_together(undecoded)]
        hints.append(_to_utf8(path))
    if ragged:
        hints.append(f"A field that holds {delimiter!r} or a line break needs quotes around it.")
    kept, twice = unique_names(header)
    columns = list(zip(*cells, strict=True)) if cells else [()] * len(header)
    frame = text_frame({header[i]: list(columns[i]) for i in kept}, len(cells))
    numbers = np.array(rows, np.int64), np.array(lines, np.int64)
    return RawTable(frame, *numbers, broken=broken, problems=twice + problems, hints=hints)


def _together(faults: dict[int, str]) -> str:
    """Those of many rows on one line: the first in full, the others by number."""
    first, *others = faults
    return f"{faults[first]}; so are {len(others):,} more rows: {ranges(others)}"


def _records(path: Path, delimiter: str) -> Iterator[tuple[int, list[str], str | None]]:
    """(first line, fields, what is wrong with its quotes) of each record that is not blank, the header first."""
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        raw: list[str] = []

        def remembered() -> Iterator[str]:
            for text in file:
                raw.append(text)
                yield text

        reader = csv.reader(remembered(), delimiter=delimiter)
        while True:
            line = reader.line_num + 1
            raw.clear()
            try:
                fields = next(reader)
            except StopIteration:
                return
            except csv.Error as error:  # a field beyond csv.field_size_limit()
                yield line, [], f"{error}; is a quote opened here and never closed?"
                return
            if len(fields) > 1 or (fields and fields[0].strip()):
                yield line, fields, OPEN_QUOTE if raw[-1:] and _is_open("".join(raw), delimiter) else None


def _is_open(record: str, delimiter: str) -> bool:
    """Whether a record ends within quotes; only the last of a file can."""
    if record.count('"') % 2 == 0:
        return False
    try:
        list(csv.reader(record.splitlines(keepends=True), delimiter=delimiter, strict=True))
    except csv.Error as error:
        return "unexpected end of data" in str(error)
    return False


def _to_utf8(path: Path) -> str:
    return f"Save it as UTF-8 (in Excel: CSV UTF-8), or: iconv -f WINDOWS-1252 -t UTF-8 {path.name} > utf8{path.suffix}"


def _header(path: Path, delimiter: str) -> tuple[list[str], int]:
    """The names of the columns, and the line they stand on."""
    records = _records(path, delimiter)
    line, fields, fault = next(records, (1, [], None))
    records.close()  # type: ignore[attr-defined]  # a generator; the file must not stay open
    if not fields:
        raise InputError(f"{path} is empty", hint="Expected a header row: id,audio,text,label")
    if fault:
        raise InputError(f"{path}: the header row: {fault}")
    if any(UNDECODED.search(name) for name in fields):
        raise InputError(f"{path} is not UTF-8: its header row holds other bytes", hint=_to_utf8(path))
    other = _other_mark(fields, delimiter)
    if other:
        hint = (
            f"""Save it with {delimiter!r} between the fields, or give "data.delimiter={other!r}" with both quotes."""
        )
        raise InputError(f"{path}: expected fields separated by {delimiter!r}, got {other!r}", hint=hint)
    return [name.strip() for name in fields], line


def _other_mark(fields: list[str], delimiter: str) -> str | None:
    """What else separates a header that is one field by `delimiter`; None where nothing does."""
    if len(fields) != 1:
        return None
    return next((mark for mark in MARKS if mark != delimiter and mark in fields[0]), None)


def _even_quotes(path: Path) -> bool:
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        count, step = 0, 1 << 24
        for start in range(0, len(content), step):
            count += content[start : start + step].count(b'"')
    return count % 2 == 0
