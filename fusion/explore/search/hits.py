"""What a search finds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from extractors.types import Float32
from fusion.explore.collection import Maker
from fusion.explore.similar.reference import Reference
from fusion.explore.space import Space


class Match(NamedTuple):
    """A row of a collection and how well it fits: a cosine, or a keyword score. `key` is None outside a store."""

    id: str
    value: float
    key: str | None
    metadata: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Hit:
    """One answer.

    rank       : from 1
    cosine     : to the query in the search's space; None where there was no vector to compare with
    percentile : of the cosine among random pairs, 0 to 100
    keywords   : BM25 score, None where none of the words is in the text
    fused      : of mode=hybrid, what the rank is by
    metadata   : the collection's columns

    >>> Hit(1, "call-17", 0.8125, 99.5, metadata={"label": "angry"}).as_dict()
    {'rank': 1, 'id': 'call-17', 'cosine': 0.8125, 'percentile': 99.5, 'label': 'angry'}
    """

    rank: int
    id: str
    cosine: float | None = None
    percentile: float | None = None
    keywords: float | None = None
    fused: float | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """As JSON-able data; what is not known is left out. A column of the metadata never hides what was measured."""
        measured = {
            "rank": self.rank,
            "id": self.id,
            "cosine": self.cosine,
            "percentile": self.percentile,
            "keywords": self.keywords,
            "fused": self.fused,
        }
        said = {name: value for name, value in self.metadata.items() if name not in measured}
        return {name: value for name, value in (measured | said).items() if value is not None}


class Rows(Protocol):
    """Rows that can be searched, in memory or in an index.

    space       : what their vectors were moved by
    percentiles : cosines of random pairs; None where there are too few rows
    searched    : for people, how: "exactly", or by which index
    """

    @property
    def maker(self) -> Maker: ...
    @property
    def space(self) -> Space: ...
    @property
    def percentiles(self) -> Reference | None: ...
    @property
    def searched(self) -> str: ...
    @property
    def reads(self) -> bool:
        """Whether any row has a text."""

    def __len__(self) -> int: ...
    def unit(self, id: str) -> Float32 | None:
        """(dim,) the vector of a row in the space; None where there is no such row."""

    def match(self, id: str) -> Match | None:
        """What is known of a row; None where there is no such row."""

    def nearest(self, unit: Float32, k: int, *, where: str | None = None) -> list[Match]:
        """The `k` rows under the filter of highest cosine to `unit` (dim,); fewer only where the filter leaves fewer."""

    def saying(self, words: str, k: int, *, where: str | None = None) -> list[Match]:
        """The `k` rows under the filter whose text has the words, by BM25."""

    def cosines(self, unit: Float32, ids: list[str]) -> dict[str, float]:
        """The cosine of each of a few rows to `unit`."""
