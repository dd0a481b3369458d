"""The embedding store: vectors by content, on LanceDB.

One table per extractor fingerprint, so that changing a setting can never reuse a stale vector and one extractor's
vectors are one column of one width. Every write is one atomic commit; a killed process leaves nothing half-written, and
any number of processes may write at once.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property, partial
from itertools import groupby
from pathlib import Path
from typing import NoReturn

import lancedb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from lancedb.table import Table
from numpy.typing import NDArray

from extractors import lance_tables
from extractors.errors import InputError, StoreError
from extractors.files import write_text
from extractors.keys import PREFIX_DIGITS, KnownKeys, by_prefix, embedding_key, key_prefix
from extractors.locking import alone, in_use
from extractors.rows import (
    FRAMES_DTYPES,
    FramesDtype,
    StoredExtractor,
    check_shapes,
    frames_dim,
    frames_type,
    scores_of,
    stored_extractor,
    table_schema,
    to_rows,
    vectors_of,
)
from extractors.types import Embedding, Extractor, Float32

MARKER = "emofuse-store.json"
NO_SPACE = re.compile(r"os error (27|28|122)\b|no space left|file too large|quota exceeded", re.IGNORECASE)


class EmbeddingStore:
    """Embeddings by content key, in a folder. Safe for several threads and processes at once.

    path         : folder, made on the first write; `InputError` where it is something else
    frames_dtype : how sequences are kept. "float32", the default, returns exactly what the encoder said; "float16"
                   takes half the space and rounds (relative error up to 5e-4), which no setting of the encoder would
                   show. Pooled vectors and scores are always float32.

    >>> import tempfile
    >>> from extractors.types import Embedding
    >>> class Mean:
    ...     name, modality, dim, frame_rate, fingerprint = "mean", "text", 2, None, "a1"
    ...     def describe(self): return {"name": self.name}
    ...     def extract(self, clips, *, frames=False): ...
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     store = EmbeddingStore(folder)
    ...     keys = [store.key("content of x", None, None, "a1"), store.key("content of y", None, None, "a1")]
    ...     _ = store.put(Mean(), keys[:1], [Embedding(np.array([1, 2], np.float32))])
    ...     store.has(keys), store.read_vectors(keys[:1])
    (array([ True, False]), array([[1., 2.]], dtype=float32))
    """

    def __init__(
        self, path: str | os.PathLike[str] = ".emofuse/store", *, frames_dtype: FramesDtype = "float32"
    ) -> None:
        if frames_dtype not in FRAMES_DTYPES:
            raise InputError(f"store: frames_dtype is one of {', '.join(FRAMES_DTYPES)}, got {frames_dtype!r}")
        self.path, self.frames_dtype = Path(path).expanduser().absolute(), frames_dtype
        self._check_folder()

    def __repr__(self) -> str:
        return f"EmbeddingStore({str(self.path)!r})"

    @staticmethod
    def key(content_hash: str, start: float | None, end: float | None, fingerprint: str) -> str:
        """Key of one span (seconds; None: the beginning, the end) of one content under one extractor."""
        return embedding_key(content_hash, start, end, fingerprint)

    def has(self, keys: Sequence[str], *, frames: bool = False) -> NDArray[np.bool_]:
        """(keys,) bool: which are stored; with `frames`, which are stored with their sequence of frames."""
        found = np.zeros(len(keys), dtype=bool)
        for prefix, index in by_prefix(keys).items():
            stored = self._stored_keys(prefix, frames=frames)
            found[index] = pc.is_in(pa.array([keys[i] for i in index], pa.string()), value_set=stored)
        return found

    def known(self, fingerprint: str, *, frames: bool = False) -> KnownKeys:
        """All keys stored for an extractor as they are now, for asking again and again without reading again."""
        return KnownKeys(self._stored_keys(key_prefix(fingerprint), frames=frames))

    def put(self, extractor: Extractor, keys: Sequence[str], embeddings: Sequence[Embedding]) -> int:
        """Store what `extractor` said of each key, all of it or none, in one commit. Returns how many rows are new.

        A key that is there stays as it is, for the same key means the same numbers; only where it had no frames and
        now comes with some is it replaced. Raises ValueError for shapes that are not the extractor's, InputError where
        the store holds another width under its fingerprint, StoreError where the disk refuses.
        """
        prefix = key_prefix(extractor.fingerprint)
        if strangers := [key for key in keys if not key.startswith(prefix)]:
            raise ValueError(f"{len(strangers)} of {len(keys)} keys are not of {extractor.name}: {strangers[0]!r}")
        unique = dict(zip(keys, embeddings, strict=True))
        for embedding in unique.values():
            check_shapes(embedding, extractor.dim, frames_dim(extractor))
        if not unique:
            return 0
        with self._explained("written"):
            self.make()
            with in_use(self.path):
                table = self._table(prefix) or self._create(extractor, list(unique.values()))
                self._check_table(table, extractor, frames=any(e.frames is not None for e in unique.values()))
                return lance_tables.insert(table, to_rows(list(unique), list(unique.values()), table.schema))

    def read_vectors(self, keys: Sequence[str]) -> Float32:
        """(keys, dim) float32 in the order of `keys`, which may repeat. Raises KeyError where one is missing."""
        return self._read_column(keys, "vector", vectors_of)

    def read_scores(self, keys: Sequence[str], *, classes: int | None = None) -> Float32:
        """(keys, classes) float32, in the order of `keys` and of `tables()[…].labels`. KeyError where there are none;
        with their number `classes` given, rows of NaN instead."""
        return self._read_column(keys, "scores", partial(scores_of, classes=classes))

    def read_frames(self, keys: Sequence[str]) -> Iterator[Float32]:
        """Each key's (frames, dim) float32, in the order of `keys`, a few at a time. KeyError where a key has none."""
        for prefix, run in groupby(keys, key=lambda key: key[:PREFIX_DIGITS]):
            with self._explained("read"), in_use(self.path):
                asked = list(run)
                table, rows, lengths = self._locate(prefix, asked)
                if not lengths.all():
                    self._missing([asked[i] for i in np.flatnonzero(lengths == 0)], "frames of ")
                yield from lance_tables.read_frames(table, rows, lengths)

    def scan(self, fingerprint: str, *, rows: int = 8192) -> Iterator[tuple[list[str], Float32]]:
        """All that one extractor has here, as (keys, (keys, dim) float32), at most `rows` at a time and holding no more.

        Rows come in the order of the table, which compaction keeps; nothing where there is no such table.
        """
        with self._explained("read"), in_use(self.path):
            table = self._table(key_prefix(fingerprint))
            if table is not None:
                yield from lance_tables.scan(table, rows)

    def locate_frames(self, keys: Sequence[str]) -> lance_tables.LocatedFrames:
        """Where the frames of `keys`, all of one extractor, are now; read by `read_located`. KeyError where a key has none.

        What it knows holds for the table as it is: reading many small batches then looks for keys once.
        """
        if len({key[:PREFIX_DIGITS] for key in keys}) != 1:
            raise ValueError("expected keys of one extractor")
        with self._explained("read"), in_use(self.path):
            table, rows, lengths = self._locate(keys[0][:PREFIX_DIGITS], keys)
            if not lengths.all():
                self._missing([keys[int(i)] for i in np.flatnonzero(lengths == 0)], "frames of ")
            return lance_tables.LocatedFrames(table, rows, lengths, lance_tables.frames_width(table))

    def read_located(self, located: lance_tables.LocatedFrames, index: NDArray[np.int64]) -> list[Float32]:
        """(frames, dim) float32 of the keys at the places `index`, which may repeat. Not to be written.

        Raises StoreError where the table was compacted meanwhile and what it was is gone: locate again.
        """
        with self._explained("read"), in_use(self.path):
            return lance_tables.take_frames(located.table, located.rows[index]) if len(index) else []

    def tables(self) -> list[StoredExtractor]:
        """The extractors that have rows here, by table name."""
        with self._explained("read"), in_use(self.path):
            opened = [self._db.open_table(name) for name in self._names()]
            return [stored_extractor(table.name, table.schema, table.count_rows()) for table in opened]

    def compact(self) -> None:
        """Merge the small files of many commits where that pays, and remove what no version needs any more.

        One process at a time; a second returns at once. What others may still be reading stays until a later call finds
        the store unused.
        """
        with self._explained("compacted"), alone(self.path, lock=".compacting") as mine:
            for name in self._names() if mine else ():
                with in_use(self.path):
                    table = self._db.open_table(name)
                    if not lance_tables.worth_merging(table) or not lance_tables.merge_fragments(table):
                        continue
                with alone(self.path) as unused:
                    if unused:
                        lance_tables.remove_old_versions(self._db.open_table(name))
            with alone(self.path) as unused:
                if mine and unused:
                    lance_tables.remove_leftovers(self.path)

    @cached_property
    def _db(self) -> lancedb.DBConnection:
        return lancedb.connect(self.path)

    def _names(self) -> list[str]:
        return sorted(folder.stem for folder in self.path.glob("*.lance"))

    def _table(self, prefix: str) -> Table | None:
        """The table as it is now. A fresh handle each time: another thread cannot move it to another version."""
        name = next((name for name in self._names() if name.endswith(f"-{prefix}")), None)
        return None if name is None else self._db.open_table(name)

    def _create(self, extractor: Extractor, embeddings: Sequence[Embedding]) -> Table:
        labels = next((embedding.labels for embedding in embeddings if embedding.scores is not None), ())
        readable = re.sub(r"[^A-Za-z0-9]+", "_", extractor.name).strip("_")
        name = f"{readable}-{key_prefix(extractor.fingerprint)}"
        lance_tables.create_table(self.path, name, table_schema(extractor, labels, self.frames_dtype))
        return self._db.open_table(name)

    def _stored_keys(self, prefix: str, *, frames: bool) -> pa.Array:
        with self._explained("read"), in_use(self.path):
            table = self._table(prefix)
            return pa.array([], pa.string()) if table is None else lance_tables.stored_keys(table, frames=frames)

    def _locate(self, prefix: str, keys: Sequence[str]) -> tuple[Table, lance_tables.RowIds, NDArray[np.int64]]:
        table = self._table(prefix)
        if table is None:
            self._missing(keys)
        try:
            return table, *lance_tables.locate(table, keys)
        except KeyError as error:
            self._missing(error.args[0])

    def _read_column(self, keys: Sequence[str], column: str, to_numpy: Callable[..., Float32]) -> Float32:
        groups = by_prefix(keys)
        parts = []
        for prefix, index in groups.items():
            asked = [keys[i] for i in index]
            with self._explained("read"), in_use(self.path):
                table, rows, _ = self._locate(prefix, asked)
                parts.append(lance_tables.read_column(table, rows, column, to_numpy))
        widths = {part.shape[1] for part in parts}
        if len(widths) > 1:
            raise InputError(f"the keys belong to extractors of different widths: {sorted(widths)}; read them apart")
        if len(parts) == 1:
            return parts[0]
        result = np.empty((len(keys), widths.pop() if widths else 0), np.float32)
        for index, part in zip(groups.values(), parts, strict=True):
            result[index] = part
        return result

    # -- folder and messages --------------------------------------------------------------------------------------

    def _check_folder(self) -> None:
        if not self.path.exists():
            return
        if not self.path.is_dir():
            raise InputError(f"store: {self.path} is a file, not a folder", hint="Set store.path to a folder.")
        others = [entry.name for entry in self.path.iterdir() if not entry.name.startswith(".")]
        if others and not (self.path / MARKER).is_file():
            raise InputError(
                f"store: {self.path} holds other things ({', '.join(sorted(others)[:3])} …) and is no embedding store",
                hint="Set store.path to a store, or to a folder that is empty or does not exist.",
            )

    def make(self) -> None:
        """The empty store, where there is nothing yet. Raises InputError where there is something else."""
        self._check_folder()
        if not (self.path / MARKER).is_file():
            self.path.mkdir(parents=True, exist_ok=True)
            write_text(self.path / MARKER, json.dumps({"format": 1, "what": "Emofuse embedding store"}) + "\n")

    def _check_table(self, table: Table, extractor: Extractor, *, frames: bool) -> None:
        stored = stored_extractor(table.name, table.schema)
        if stored.dim != extractor.dim:
            raise InputError(
                f"store: {self.path} has vectors of {stored.dim} values from {stored.name}; {extractor.name}, with the "
                f"same fingerprint, gives {extractor.dim}",
                hint="The fingerprint must cover every setting that changes the numbers. Or use another store.path.",
            )
        if frames and stored.frames_dim != frames_dim(extractor):
            # written before this extractor had frames, or had them of this width
            if lance_tables.retype_frames(table, frames_type(extractor, self.frames_dtype)):
                return
            raise InputError(
                f"store: {self.path} has frames of {stored.frames_dim} values from {stored.name}; they now are of "
                f"{frames_dim(extractor)}",
                hint="Use another store.path.",
            )
        if frames and stored.frames_dtype != self.frames_dtype:
            raise InputError(
                f"store: {self.path} keeps the frames of {stored.name} as {stored.frames_dtype}, not {self.frames_dtype}",
                hint=f"Set store.frames_dtype={stored.frames_dtype}, or use another store.path.",
            )

    def _missing(self, keys: Sequence[str], what: str = "") -> NoReturn:
        shown = ", ".join(keys[:3]) + (" …" if len(keys) > 3 else "")
        raise KeyError(f"{what}{len(keys):,} keys are not in {self.path}: {shown}")

    @contextmanager
    def _explained(self, doing: str) -> Iterator[None]:
        try:
            yield
        except (OSError, RuntimeError) as error:
            if NO_SPACE.search(str(error)):
                raise StoreError(
                    f"store: no space left in {self.path}. What was committed before is kept and whole: make room, or "
                    "set store.path to another disk, and run again to go on."
                ) from error
            raise StoreError(f"store: {self.path} cannot be {doing}: {error}") from error
