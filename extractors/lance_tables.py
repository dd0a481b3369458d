"""What the store does to one LanceDB table: make, insert, find, read, merge. Locks and messages are the store's."""

from __future__ import annotations

import random
import re
import shutil
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

import lancedb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from lancedb.table import Table
from numpy.typing import NDArray

from extractors.rows import frames_of, vectors_of
from extractors.types import Float32

SCAN_SHARE = 0.1  # of a table's rows: from here on, reading all of it is faster than picking rows
FRAMES_AT_ONCE = 64 * 2**20  # bytes that `read_frames` holds at a time
FRAGMENT_WORTH = 16 * 2**20  # bytes of a table per fragment that merging them must save
MOST_FRAGMENTS = 256  # merge from here on however large the table is
CONFLICT_RETRIES = 10
CONFLICT = re.compile("conflict|concurrent", re.IGNORECASE)

RowIds = NDArray[np.uint64]


class LocatedFrames(NamedTuple):
    """The rows of some keys in one version of a table, their numbers of frames, and the width of a frame."""

    table: Table
    rows: RowIds
    lengths: NDArray[np.int64]
    dim: int


def create_table(folder: Path, name: str, schema: pa.Schema) -> None:
    """Make `folder`/`name`.lance aside and rename it into place; where another process was first, its table stays.

    (Two LanceDB `create_table` at the same moment, even with `exist_ok`, overwrite one another.)
    """
    aside, target = folder / f".new-{uuid.uuid4().hex}", folder / f"{name}.lance"
    try:
        lancedb.connect(aside).create_table(name, schema=schema)
        try:
            (aside / target.name).rename(target)
        except OSError:
            if not target.is_dir():
                raise
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def remove_leftovers(folder: Path) -> None:
    """What `create_table` leaves when it is killed."""
    for leftover in folder.glob(".new-*"):
        shutil.rmtree(leftover, ignore_errors=True)


def insert(table: Table, rows: pa.Table) -> int:
    """Insert the rows whose key is new, and those that bring the first frames, in one commit. Returns the new rows."""
    merge = table.merge_insert("key").when_not_matched_insert_all()
    if pc.max(rows["num_frames"]).as_py():
        merge = merge.when_matched_update_all(where="target.num_frames = 0 AND source.num_frames > 0")
    for attempt in range(CONFLICT_RETRIES):
        try:
            return int(merge.execute(rows).num_inserted_rows)
        except RuntimeError as error:  # LanceDB has retried by itself; many writers can still crowd one out
            if attempt + 1 == CONFLICT_RETRIES or not CONFLICT.search(str(error)):
                raise
        time.sleep(random.uniform(0.0, 0.1 * 2 ** min(attempt, 5)))
        table.checkout_latest()
    raise AssertionError("the last attempt returns or raises")


def stored_keys(table: Table, *, frames: bool) -> pa.Array:
    """The key column; with `frames`, of the rows that have some."""
    query = table.search().select(["key"])
    return (query.where("num_frames > 0") if frames else query).to_arrow()["key"].combine_chunks()


def locate(table: Table, keys: Sequence[str]) -> tuple[RowIds, NDArray[np.int64]]:
    """(keys,) row ids in this version of the table, and (keys,) numbers of frames. KeyError lists what is missing."""
    wanted = pa.array(keys, pa.string())
    stored = table.search().select(["key", "num_frames"]).with_row_id(True).to_arrow().combine_chunks()
    place = pc.index_in(wanted, value_set=stored["key"].combine_chunks())
    if place.null_count:
        raise KeyError(wanted.filter(pc.is_null(place)).to_pylist())
    return stored["_rowid"].take(place).to_numpy(), stored["num_frames"].take(place).to_numpy().astype(np.int64)


def read_column(table: Table, rows: RowIds, column: str, to_numpy: Callable[[pa.Array], Float32]) -> Float32:
    """(rows, width) of a column in the order of `rows`, which may repeat. Holds the result and one batch, no more."""
    order = np.argsort(rows, kind="stable")
    ascending = rows[order]
    result: Float32 | None = None
    for batch in _batches(table, ascending, column):
        ids = batch["_rowid"].to_numpy()
        by_id = np.argsort(ids)
        first, last = np.searchsorted(ascending, ids[by_id[0]]), np.searchsorted(ascending, ids[by_id[-1]], "right")
        place = by_id[np.searchsorted(ids, ascending[first:last], sorter=by_id).clip(max=len(ids) - 1)]
        match = ids[place] == ascending[first:last]
        values = to_numpy(batch[column])  # (batch, width)
        if result is None:
            result = np.empty((len(rows), values.shape[1]), np.float32)
        result[order[first:last][match]] = values[place[match]]
    assert result is not None
    return result


def scan(table: Table, rows: int) -> Iterator[tuple[list[str], Float32]]:
    """The keys and (keys, dim) vectors of all rows, at most `rows` at a time."""
    for batch in table.search().select(["key", "vector"]).to_batches(batch_size=rows):
        if batch.num_rows:
            yield batch["key"].to_pylist(), vectors_of(batch["vector"])


def read_frames(table: Table, rows: RowIds, lengths: NDArray[np.int64]) -> Iterator[Float32]:
    """(frames, dim) float32 of each row, in order, `FRAMES_AT_ONCE` bytes at a time."""
    ends = np.cumsum(lengths * frames_width(table) * 4)
    first = 0
    while first < len(rows):
        before = ends[first - 1] if first else 0
        last = max(first + 1, int(np.searchsorted(ends, before + FRAMES_AT_ONCE, "right")))
        yield from (frames.copy() for frames in take_frames(table, rows[first:last]))
        first = last


def take_frames(table: Table, rows: RowIds) -> list[Float32]:
    """(frames, dim) float32 of each of a few rows, which may repeat; views of memory that all of them share."""
    picked = table.take_row_ids(np.unique(rows).tolist()).select(["frames"]).with_row_id().to_arrow()
    found = [frames for chunk in picked["frames"].chunks for frames in frames_of(chunk)]
    place = dict(zip(picked["_rowid"].to_pylist(), found, strict=True))
    return [place[row] for row in rows.tolist()]


def frames_width(table: Table) -> int:
    """Values of one frame."""
    return int(table.schema.field("frames").type.value_type.list_size)


def retype_frames(table: Table, kind: pa.ListType) -> bool:
    """Make the column of frames one of another type, where no row has any. False where some have."""
    if table.count_rows("num_frames > 0"):
        return False
    table.drop_columns(["frames"])
    table.add_columns(pa.field("frames", kind))
    table.checkout_latest()
    return True


def worth_merging(table: Table) -> bool:
    """Merging rewrites the table, so the larger it is the more commits must have gathered."""
    size: Any = table.stats()  # a dict, whatever its annotation says
    return size["fragment_stats"]["num_fragments"] >= min(max(2, size["total_bytes"] / FRAGMENT_WORTH), MOST_FRAGMENTS)


def merge_fragments(table: Table) -> bool:
    """Merge small files into large ones. False where a writer changed the same rows meanwhile: then another time."""
    try:
        table.optimize()
    except RuntimeError as error:
        if not CONFLICT.search(str(error)):
            raise
        return False
    return True


def remove_old_versions(table: Table) -> None:
    """All but the latest, with what killed writers left. Only while nobody else uses the table."""
    # a millisecond: LanceDB warns of zero, whose danger the store's lock has taken away
    table.optimize(cleanup_older_than=timedelta(milliseconds=1), delete_unverified=True)


def _batches(table: Table, ascending: RowIds, column: str) -> Iterator[pa.RecordBatch]:
    if len(ascending) > SCAN_SHARE * table.count_rows():
        yield from (batch for batch in table.search().select([column]).with_row_id(True).to_batches() if batch.num_rows)
    else:
        picked = table.take_row_ids(np.unique(ascending).tolist())
        yield from picked.select([column]).with_row_id().to_arrow().combine_chunks().to_batches()
