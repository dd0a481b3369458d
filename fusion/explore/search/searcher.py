"""Search: by vector, by keyword, or by both."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from extractors.errors import InputError
from fusion.explore.search.asked import Asked, Query, asked
from fusion.explore.search.hits import Hit, Match, Rows
from fusion.explore.search.rank_fusion import fused_ranks
from fusion.explore.sources import VectorSource

MODES = ("vector", "keyword", "hybrid")
SPARE = 8  # rows more than asked for, in case some of them are the query itself
DEPTH = 100  # of each ranking that hybrid search fuses, where k is not more


class Searcher:
    """Answers queries over some rows.

    rows   : `ExactRows` or a `VectorIndex`
    source : what embeds files and texts; None: only ids and vectors are understood

    >>> import numpy as np, pandas as pd
    >>> from fusion.explore.collection import Collection, Maker
    >>> from fusion.explore.search.exact import ExactRows
    >>> from fusion.explore.space import Space
    >>> vectors = np.array([[1, 0.1], [0.9, 0.2], [-1, 1]], np.float32)
    >>> said = pd.DataFrame({"text": ["no", "no no", "yes"]})
    >>> clips = Collection(("x", "y", "z"), vectors, said, Maker("m", "speech", 2, "f"))
    >>> search = Searcher(ExactRows(clips, Space.fit(vectors, kind="raw", fingerprint="f")))
    >>> [hit.id for hit in search("x", k=2)], [hit.id for hit in search(words="yes", mode="keyword")]
    (['y', 'z'], ['z'])
    """

    def __init__(self, rows: Rows, source: VectorSource | None = None) -> None:
        if source is not None:
            rows.maker.check_same(source.maker)
        self.rows, self.source = rows, source

    def __call__(
        self,
        query: Query | None = None,
        *,
        k: int = 10,
        mode: str = "vector",
        where: str | None = None,
        words: str | None = None,
        start: float | None = None,
        end: float | None = None,
        include_itself: bool = False,
    ) -> list[Hit]:
        """The `k` best rows for `query`, best first; fewer where there are fewer.

        query          : an id, a file, a text, or a vector (dim,); of mode "keyword", words
        mode           : "vector": by cosine; "keyword": by BM25 over the column text; "hybrid": both, their ranks fused
        where          : SQL over the columns: only rows for which it is true
        words          : keywords, where they are not the query itself
        start, end     : seconds of an audio file
        include_itself : leave the query in where it is one of the rows

        Raises InputError for what cannot be searched for, with what to do.
        """
        _check(query, k, mode, words)
        if mode == "keyword":
            said = words if words is not None else str(query)
            found = self._saying(said, k, where)
            return [
                Hit(rank, match.id, keywords=match.value, metadata=match.metadata)
                for rank, match in enumerate(found, start=1)
            ]
        assert query is not None
        what = asked(query, self.rows, self.source, start=start, end=end, words=words)
        drop: Callable[[Match], bool] = (lambda match: False) if include_itself else what.is_itself
        if mode == "vector":
            found = self._nearest(what, k, where, drop)
            return [
                Hit(rank, match.id, *self._cosine(match.value), metadata=match.metadata)
                for rank, match in enumerate(found, start=1)
            ]
        return self._hybrid(query, what, k, where, words, drop)

    def _nearest(self, what: Asked, k: int, where: str | None, drop: Callable[[Match], bool]) -> list[Match]:
        more = k + SPARE
        while True:
            found = self.rows.nearest(what.unit, more, where=where)
            kept = [match for match in found if not drop(match)]
            if len(kept) >= k or len(found) < more:
                return kept[:k]
            more *= 4

    def _saying(self, words: str, k: int, where: str | None) -> list[Match]:
        found = self.rows.saying(_spoken(words), k, where=where)
        if not found and not self.rows.reads:
            raise InputError(
                f"keywords: none of the {len(self.rows):,} clips has a text to find words in",
                hint="Name a manifest with a column `text`: data.path=calls.csv data.columns.text=…, or take mode=vector.",
            )
        return found

    def _hybrid(
        self,
        query: Query,
        what: Asked,
        k: int,
        where: str | None,
        words: str | None,
        drop: Callable[[Match], bool],
    ) -> list[Hit]:
        if words is None and what.what != "text":
            raise InputError(
                f"mode=hybrid needs words beside {'the audio' if what.what == 'audio' else 'a ' + what.what}",
                hint='Give words="money back", or mode=vector.',
            )
        depth = max(DEPTH, k)
        near = self._nearest(what, depth, where, drop)
        said = [
            match for match in self._saying(words if words is not None else str(query), depth, where) if not drop(match)
        ]
        fused = fused_ranks([[match.id for match in near], [match.id for match in said]])
        cosines, keywords = ({match.id: match.value for match in found} for found in (near, said))
        known = {match.id: match.metadata for match in [*near, *said]}
        best = list(fused)[:k]
        cosines |= self.rows.cosines(what.unit, [id for id in best if id not in cosines])
        return [
            Hit(rank, id, *self._cosine(cosines[id]), keywords.get(id), fused[id], known[id])
            for rank, id in enumerate(best, start=1)
        ]

    def _cosine(self, value: float) -> tuple[float, float | None]:
        """A cosine, rounding errors taken off, and its percentile among random pairs."""
        pairs = self.rows.percentiles
        cosine = min(max(value, -1.0), 1.0)
        return cosine, None if pairs is None else pairs.percentile(cosine)


def _check(query: Query | None, k: object, mode: object, words: object) -> None:
    problems = []
    if isinstance(k, bool) or not isinstance(k, int) or k < 1:
        problems.append(f"k: expected how many clips, at least 1, got {k!r}")
    if mode not in MODES:
        problems.append(f"mode: expected {', '.join(MODES)}, got {mode!r}")
    if query is None and (mode != "keyword" or words is None):
        problems.append("query: expected a clip, a file or a text, got nothing")
    if mode == "keyword" and words is None and not isinstance(query, (str, Path)):
        problems.append("query: of mode=keyword expected words")
    if problems:
        raise InputError("search", problems)


def _spoken(words: str) -> str:
    if not any(letter.isalnum() for letter in words):
        raise InputError(f"keywords: expected words, got {words!r}")
    return words
