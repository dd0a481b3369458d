"""Makes an index and brings it up to date, in memory that does not grow with the collection."""

from __future__ import annotations

import logging
import shutil
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import lancedb
import numpy as np
import pyarrow as pa
from lancedb.index import Bitmap, BTree, IvfRq
from lancedb.table import Table

from extractors.errors import EmofuseError, InputError
from extractors.lance_tables import merge_fragments
from extractors.locking import alone, in_use
from extractors.store import EmbeddingStore
from extractors.types import Float32
from fusion.explore.search.columns import ID, KEY, MARK, VECTOR, Marks, marks_of, metadata_columns
from fusion.explore.search.record import NAME, Record, quantiles_of
from fusion.explore.search.streams import Listing, Places, Stream, sampled
from fusion.explore.search.tables import TEXT, check_language, index_text
from fusion.explore.similar.contents import Contents
from fusion.explore.similar.reference import reference
from fusion.explore.space import KINDS, Space, space_of

log = logging.getLogger(__name__)

SAMPLE = 50_000  # rows that the space's statistics are of: 200 MB at 1024 values
TRAINED_FROM = 5_000  # rows; fewer need no vector index, and could not train one
ROWS_A_PARTITION = 4_096  # of the vector index
ONE_BIT_FROM = (
    512  # values: the error of one bit falls with their number; at 64 values it misses a sixth of the nearest
)
BITS_BELOW = 4
DELETED_AT_ONCE = 5_000
CATEGORIES = ("label", "speaker", "group", "split", "language")  # few values, often asked for
BUILDING = ".building"


class IndexBusyError(EmofuseError):
    """Another process builds or updates this index."""


def build(
    folder: Path, stream: Stream, *, space: str, store: Path, language: str | None = None, asked: str | None = None
) -> Record:
    """Make the index of `folder` anew, beside an old one, which answers until the new one is whole.

    `asked`: the space that a later rebuild shall take; None: `space`. Raises InputError where the folder cannot be written
    or the space is of other vectors.
    """
    check_language(language)
    EmbeddingStore(store).make()  # or what lies in the folder would be no store's
    with _building(folder):
        state = stream.state()  # before the rows are read: what changes meanwhile is then noticed next time
        listing = stream.listing()
        columns = metadata_columns(listing.metadata)
        sample = sampled(stream, listing, SAMPLE)
        moved = space_of(sample.vectors, space, fingerprint=stream.maker.fingerprint, store=store)
        drawn = [np.arange(len(sample))]
        pairs = quantiles_of(reference("random pairs", drawn, sample.vectors, moved, contents=Contents(sample)))
        del sample
        name = f"rows-{uuid.uuid4().hex[:12]}"
        marks = marks_of(listing.ids, listing.contents, columns)
        schema = _schema(columns, stream.maker.dim)
        every = np.arange(len(listing))
        batches = _batches(stream, listing, every, marks, columns, moved, schema)
        reader = pa.RecordBatchReader.from_batches(schema, batches)
        table = lancedb.connect(folder).create_table(name, data=reader, schema=schema)
        rows = table.count_rows()
        _index_columns(table, columns, language)
        trained = _index_vectors(table, rows)
        record = Record(
            table=name,
            maker=stream.maker,
            collection=stream.name,
            state=state,
            asked_space=asked or space,
            space=moved.name,
            rows=rows,
            trained=trained,
            columns={column: str(values.type) for column, values in columns.items()},
            language=language,
            pairs=pairs,
        )
        record.write(folder)
    with alone(folder) as unused:  # whoever searches now does so in the old table; the next build removes it then
        if unused:
            _remove_others(folder, name)
    return record


def update(folder: Path, record: Record, stream: Stream, *, space: Space, store: Path) -> Record:
    """Bring the index up to date: rows that are new or changed come in, those that are gone go. Nothing else is computed.

    Where the columns are others, or there are twice or half as many rows as its statistics are of, it is built anew. A
    process that is killed meanwhile leaves an index that the next update completes.
    """
    with _building(folder):
        state = stream.state()
        listing = stream.listing()
        columns = metadata_columns(listing.metadata)
        marks = marks_of(listing.ids, listing.contents, columns)
        table = lancedb.connect(folder).open_table(record.table)
        there = table.search().select([MARK]).to_arrow()[MARK].to_numpy()
        new, gone = np.flatnonzero(~np.isin(marks, there)), there[~np.isin(there, marks)]
        types = {column: str(values.type) for column, values in columns.items()}
        other_columns = types != dict(record.columns)
        outgrown = _outgrown(len(listing), record, space)
        if not (other_columns or outgrown):
            schema = _schema(columns, stream.maker.dim)
            _delete(table, gone)
            if len(new):
                batches = _batches(stream, listing, new, marks, columns, space, schema)
                table.add(pa.RecordBatchReader.from_batches(schema, batches))
            if len(new) or len(gone):
                merge_fragments(table)  # takes new rows into the vector, keyword and column indexes as well
                if _has_texts(columns) and not any(TEXT in index.columns for index in table.list_indices()):
                    index_text(table, record.language)  # the first texts that there are
            updated = replace(record, rows=table.count_rows(), state=state)
            updated.write(folder)
            if len(new) or len(gone):
                log.info("index: %d rows came, %d went; now %s", len(new), len(gone), f"{updated.rows:,}")
                # who searches meanwhile keeps the version that he opened: an hour is longer than any search
                table.optimize(cleanup_older_than=timedelta(hours=1))
            return updated
    log.info(
        "index: %s; it is built anew", "its columns changed" if other_columns else "its statistics are of other rows"
    )
    kept = record.asked_space if outgrown else record.space
    return build(folder, stream, space=kept, asked=record.asked_space, store=store, language=record.language)


def _outgrown(rows: int, record: Record, space: Space) -> bool:
    """Whether so many rows are too many or too few for what the index was trained on and its space was fitted to."""
    if rows >= TRAINED_FROM or record.trained:
        return (rows >= TRAINED_FROM and rows > 2 * record.trained) or 2 * rows < record.trained
    fitted = space.kind != "raw" and record.asked_space in KINDS  # and not a space that the user named
    return fitted and not space.rows / 2 <= rows <= 2 * space.rows


def _batches(
    stream: Stream,
    listing: Listing,
    rows: Places,
    marks: Marks,
    columns: Mapping[str, pa.Array],
    space: Space,
    schema: pa.Schema,
) -> Iterator[pa.RecordBatch]:
    ids = pa.array(listing.ids, pa.string())
    keys = pa.array([None] * len(listing) if listing.keys is None else listing.keys, pa.string())
    left = len(rows)
    for places, vectors in stream.vectors(listing, rows):
        left -= len(places)
        taken = pa.array(places)
        known = {ID: ids.take(taken), KEY: keys.take(taken), MARK: pa.array(marks[places])}
        known |= {name: values.take(taken) for name, values in columns.items()}
        known[VECTOR] = _padded(space.transform(vectors), schema.field(VECTOR).type.list_size)
        yield pa.record_batch([known[name] for name in schema.names], schema=schema)
    if left:
        log.warning("%d of %d rows have no vector: left out", left, len(rows))


def padded_width(dim: int) -> int:
    """The quantizer takes eight values at a time; zeros at the end change no dot product.

    >>> padded_width(1024), padded_width(130)
    (1024, 136)
    """
    return -(-dim // 8) * 8


def _padded(vectors: Float32, width: int) -> pa.FixedSizeListArray:
    wide = np.zeros((len(vectors), width), np.float32)
    wide[:, : vectors.shape[1]] = vectors
    return pa.FixedSizeListArray.from_arrays(pa.array(wide.reshape(-1)), width)


def _schema(columns: Mapping[str, pa.Array], dim: int) -> pa.Schema:
    own = [pa.field(ID, pa.string()), pa.field(KEY, pa.string()), pa.field(MARK, pa.int64())]
    said = [pa.field(name, values.type) for name, values in columns.items()]
    return pa.schema([*own, *said, pa.field(VECTOR, pa.list_(pa.float32(), padded_width(dim)))])


def _index_columns(table: Table, columns: Mapping[str, pa.Array], language: str | None) -> None:
    for name in (ID, KEY):
        table.create_index(name, config=BTree())
    for name in CATEGORIES:
        if name in columns and columns[name].null_count < len(columns[name]):
            table.create_index(name, config=Bitmap())
    if _has_texts(columns):
        index_text(table, language)


def _has_texts(columns: Mapping[str, pa.Array]) -> bool:
    return TEXT in columns and columns[TEXT].null_count < len(columns[TEXT])


def _index_vectors(table: Table, rows: int) -> int:
    """A bit or four for each value, turned first so that every one tells as much (RaBitQ: Gao & Long, "RaBitQ: Quantizing
    High-Dimensional Vectors with a Theoretical Error Bound for Approximate Nearest Neighbor Search", SIGMOD 2024; with
    more bits, Gao et al., "Practical and Asymptotically Optimal Quantization …", SIGMOD 2025), in partitions by k-means;
    the best are then compared by their own vectors. Chosen by benchmarks/search.py."""
    if rows < TRAINED_FROM:
        return 0
    bits = 1 if table.schema.field(VECTOR).type.list_size >= ONE_BIT_FROM else BITS_BELOW
    table.create_index(VECTOR, config=IvfRq(distance_type="dot", num_bits=bits, target_partition_size=ROWS_A_PARTITION))
    return rows


def _delete(table: Table, marks: Marks) -> None:
    for first in range(0, len(marks), DELETED_AT_ONCE):
        some = ", ".join(map(str, marks[first : first + DELETED_AT_ONCE].tolist()))
        table.delete(f"{MARK} IN ({some})")


@contextmanager
def _building(folder: Path) -> Iterator[None]:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / BUILDING).touch()
    except OSError as error:
        raise InputError(
            f"index: {folder} cannot be written: {error.strerror or error}",
            hint="Set store.path to a store that you may write, or search exactly: index.use=never.",
        ) from error
    with alone(folder, lock=BUILDING) as mine:
        if not mine:
            raise IndexBusyError(f"index: another process builds or updates {folder}; run again when it is done")
        with in_use(folder):
            yield


def _remove_others(folder: Path, name: str) -> None:
    """Tables that the record no longer names, or that a killed build left."""
    for other in folder.glob("*.lance"):
        if other.stem != name:
            shutil.rmtree(other, ignore_errors=True)


def drop(folder: Path) -> None:
    """Remove an index; searches begun later build it anew."""
    with _building(folder):
        (folder / NAME).unlink(missing_ok=True)
        _remove_others(folder, "")
