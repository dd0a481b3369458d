"""One Parquet file, for pandas, polars, DuckDB, Spark and the rest."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from extractors.export.publish import new_entries, refuse_existing
from extractors.export.stored import StoredClip, StoredClips
from extractors.types import Clip, Modality

GROUP_ROWS = 4096  # of a row group …
GROUP_VALUES = 2**24  # … or fewer, once their frames are 64 MB


class ParquetExport:
    """`<modality>.parquet`: a row for each clip, in the manifest's order.

    id              : string, as in the manifest
    vector          : fixed-size list of dim float32
    frames          : list of such lists, at frame granularity only
    score_<label>   : float32, one column for each class where the model classifies; null where a clip has no scores

    The schema's metadata holds `emofuse` (JSON: model, fingerprint, granularity, dim, frame_rate, labels in order) and
    `labels` (a JSON list). Written in row groups: memory does not grow with the manifest.

    path : folder; a file of that name in it is refused
    """

    def __init__(self, *, path: str | os.PathLike[str], modality: Modality = "speech") -> None:
        self.path, self.modality = Path(path).expanduser(), modality

    @property
    def name(self) -> str:
        return f"{self.modality}.parquet"

    def check(self, clips: Sequence[Clip]) -> None:
        """Ids are data here, so any will do; the file must not exist."""
        refuse_existing(self.path, [self.name])

    def write(self, stored: StoredClips) -> Path:
        """Returns the file."""
        self.check(stored.clips)
        schema = parquet_schema(stored)
        with new_entries(self.path) as folder, pq.ParquetWriter(folder / self.name, schema) as writer:
            for rows in _groups(stored):
                writer.write_table(_table(rows, schema, stored))
        return self.path / self.name


def parquet_schema(stored: StoredClips) -> pa.Schema:
    """Columns and metadata of the file."""
    vector = pa.list_(pa.float32(), stored.extractor.dim)
    fields = [pa.field("id", pa.string(), nullable=False), pa.field("vector", vector, nullable=False)]
    if stored.granularity == "frame":
        frame = pa.list_(pa.float32(), stored.extractor.frames_dim)
        fields.append(pa.field("frames", pa.list_(frame), nullable=False))
    fields += [pa.field(f"score_{label}", pa.float32()) for label in stored.labels]
    described = json.dumps(stored.describe(), ensure_ascii=False)
    return pa.schema(fields, {"emofuse": described, "labels": json.dumps(stored.labels, ensure_ascii=False)})


def _groups(stored: Iterable[StoredClip]) -> Iterator[list[StoredClip]]:
    rows = iter(stored)
    while first := list(islice(rows, 1)):
        group, values = first, first[0].array.size
        while len(group) < GROUP_ROWS and values < GROUP_VALUES and (more := list(islice(rows, 1))):
            group += more
            values += more[0].array.size
        yield group


def _table(rows: list[StoredClip], schema: pa.Schema, stored: StoredClips) -> pa.Table:
    dim = stored.extractor.dim
    vectors = np.stack([row.vector for row in rows])  # (rows, dim)
    columns: list[pa.Array] = [
        pa.array([row.clip.id for row in rows], pa.string()),
        pa.FixedSizeListArray.from_arrays(pa.array(vectors.reshape(-1)), dim),
    ]
    if stored.granularity == "frame":
        frames = [row.array for row in rows]
        offsets = np.concatenate([[0], np.cumsum([len(sequence) for sequence in frames])])
        values = pa.array(np.concatenate(frames).reshape(-1))
        each = pa.FixedSizeListArray.from_arrays(values, stored.extractor.frames_dim)
        columns.append(pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), each))
    for place in range(len(stored.labels)):
        found = [None if row.scores is None else float(row.scores[place]) for row in rows]
        columns.append(pa.array(found, pa.float32()))
    return pa.Table.from_arrays(columns, schema=schema)
