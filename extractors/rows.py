"""Embeddings as rows of an Arrow table, and back."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from extractors.errors import InputError
from extractors.types import Embedding, Extractor, Float32

FramesDtype = Literal["float32", "float16"]
FRAMES_DTYPES: dict[str, pa.DataType] = {"float32": pa.float32(), "float16": pa.float16()}
METADATA = b"emofuse"
FORMAT = 1
# LanceDB then refuses the second of two concurrent inserts of a key, and the loser finds the row and is content
PRIMARY_KEY = {"lance-schema:unenforced-primary-key": "true"}


@dataclass(frozen=True, slots=True)
class StoredExtractor:
    """Whose vectors a table holds. `rows` is None where nobody counted them."""

    table: str
    name: str
    fingerprint: str
    modality: str
    dim: int
    frame_rate: float | None
    labels: tuple[str, ...]
    describe: dict[str, Any]
    frames_dtype: str
    frames_dim: int
    rows: int | None = None


def frames_dim(extractor: Extractor) -> int:
    """Width of an extractor's frames: its attribute `frames_dim` where it has one, else that of its vectors."""
    return int(getattr(extractor, "frames_dim", extractor.dim))


def frames_type(extractor: Extractor, frames_dtype: FramesDtype) -> pa.ListType:
    """Of the column that holds (frames, dim) of each row, or null."""
    return pa.list_(pa.list_(FRAMES_DTYPES[frames_dtype], frames_dim(extractor)))


def table_schema(extractor: Extractor, labels: Sequence[str], frames_dtype: FramesDtype) -> pa.Schema:
    """Columns of an extractor's table; the extractor itself is described in the schema's metadata.

    key str · vector (dim,) float32 · num_frames int32, 0 where none are kept · frames (frames, frames_dim) or null ·
    scores (classes,) float32 or null.
    """
    record = {
        "format": FORMAT,
        "name": extractor.name,
        "fingerprint": extractor.fingerprint,
        "modality": extractor.modality,
        "dim": extractor.dim,
        "frame_rate": extractor.frame_rate,
        "labels": list(labels),
        "describe": extractor.describe(),
    }
    return pa.schema(
        [
            pa.field("key", pa.string(), nullable=False, metadata=PRIMARY_KEY),
            pa.field("vector", pa.list_(pa.float32(), extractor.dim), nullable=False),
            pa.field("num_frames", pa.int32(), nullable=False),
            pa.field("frames", frames_type(extractor, frames_dtype)),
            pa.field("scores", pa.list_(pa.float32())),
        ],
        metadata={METADATA: json.dumps(record, ensure_ascii=False)},
    )


def stored_extractor(table: str, schema: pa.Schema, rows: int | None = None) -> StoredExtractor:
    """What `table_schema` wrote. Raises InputError for a table that this version of Emofuse did not make."""
    record = json.loads((schema.metadata or {}).get(METADATA, "{}"))
    if record.pop("format", None) != FORMAT:
        raise InputError(f"store: table {table} is from another program, or from another version of Emofuse")
    record["labels"] = tuple(record["labels"])
    frame = schema.field("frames").type.value_type
    dtype = next(name for name, candidate in FRAMES_DTYPES.items() if candidate == frame.value_type)
    return StoredExtractor(table=table, frames_dtype=dtype, frames_dim=frame.list_size, rows=rows, **record)


def to_rows(keys: Sequence[str], embeddings: Sequence[Embedding], schema: pa.Schema) -> pa.Table:
    """Rows in the order of `keys`. Vectors must be (dim,), frames (frames, dim)."""
    dim = schema.field("vector").type.list_size
    vectors = np.stack([embedding.vector for embedding in embeddings], dtype=np.float32)  # (rows, dim)
    scores = [None if embedding.scores is None else embedding.scores for embedding in embeddings]
    lengths = [0 if embedding.frames is None else len(embedding.frames) for embedding in embeddings]
    columns = {
        "key": pa.array(keys, pa.string()),
        "vector": pa.FixedSizeListArray.from_arrays(pa.array(vectors.reshape(-1)), dim),
        "num_frames": pa.array(lengths, pa.int32()),
        "frames": _frames([embedding.frames for embedding in embeddings], schema.field("frames").type),
        "scores": pa.array(scores, schema.field("scores").type),
    }
    return pa.Table.from_arrays([columns[name] for name in schema.names], schema=schema)


def _frames(sequences: Sequence[Float32 | None], kind: pa.ListType) -> pa.Array:
    if all(sequence is None for sequence in sequences):
        return pa.nulls(len(sequences), kind)
    dtype = kind.value_type.value_type.to_pandas_dtype()
    values = np.concatenate([np.asarray(frames, dtype).reshape(-1) for frames in sequences if frames is not None])
    lengths = [0 if frames is None else len(frames) for frames in sequences]
    return pa.ListArray.from_arrays(
        pa.array(np.concatenate([[0], np.cumsum(lengths)]), pa.int32()),
        pa.FixedSizeListArray.from_arrays(pa.array(values), kind.value_type.list_size),
        mask=pa.array([frames is None for frames in sequences]),
    )


def check_shapes(embedding: Embedding, dim: int, frames_dim: int) -> None:
    """Raise ValueError, fit for a table of failures, where vector or frames have not these widths, or are not finite."""
    if embedding.vector.shape != (dim,):
        raise ValueError(f"the vector has shape {embedding.vector.shape}, expected ({dim},)")
    if not np.isfinite(embedding.vector).all():
        raise ValueError("the vector is not finite")
    if embedding.frames is not None:
        if embedding.frames.ndim != 2 or embedding.frames.shape[1] != frames_dim or not len(embedding.frames):
            raise ValueError(f"the frames have shape {embedding.frames.shape}, expected (frames, {frames_dim})")
        if not np.isfinite(embedding.frames).all():
            raise ValueError("the frames are not finite")
    if embedding.scores is not None and not np.isfinite(embedding.scores).all():
        raise ValueError("the scores are not finite")


def vectors_of(column: pa.Array) -> Float32:
    """Fixed-size lists -> (rows, dim), without a copy."""
    return column.flatten().to_numpy(zero_copy_only=False).reshape(len(column), -1)


def frames_of(column: pa.Array) -> list[Float32]:
    """Each row's frames, (frames, dim) float32; of a float32 column they are views of its memory, not to be written."""
    ends = column.offsets.to_numpy()
    values = column.values.values.to_numpy(zero_copy_only=False)
    dim = column.type.value_type.list_size
    found = values[(column.values.offset + ends[0]) * dim :][: (ends[-1] - ends[0]) * dim].reshape(-1, dim)
    frames = found.astype(np.float32, copy=False)
    return [frames[first - ends[0] : last - ends[0]] for first, last in pairwise(ends)]


def scores_of(column: pa.Array, classes: int | None = None) -> Float32:
    """Scores of equal length -> (rows, classes) float32. A row without is NaN, or where `classes` is None, KeyError."""
    if not column.null_count:
        return column.flatten().to_numpy(zero_copy_only=False).reshape(len(column), -1)
    if classes is None:
        raise KeyError(f"{column.null_count:,} of {len(column):,} embeddings have no scores")
    scores = np.full((len(column), classes), np.nan, np.float32)
    scores[column.is_valid().to_numpy(zero_copy_only=False)] = scores_of(column.drop_null()).reshape(-1, classes)
    return scores
