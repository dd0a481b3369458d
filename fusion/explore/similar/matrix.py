"""All pairs: the matrix of cosines, a few rows at a time, so that its size is the disk's matter and not the memory's."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from extractors.errors import InputError
from extractors.files import atomic_path
from extractors.types import Float32
from fusion.explore.collection import Collection
from fusion.explore.similar.contents import Contents
from fusion.explore.space import Space

Format = Literal["parquet", "csv"]
FORMATS: tuple[Format, ...] = get_args(Format)
BLOCK = 16 * 2**20  # bytes of cosines computed and written at a time
MOST = 50_000  # clips; the matrix of more than that, 10 GB, nobody reads

Blocks = Iterator[tuple[int, Float32]]


@dataclass(frozen=True)
class MatrixSummary:
    """What all pairs say together. Pairs of the same content are not in these figures, but they are in the matrix.

    clips   : how many
    pairs   : of different content
    mean    : cosine over them
    labels  : DataFrame (labels, labels), the mean cosine between clips of two labels; empty without labels
    """

    clips: int
    pairs: int
    mean: float
    labels: pd.DataFrame


def cosine_blocks(collection: Collection, space: Space, *, block_bytes: int = BLOCK) -> Blocks:
    """(first row, (some rows, rows) float32 cosines), from the first row to the last, about `block_bytes` at a time."""
    unit = space.transform(collection.vectors)
    step = max(1, block_bytes // max(1, unit.itemsize * len(unit)))
    for first in range(0, len(unit), step):
        yield first, np.clip(unit[first : first + step] @ unit.T, -1.0, 1.0)


def write_matrix(
    collection: Collection,
    space: Space,
    path: Path,
    *,
    format: Format = "parquet",
    about: Mapping[str, Any] | None = None,
) -> MatrixSummary:
    """Every clip's cosine to every clip, in the collection's order, to `path`; whole or not at all.

    parquet : columns `id` and `cosines` (a list of float32 as long as there are clips); numpy.stack makes a matrix of it
    csv     : a header of ids, then a row a clip, its id first; six decimals
    about   : JSON-able, kept in the Parquet file's metadata

    Raises InputError for another format, or more than 50,000 clips.
    """
    if format not in FORMATS:
        raise InputError(f"format: expected {' or '.join(FORMATS)}, got {format!r}")
    if len(collection) > MOST:
        size = 4 * len(collection) ** 2 / 2**30
        raise InputError(
            f"all pairs of {len(collection):,} clips would be {size:,.0f} GiB; at most {MOST:,} clips are compared so",
            hint="Compare one with all of them: a=ID k=100.",
        )
    sums = _Sums(collection)
    blocks = (sums.add(first, block) for first, block in cosine_blocks(collection, space))
    with atomic_path(path) as draft:
        if format == "csv":
            _write_csv(draft, collection.ids, blocks)
        else:
            _write_parquet(draft, collection.ids, blocks, {"space": space.name, **(about or {})})
    return sums.summary()


def _write_csv(path: Path, ids: tuple[str, ...], blocks: Blocks) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["id", *ids])
        for first, block in blocks:
            for row, values in enumerate(block, start=first):
                writer.writerow([ids[row], *(f"{value:.6f}" for value in values)])


def _write_parquet(path: Path, ids: tuple[str, ...], blocks: Blocks, about: Mapping[str, Any]) -> None:
    kind = pa.list_(pa.float32(), len(ids))
    schema = pa.schema([("id", pa.string()), ("cosines", kind)], metadata={"emofuse": json.dumps(about)})
    with closing(pq.ParquetWriter(path, schema, compression="zstd")) as writer:
        for first, block in blocks:
            names = pa.array(ids[first : first + len(block)], pa.string())
            values = pa.FixedSizeListArray.from_arrays(pa.array(block.reshape(-1)), len(ids))
            writer.write_table(pa.table([names, values], schema=schema))


class _Sums:
    """Adds up, block by block, what the summary needs."""

    def __init__(self, collection: Collection) -> None:
        labels = np.array([label or "" for label in collection.column("label")], dtype=object)
        self.names = sorted({label for label in labels if label})
        self.one_hot = np.stack([labels == name for name in self.names], axis=1) if self.names else None
        self.contents, self.rows = Contents(collection), len(collection)
        self.total, self.pairs = 0.0, 0
        self.by_label = np.zeros((2, len(self.names), len(self.names)))  # sums of cosines, pairs

    def add(self, first: int, block: Float32) -> tuple[int, Float32]:
        here = np.arange(first, first + len(block))
        apart = ~self.contents.of_rows(here)
        kept = np.where(apart, block, 0)
        self.total += float(kept.sum(dtype=np.float64))
        self.pairs += int(apart.sum())
        if self.one_hot is not None:
            rows, columns = self.one_hot[here].T.astype(np.float32), self.one_hot.astype(np.float32)
            self.by_label[0] += rows @ (kept @ columns)
            self.by_label[1] += rows @ (apart.astype(np.float32) @ columns)
        return first, block

    def summary(self) -> MatrixSummary:
        with np.errstate(invalid="ignore"):
            means = self.by_label[0] / self.by_label[1]  # NaN where no pair is
        mean = self.total / self.pairs if self.pairs else float("nan")
        table = pd.DataFrame(means, index=self.names, columns=self.names)
        return MatrixSummary(self.rows, self.pairs // 2, mean, table)
