"""A collection's metadata as Arrow columns, and the mark by which a changed row is known."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from extractors.errors import InputError

VECTOR, MARK, KEY, ID = "vector", "mark", "key", "id"
OWN = (ID, KEY, MARK, VECTOR)  # of the index itself
RESERVED = frozenset([*OWN, "_distance", "_score", "_rowid", "_rowaddr", "_relevance_score"])

Marks = NDArray[np.int64]


def metadata_columns(metadata: pd.DataFrame) -> dict[str, pa.Array]:
    """Columns by name, as text, numbers (float64 or int64) or bool, null where missing; `id` is left out.

    What is of several kinds becomes text. Raises InputError for names that a filter could not say.
    """
    names = [str(name) for name in metadata.columns if str(name) != ID]
    problems = [f"{name!r}: that name is the index's own" for name in names if name in RESERVED]
    problems += [f"{name!r}: a dot would be taken for a field inside a column" for name in names if "." in name]
    if problems:
        raise InputError(
            "columns that cannot be searched", problems, hint="Rename them: data.columns, data.extra_columns."
        )
    return {name: _column(metadata[name]) for name in names}


def _column(values: pd.Series) -> pa.Array:
    kept = [None if missing else value for value, missing in zip(values, values.isna(), strict=True)]
    kinds = {_kind(value) for value in kept if value is not None}
    if kinds == {"bool"}:
        return pa.array(kept, pa.bool_())
    if kinds == {"int"}:
        return pa.array([None if value is None else int(value) for value in kept], pa.int64())
    if kinds and kinds <= {"int", "float"}:
        return pa.array([None if value is None else float(value) for value in kept], pa.float64())
    if not kinds and str(values.name) in ("start", "end"):
        return pa.array(kept, pa.float64())  # nobody gave any; `end > 3` is no mistake for that
    return pa.array([None if value is None else _text(value) for value in kept], pa.string())


def _kind(value: Any) -> str:
    if isinstance(value, (bool, np.bool_)):
        return "bool"
    if isinstance(value, (int, np.integer)):
        return "int"
    return "float" if isinstance(value, (float, np.floating)) else "text"


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def marks_of(ids: Sequence[str], contents: Sequence[str], columns: dict[str, pa.Array]) -> Marks:
    """(rows,) int64 digests of all that is known of each row: equal marks, equal rows.

    contents : (rows,) what the vector is of: a store key, or the state of a file

    >>> columns = {"label": pa.array(["sad", "glad"])}
    >>> same = marks_of(["a", "b"], ["1", "2"], columns) == marks_of(["a", "b"], ["1", "3"], columns)
    >>> same.tolist()
    [True, False]
    """
    values = [column.to_pylist() for column in columns.values()]
    found = np.empty(len(ids), np.int64)
    for row, known in enumerate(zip(ids, contents, *values, strict=True)):
        digest = hashlib.blake2b(repr(known).encode("utf-8", "surrogatepass"), digest_size=8).digest()
        found[row] = int.from_bytes(digest, "little", signed=True)
    return found
