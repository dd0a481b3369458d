"""A collection in memory: every row is looked at, by one matrix product."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import pyarrow as pa
from lancedb.table import Table

from extractors.types import Float32
from fusion.explore.collection import Collection, Maker
from fusion.explore.search.columns import ID, KEY, metadata_columns
from fusion.explore.search.filters import applied, checked, columns_to_filter
from fusion.explore.search.hits import Match
from fusion.explore.search.tables import TEXT, best, check_language, in_memory, index_text, match_of, saying
from fusion.explore.similar.contents import Contents
from fusion.explore.similar.reference import Reference, reference
from fusion.explore.space import Space

ROW = "mark"  # the column that says where a row of the table is in the matrix


class ExactRows:
    """Search without an index. `unit` (rows, dim) are the collection's vectors in the space.

    >>> import pandas as pd
    >>> metadata = pd.DataFrame({"label": ["sad", "glad", "glad"], "text": ["no", "yes please", None]})
    >>> clips = Collection(("x", "y", "z"), np.eye(3, dtype=np.float32), metadata, Maker("m", "speech", 3, "f"))
    >>> rows = ExactRows(clips, Space.fit(clips.vectors, kind="raw", fingerprint="f"))
    >>> [match.id for match in rows.nearest(np.array([1, 0.5, 0], np.float32), 2, where="label = 'glad'")]
    ['y', 'z']
    >>> [match.id for match in rows.saying("please", 3)]
    ['y']
    """

    searched = "exactly"

    def __init__(self, collection: Collection, space: Space, *, language: str | None = None) -> None:
        check_language(language)
        self.collection, self.space, self.language = collection, space, language
        self.unit_vectors = space.transform(collection.vectors)
        self._conditions: dict[str, str] = {}
        self._place = {id: row for row, id in enumerate(collection.ids)}

    @property
    def maker(self) -> Maker:
        return self.collection.maker

    def __len__(self) -> int:
        return len(self.collection)

    @cached_property
    def percentiles(self) -> Reference | None:
        """None where no two rows differ."""
        rows = [np.arange(len(self))]
        contents = Contents(self.collection)
        found = reference("random pairs", rows, self.collection.vectors, self.space, contents=contents)
        return found if len(found) else None

    def unit(self, id: str) -> Float32 | None:
        row = self._place.get(id)
        return None if row is None else self.unit_vectors[row]

    def match(self, id: str) -> Match | None:
        row = self._place.get(id)
        return None if row is None else self._match(row, 1.0)

    def nearest(self, unit: Float32, k: int, *, where: str | None = None) -> list[Match]:
        rows = np.arange(len(self)) if where is None else self._under(where)
        scores = (self.unit_vectors if where is None else self.unit_vectors[rows]) @ unit
        return [self._match(int(rows[place]), float(scores[place])) for place in best(scores, k)]

    def saying(self, words: str, k: int, *, where: str | None = None) -> list[Match]:
        condition = checked(where, self._schema)
        if not self.reads:
            return []
        with applied(where):
            found = saying(self._said, words, k, condition)
        return [match._replace(metadata=self._match(self._place[match.id], 0.0).metadata) for match in found]

    def cosines(self, unit: Float32, ids: list[str]) -> dict[str, float]:
        return {id: float(self.unit_vectors[self._place[id]] @ unit) for id in ids}

    def _under(self, where: str) -> np.ndarray:
        condition = self._conditions.get(where) or checked(where, self._schema)
        assert condition is not None
        self._conditions[where] = condition
        with applied(where):
            found = self._table.search().where(condition).select([ROW]).to_arrow()
        return np.sort(found[ROW].to_numpy())

    def _match(self, row: int, value: float) -> Match:
        said = {ID: self.collection.ids[row]} | {name: values[row] for name, values in self._columns.items()}
        return match_of(said | {KEY: self.collection.keys[row] if self.collection.keys else None}, value)

    @cached_property
    def _arrow(self) -> dict[str, pa.Array]:
        return metadata_columns(self.collection.metadata)

    @cached_property
    def _columns(self) -> dict[str, list]:
        return {name: column.to_pylist() for name, column in self._arrow.items()}

    @property
    def reads(self) -> bool:
        return any(text for text in self._columns.get(TEXT, ()))

    @property
    def _schema(self) -> pa.Schema:
        """What a filter may name."""
        return columns_to_filter(self._arrow)

    @cached_property
    def _table(self) -> Table:
        count = len(self)
        keys = pa.array(self.collection.keys or [None] * count, pa.string())
        own = {ID: pa.array(self.collection.ids, pa.string()), KEY: keys, ROW: pa.array(np.arange(count))}
        return in_memory(own | self._arrow)

    @cached_property
    def _said(self) -> Table:
        """The table once its text can be searched."""
        index_text(self._table, self.language)
        return self._table
