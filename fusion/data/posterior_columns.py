"""Which files there are, which of their columns is of which class, and the numbers in them."""

from __future__ import annotations

import glob
import logging
import re
import zipfile
import zlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from extractors.errors import InputError
from fusion.data.posterior_kinds import Floats
from fusion.data.problems import Problems
from fusion.data.raw_table import RawTable, row_numbers

log = logging.getLogger(__name__)

CLASS = "{class}"  # in how columns are called: `p_{class}`

Classes = str | Sequence[str] | Mapping[Any, str]
Columns = str | Sequence[str] | None


def matches(patterns: list[str], problems: list[str]) -> list[tuple[Path, dict[str, str]]]:
    """The files that the patterns name, once each, with what `{fold}` and `{split}` matched."""
    found: dict[Path, dict[str, str]] = {}
    for pattern in patterns:
        pattern = str(Path(pattern).expanduser())
        pieces = re.split(r"(\*\*/|\*|\?|\{fold\}|\{split\})", pattern)
        shell, exact, seen = "", "", set()
        for number, piece in enumerate(pieces):
            if number % 2 == 0:
                shell, exact = shell + glob.escape(piece), exact + re.escape(piece)
            elif piece[0] == "{":
                name = piece[1:-1]
                shell, exact = shell + "*", exact + (f"(?P={name})" if name in seen else f"(?P<{name}>[^/]+?)")
                seen.add(name)
            else:
                shell, exact = shell + piece, exact + {"**/": "(?:.*/)?", "*": "[^/]*", "?": "[^/]"}[piece]
        there = [(path, re.fullmatch(exact, path)) for path in sorted(glob.glob(shell, recursive=True))]  # noqa: PTH207  Path.glob takes no absolute pattern
        matched = {Path(path): match.groupdict() for path, match in there if match}
        if not matched:
            problems.append(f"no file matches {pattern}")
        found |= {path: captured for path, captured in matched.items() if path not in found}
    return list(found.items())


def read_npz(path: Path) -> RawTable:
    """Arrays (rows,) as columns of their names, arrays (rows, n) as `name[0]`, `name[1]`, …. Nothing is unpickled.

    Raises InputError where it is no .npz, or its arrays disagree on the rows.
    """
    if not path.is_file() or not zipfile.is_zipfile(path):
        raise InputError("expected an .npz of several arrays, as numpy.savez writes it")
    columns: dict[str, Any] = {}
    problems: list[str] = []
    try:
        with np.load(path, allow_pickle=False) as archive:
            for name in archive.files:
                try:
                    array = archive[name]
                except ValueError as error:
                    if "Object arrays" not in str(error):
                        raise
                    problems.append(
                        f"array {name!r} holds Python objects, which are not read because they can run code"
                    )
                    continue
                if array.ndim == 2 and array.dtype.kind in "fiub":
                    columns |= {f"{name}[{number}]": array[:, number] for number in range(array.shape[1])}
                elif array.ndim == 1 and array.dtype.kind in "USfiub":
                    columns[name] = np.char.decode(array, "utf-8", "replace") if array.dtype.kind == "S" else array
                else:
                    log.info("%s: array %r of %s %s is not used", path.name, name, array.dtype, array.shape)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, KeyError) as error:
        raise InputError(f"cannot be read: {(str(error).splitlines() or [type(error).__name__])[0]}") from error
    lengths = {len(values) for values in columns.values()}
    if len(lengths) > 1:
        raise InputError(f"the arrays disagree on the number of rows: {', '.join(map(str, sorted(lengths)))}")
    frame = pd.DataFrame(columns)
    return RawTable(frame, row_numbers(len(frame)), problems=problems)


def class_columns(
    frame: pd.DataFrame, classes: Classes, columns: Columns, used: set[str], problems: Problems
) -> dict[str, str]:
    """Column -> class, in the file's order; empty where `problems` say why. `used`: columns that are something else.

    >>> frame = pd.DataFrame({"id": ["a"], "out0": ["0.1"], "out1": ["0.9"]})
    >>> class_columns(frame, ["sad", "calm"], None, {"id"}, Problems())
    {'out0': 'sad', 'out1': 'calm'}
    >>> class_columns(frame, "out{class}", None, {"id"}, Problems())
    {'out0': '0', 'out1': '1'}
    """
    before = len(problems.of_file)
    if isinstance(classes, str):
        head, tail = classes.split(CLASS)
        pattern = re.compile(re.escape(head) + "(.+)" + re.escape(tail))
        matches = {name: pattern.fullmatch(name) for name in frame.columns if name not in used}
        named = {name: match[1] for name, match in matches.items() if match}
    elif isinstance(classes, Mapping):
        named = {str(column): str(name) for column, name in classes.items()}
    else:
        names = list(map(str, classes))
        found = _listed_columns(frame, columns, names, used)
        if len(found) != len(names):
            problems.of_file.append(
                f"classes: {len(names)} names ({quoted(names)}) for {len(found)} columns ({listed(found)}); "
                "give column: class, or name the columns"
            )
            return {}
        named = dict(zip(found, names, strict=True))
        if len(named) < len(names):
            problems.of_file.append(f"columns: one of {listed(found)} stands twice")
    if missing := [column for column in named if column not in frame.columns]:
        problems.of_file.append(f"no column {quoted(missing)}; it has {listed(frame.columns)}")
    if twice := sorted({name for name in named.values() if list(named.values()).count(name) > 1}):
        problems.of_file.append(f"classes: {quoted(twice)} named twice")
    if len(named) < 2:
        problems.of_file.append(f"expected two classes or more, got {quoted(named.values()) or 'none'}")
    if both := [column for column in named if column in used]:
        problems.of_file.append(f"column {quoted(both)} cannot be a class output and the rows' id, label or the like")
    return named if len(problems.of_file) == before else {}


def _listed_columns(frame: pd.DataFrame, columns: Columns, names: list[str], used: set[str]) -> list[str]:
    if isinstance(columns, str):  # an array of an .npz, or a column of lists
        return [name for name in frame.columns if re.fullmatch(re.escape(columns) + r"\[\d+\]", name)]
    if columns is not None:
        return list(map(str, columns))
    if set(names) <= set(frame.columns):
        return names
    return [name for name in frame.columns if name not in used]


def numbers(cells: pd.DataFrame, problems: Problems) -> Floats:
    """(rows, classes) float64, NaN where a cell is empty; a row may be empty in all of its classes, not in some."""
    values = np.empty(cells.shape)
    strange = np.zeros(cells.shape, bool)
    for number, name in enumerate(cells.columns):
        column = cells[name]
        if column.dtype.kind not in "fiub":
            column = column.astype("string").astype("str").str.strip()
            column = column.mask((column == "") | (column.str.lower() == "nan"))
        found = pd.to_numeric(column, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
        strange[:, number] = np.isnan(found) & column.notna().to_numpy()
        values[:, number] = found

    def tell(row: int) -> str:
        column = int(np.argmax(strange[row]))
        value = str(cells.iloc[row, column])
        comma = "; decimals need a point" if re.fullmatch(r"-?\d+,\d+", value.strip()) else ""
        return f"{value!r} in column {cells.columns[column]!r} is no number{comma}"

    unread = np.asarray(strange.any(axis=1))
    problems.add_rows("no number", unread, tell)
    empty = np.isnan(values) & ~strange
    partly = np.asarray(empty.any(axis=1) & ~empty.all(axis=1) & ~unread)
    problems.add_rows(
        "some classes are empty",
        partly,
        lambda row: f"no number of {listed(cells.columns[empty[row]])}, but of the others",
    )
    values[unread | partly] = np.nan
    return values


def quoted(names: Iterable[object]) -> str:
    return ", ".join(map(repr, names))


def listed(names: Iterable[object], most: int = 12) -> str:
    words = list(map(str, names))
    return ", ".join(words[:most]) + (", …" if len(words) > most else "")
