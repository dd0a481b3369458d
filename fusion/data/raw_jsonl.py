"""JSON Lines as text: Arrow reads what is well-formed; what is not is read again, slowly, to name every broken line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import compute
from pyarrow import json as arrow_json

from extractors.errors import InputError
from fusion.data.problems import Positions
from fusion.data.raw_parquet import EXACT_WHOLE, frame_of
from fusion.data.raw_table import RawTable, row_numbers, text_frame
from fusion.data.soft_labels import DistributionError, as_cell

BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def read_jsonl(path: Path, *, label: str | None = None) -> RawTable:
    """Read one JSON object per line; blank lines are skipped; null and "" are missing.

    An object or a list under the name `label` is what annotators said, and becomes a cell of `fusion.data.soft_labels`.
    """
    table = _read_fast(path)
    if table is None:
        return _read_slowly(path, label)
    return RawTable(frame_of(table), row_numbers(table.num_rows))


def jsonl_lines(path: Path) -> Positions:
    """The line on which each data row stands; only wanted when there is something to complain about."""
    with path.open("rb") as file:
        filled = [bool(line.removeprefix(BYTE_ORDER_MARK).strip()) for line in file]
    return np.flatnonzero(np.array(filled, dtype=bool)) + 1


def _read_fast(path: Path) -> pa.Table | None:
    """The table as Arrow reads it; None where it cannot, or where it would not keep every value to the letter."""
    strings: set[str] = set()
    for _ in range(2):
        options = arrow_json.ParseOptions(
            explicit_schema=pa.schema([(name, pa.string()) for name in sorted(strings)]) if strings else None
        )
        try:
            table = arrow_json.read_json(path, parse_options=options)
            table.validate(full=True)  # UTF-8 among others
        except pa.ArrowInvalid:
            return None
        # "2024-05-01" is a name here and no date: read such columns again, as the text they are
        dates = {field.name for field in table.schema if pa.types.is_temporal(field.type)}
        if not dates:
            break
        strings |= dates
    scalar = (pa.types.is_string, pa.types.is_integer, pa.types.is_floating, pa.types.is_boolean, pa.types.is_null)
    if not all(any(is_kind(field.type) for is_kind in scalar) for field in table.schema):
        return None
    for column in table.columns:
        if pa.types.is_floating(column.type) and (compute.max(compute.abs(column)).as_py() or 0) >= EXACT_WHOLE:
            return None  # a whole number that a float does not hold, like an id of twenty digits
    if any(name != name.strip() or name.startswith("\ufeff") for name in table.column_names):
        return None
    return table


def _read_slowly(path: Path, label: str | None = None) -> RawTable:
    columns: dict[str, list[str | None]] = {}
    rows: list[int] = []
    lines: list[int] = []
    problems: list[str] = []
    row = 0
    decoder = json.JSONDecoder(object_pairs_hook=_object)  # once: building it costs more than a line
    with path.open("rb") as file:
        for line, raw in enumerate(file, start=1):
            raw = (raw.removeprefix(BYTE_ORDER_MARK) if line == 1 else raw).strip()
            if not raw:
                continue
            row += 1
            try:
                record = decoder.decode(raw.decode())
                if not isinstance(record, dict):
                    raise TypeError(f"expected an object, got {_kind(record)}")
                values = {name.strip(): _text(name, value, label) for name, value in record.items()}
            except (ValueError, TypeError, RecursionError) as error:
                problems.append(f"line {line}: {_fault(error)}")
                continue
            for name, value in values.items():
                column = columns.setdefault(name, [])
                column.extend([None] * (len(rows) - len(column)))  # lines above that did not have it
                column.append(value)
            rows.append(row)
            lines.append(line)
    if not row:
        raise InputError(f"{path} is empty", hint='Expected lines like {"id": "a", "audio": "a.wav", "label": "calm"}')
    for column in columns.values():
        column.extend([None] * (len(rows) - len(column)))
    hints = ["Expected one JSON object per line, with text or numbers as values."] if problems else []
    numbers = np.array(rows, np.int64), np.array(lines, np.int64)
    return RawTable(text_frame(columns, len(rows)), *numbers, broken=len(problems), problems=problems, hints=hints)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    record = dict(pairs)
    if len(record) != len(pairs):
        names = [name for name, _ in pairs]
        raise TypeError(f"key {next(name for name in names if names.count(name) > 1)!r} stands twice")
    return record


def _text(name: str, value: Any, label: str | None) -> str | None:
    if value is None:
        return None
    if type(value) is str:
        if not value.isascii():
            value.encode()  # "\\ud800" is half a character, and no text
        return value
    if isinstance(value, (dict, list)) and name.strip() == label:
        try:
            return as_cell(value) if value else None
        except DistributionError as error:
            raise TypeError(f"{name!r}: {error}") from error
    if isinstance(value, (dict, list)):
        raise TypeError(f"{name!r} holds {_kind(value)}; expected text or a number")
    return json.dumps(value)


def _kind(value: Any) -> str:
    return {dict: "an object", list: "a list", str: "a text", type(None): "null"}.get(type(value), "a number")


def _fault(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"not JSON: {error.msg} at character {error.pos + 1}"
    if isinstance(error, UnicodeDecodeError):
        return f"not UTF-8: byte 0x{error.object[error.start]:02x}"
    if isinstance(error, UnicodeEncodeError):
        return f"half a character: {error.object[error.start]!r}"
    return "nested too deeply" if isinstance(error, RecursionError) else str(error)
