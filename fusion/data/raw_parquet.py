"""Parquet as text: numbers become the digits that one would write, NaN is missing."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd
import pyarrow as pa
from pyarrow import compute, parquet

from extractors.errors import InputError
from fusion.data.raw_table import RawTable, row_numbers, unique_names

PANDAS_INDEX = re.compile(r"__index_level_\d+__")  # pandas writes its row index as a column of this name
EXACT_WHOLE = 2**53  # the whole numbers below it, a float holds exactly


def read_parquet(path: Path) -> RawTable:
    """Read a Parquet file; text, numbers and booleans become text, columns of other types stay as they are."""
    try:
        table = parquet.ParquetFile(path).read()
    except (pa.ArrowInvalid, OSError) as error:
        raise InputError(f"{path} is not a Parquet file that can be read: {str(error).splitlines()[0]}") from error
    names = [name.strip() for name in table.column_names]
    kept, problems = unique_names(names)
    kept = [i for i in kept if not PANDAS_INDEX.fullmatch(names[i])]
    table = pa.table([table.column(i) for i in kept], names=[names[i] for i in kept])
    return RawTable(frame_of(table), row_numbers(table.num_rows), problems=problems)


def frame_of(table: pa.Table) -> pd.DataFrame:
    """An Arrow table of distinct column names with its scalar columns as `str`; empty text is missing."""
    table = pa.table([_as_text(column) for column in table.columns], names=table.column_names)
    frame = table.to_pandas()
    for name, column in zip(table.column_names, table.columns, strict=True):
        if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
            values = frame[name].astype("str")
            frame[name] = values.mask(values == "")
    return frame


def _as_text(column: pa.ChunkedArray) -> pa.ChunkedArray:
    kind = column.type
    if pa.types.is_dictionary(kind):
        column, kind = column.cast(kind.value_type), kind.value_type
    if pa.types.is_floating(kind):
        column = compute.if_else(compute.is_nan(column), None, column)
        # pandas turns a column of whole numbers into floats where one is missing: 3.0 was 3
        if compute.all(compute.equal(compute.round(column), column)).as_py() and _exact(column):
            column = column.cast(pa.int64())
        return column.cast(pa.string())
    as_text = (pa.types.is_integer, pa.types.is_boolean, pa.types.is_string_view, pa.types.is_null)
    if any(is_kind(kind) for is_kind in as_text):
        return column.cast(pa.string())
    return column


def _exact(column: pa.ChunkedArray) -> bool:
    largest = compute.max(compute.abs(column)).as_py()
    return largest is None or largest < EXACT_WHOLE
