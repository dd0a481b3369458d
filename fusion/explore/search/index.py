"""A vector index in a folder of the store: a LanceDB table of unit vectors and their metadata."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import lancedb
import numpy as np
import pyarrow as pa
from lancedb.background_loop import LOOP
from lancedb.table import AsyncTable, Table

from extractors.errors import InputError
from extractors.fingerprint import fingerprint
from extractors.locking import in_use
from extractors.types import Float32
from fusion.explore.collection import Maker
from fusion.explore.search import building
from fusion.explore.search.columns import ID, VECTOR
from fusion.explore.search.filters import applied, checked, quoted
from fusion.explore.search.hits import Match
from fusion.explore.search.record import NAME, Record, read_record
from fusion.explore.search.streams import Stream
from fusion.explore.search.tables import DISTANCE, TEXT, exactly_nearest, match_of, saying, shown
from fusion.explore.similar.reference import Reference
from fusion.explore.space import KINDS, Space

log = logging.getLogger(__name__)

PROBES = 50  # partitions that a search looks into
REFINE = 5  # times k: the candidates that are compared by their own vectors
FILTERED = 4  # times `PROBES`, under a filter: what it leaves lies further apart
EXACT_UNDER = 1_000  # rows that a filter leaves, up to which all are compared: an index would miss some of few


class VectorIndex:
    """Search in an index that `build` made. Safe for several threads and processes; a rebuild is noticed.

    folder : where `build` put it
    store  : folder that keeps the index's space; None: two above, where an index of a store lies
    probes : partitions that a search looks into; more: slower and closer to exact
    refine : times k, candidates that are compared by their own vectors
    """

    def __init__(self, folder: Path, *, store: Path | None = None, probes: int = PROBES, refine: int = REFINE) -> None:
        if problems := [
            f"index.{name}: expected a whole number, at least 1, got {value!r}"
            for name, value in (("probes", probes), ("refine", refine))
            if isinstance(value, bool) or not isinstance(value, int) or value < 1
        ]:
            raise InputError("settings of the index", problems)
        self.folder, self.store = folder.absolute(), (store or folder.absolute().parents[1])
        self.probes, self.refine = probes, refine
        self._conditions: dict[str, str] = {}
        self._seen: tuple[int, int] | None = None
        self._open()

    @classmethod
    def open(cls, folder: Path, maker: Maker | None = None, **options: Any) -> VectorIndex:
        """An index that is there. InputError where there is none, or where it is of another `maker`."""
        index = cls(folder, **options)
        if maker is not None:
            index.maker.check_same(maker)
        return index

    @classmethod
    def build(
        cls, folder: Path, stream: Stream, *, space: str, store: Path, language: str | None = None, **options: Any
    ) -> VectorIndex:
        """Make it anew from a stream, in one step for those who search meanwhile."""
        building.build(folder, stream, space=space, store=store, language=language)
        return cls(folder, store=store, **options)

    def update(self, stream: Stream) -> None:
        """Take in what is new or changed of the stream, and drop what is gone. InputError for another maker's."""
        self.maker.check_same(stream.maker)
        building.update(self.folder, self.record, stream, space=self.space, store=self.store)
        self._open()

    # -- what is searched ------------------------------------------------------------------------------------------

    @property
    def maker(self) -> Maker:
        return self.record.maker

    @property
    def percentiles(self) -> Reference | None:
        return self._percentiles

    @property
    def searched(self) -> str:
        if not self.record.trained:
            return "exactly"
        return f"by vector index ({self.probes} partitions, {self.refine} × k compared exactly)"

    def __len__(self) -> int:
        return self.record.rows

    def unit(self, id: str) -> Float32 | None:
        with self._table() as table:
            found = table.search().where(f"{ID} = {quoted(id)}").select([VECTOR]).limit(1).to_arrow()[VECTOR]
            return self._narrow(np.array(found[0].as_py(), np.float32)) if len(found) else None

    def match(self, id: str) -> Match | None:
        with self._table() as table:
            found = table.search().where(f"{ID} = {quoted(id)}").select(self._shown).limit(1).to_arrow()
            return match_of(found.to_pylist()[0], 1.0) if len(found) else None

    def nearest(self, unit: Float32, k: int, *, where: str | None = None) -> list[Match]:
        wide = self._wide(unit)
        with self._table() as table, applied(where):
            condition = self._checked(where, table)
            rows = self.record.rows if condition is None else table.count_rows(condition)
            if (rows <= EXACT_UNDER and condition is not None) or not self.record.trained or self.refine * k >= rows:
                return self._exactly(table, wide, k, condition)
            found = LOOP.run(self._approximately(wide, k, condition))
            if len(found) < min(k, rows):  # what the filter leaves lies in other partitions
                return self._exactly(table, wide, k, condition)
            return [match_of(row, 1.0 - row[DISTANCE]) for row in found]

    def saying(self, words: str, k: int, *, where: str | None = None) -> list[Match]:
        with self._table() as table, applied(where):
            condition = self._checked(where, table)
            if self.record.columns.get(TEXT) != "string":
                return []
            return saying(table, words, k, condition)

    @property
    def reads(self) -> bool:
        with self._table() as table:
            return self.record.columns.get(TEXT) == "string" and table.count_rows(f"{TEXT} IS NOT NULL") > 0

    def cosines(self, unit: Float32, ids: list[str]) -> dict[str, float]:
        if not ids:
            return {}
        wide = self._wide(unit)
        with self._table() as table:
            found = exactly_nearest(table, wide, len(ids), f"{ID} IN ({', '.join(map(quoted, ids))})")
            return dict(found)

    # -- the table -------------------------------------------------------------------------------------------------

    async def _approximately(self, wide: Float32, k: int, condition: str | None) -> list[dict[str, Any]]:
        """Straight to LanceDB's own loop: each of the many calls behind `Table.search` would wait for it by itself, which
        takes two of a query's eight milliseconds."""
        query = self._unwaited.query().nearest_to(wide).column(VECTOR).distance_type("dot")
        query = query.select([*self._shown, DISTANCE]).limit(k).refine_factor(self.refine)
        query = query.nprobes(self.probes if condition is None else FILTERED * self.probes)
        return (await (query if condition is None else query.where(condition)).to_arrow()).to_pylist()

    def _exactly(self, table: Table, wide: Float32, k: int, condition: str | None) -> list[Match]:
        found = exactly_nearest(table, wide, k, condition)
        if not found:
            return []
        names = ", ".join(quoted(id) for id, _ in found)
        rows = table.search().where(f"{ID} IN ({names})").select(self._shown).to_arrow().to_pylist()
        known = {row[ID]: row for row in rows}
        return [match_of(known[id], value) for id, value in found]

    def _checked(self, where: str | None, table: Table) -> str | None:
        if where is None:
            return None
        if where not in self._conditions:
            columns = pa.schema([table.schema.field(name) for name in self._shown])
            self._conditions[where] = checked(where, columns) or ""
        return self._conditions[where]

    def _wide(self, unit: Float32) -> Float32:
        wide = np.zeros(building.padded_width(self.maker.dim), np.float32)
        wide[: len(unit)] = unit
        return wide

    def _narrow(self, wide: Float32) -> Float32:
        return wide[: self.maker.dim]

    @contextmanager
    def _table(self) -> Iterator[Table]:
        """The current table, which nobody removes meanwhile."""
        with in_use(self.folder):
            if self._stat() != self._seen:
                self._open()
            yield self._opened

    def _stat(self) -> tuple[int, int] | None:
        try:
            said = (self.folder / NAME).stat()
        except OSError:
            return None
        return said.st_mtime_ns, said.st_ino

    def _open(self) -> None:
        self._seen = self._stat()
        record = read_record(self.folder)
        if record is None:
            raise InputError(f"index: there is none in {self.folder}")
        self.record: Record = record
        self.space = Space.load(self.store, record.space) if record.space != "raw" else _raw(record.maker)
        if self.space.fingerprint != record.maker.fingerprint:
            raise InputError(
                f"index: {self.folder} is of {record.maker.name}, its space {record.space} of other vectors",
                hint="Build it anew: index.rebuild=true.",
            )
        self._percentiles = record.percentiles
        self._conditions.clear()
        try:
            self._opened: Table = lancedb.connect(self.folder).open_table(record.table)
            self._unwaited: AsyncTable = LOOP.run(_opened(self.folder, record.table))
        except (ValueError, RuntimeError, OSError) as error:
            raise InputError(
                f"index: the table of {self.folder} cannot be opened: {error}",
                hint="Build it anew: index.rebuild=true.",
            ) from error
        self._shown = shown(self._opened)


async def _opened(folder: Path, name: str) -> AsyncTable:
    return await (await lancedb.connect_async(folder)).open_table(name)


def index_folder(store: Path, stream: Stream, space: str) -> Path:
    """Where the index of a collection lies: one for each maker, kind of space (or kept space) and collection.

    <store>/indexes/emotion2vec_plus_large-centred-3f2a9c11
    """
    digest = fingerprint({"maker": stream.maker.fingerprint, "space": space, "collection": stream.name})[:8]
    readable = re.sub(r"[^A-Za-z0-9]+", "_", stream.maker.name).strip("_")
    kind = space if space in KINDS else space.split("-")[0]
    return store / "indexes" / f"{readable}-{kind}-{digest}"


def _raw(maker: Maker) -> Space:
    return Space("raw", maker.fingerprint, 0, np.zeros(maker.dim, np.float32))
