"""What search asks of one LanceDB table, whether it lies in memory or in an index's folder."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from typing import Any

import lancedb
import numpy as np
import pyarrow as pa
from lancedb.index import FTS
from lancedb.table import Table
from numpy.typing import NDArray

from extractors.errors import InputError
from extractors.rows import vectors_of
from extractors.types import Float32
from fusion.explore.search.columns import ID, KEY, MARK, VECTOR
from fusion.explore.search.hits import Match

TEXT = "text"
SCORE, DISTANCE = "_score", "_distance"
ROWS_AT_ONCE = 4096  # vectors that an exact pass over a table holds
LANGUAGES = (
    *("Arabic", "Danish", "Dutch", "English", "Finnish", "French", "German", "Greek", "Hungarian", "Italian"),
    *("Norwegian", "Portuguese", "Romanian", "Russian", "Spanish", "Swedish", "Tamil", "Turkish"),
)  # whose words LanceDB can reduce to their stems


def in_memory(columns: Mapping[str, pa.Array]) -> Table:
    """A table of these columns that nobody else sees."""
    return lancedb.connect("memory://").create_table(f"rows-{uuid.uuid4().hex}", data=pa.table(dict(columns)))


def shown(table: Table) -> list[str]:
    """The columns that a hit carries."""
    return [name for name in table.schema.names if name not in (MARK, VECTOR)]


def match_of(row: dict[str, Any], value: float) -> Match:
    """A row of a table's answer, with its cosine or score."""
    metadata = {name: said for name, said in row.items() if name not in (ID, KEY, SCORE, DISTANCE)}
    return Match(row[ID], value, row.get(KEY), metadata)


# -- keywords ----------------------------------------------------------------------------------------------------------


def check_language(language: str | None) -> None:
    """Raise InputError for a language whose stems nobody knows."""
    if language is not None and language not in LANGUAGES:
        raise InputError(f"language: expected null or one of {', '.join(LANGUAGES)}, got {language!r}")


def index_text(table: Table, language: str | None) -> None:
    """Make keywords searchable: words as Unicode and its dictionaries divide them (Chinese and Japanese too), case and
    accents ignored; with a `language`, by their stems and without its commonest words."""
    stemmed = language is not None
    config = FTS(base_tokenizer="icu", language=language or "English", stem=stemmed, remove_stop_words=stemmed)
    table.create_index(TEXT, config=config, replace=True)


def saying(table: Table, words: str, k: int, condition: str | None) -> list[Match]:
    """The `k` rows whose text has any of `words`, by BM25 (Robertson & Zaragoza, "The Probabilistic Relevance Framework:
    BM25 and Beyond", 2009)."""
    query = table.search(words, query_type="fts", fts_columns=TEXT).select([*shown(table), SCORE]).limit(k)
    found = (query if condition is None else query.where(condition, prefilter=True)).to_arrow()
    return [match_of(row, float(row[SCORE])) for row in found.to_pylist()]


# -- vectors -----------------------------------------------------------------------------------------------------------


def vectors_under(table: Table, condition: str | None) -> Iterator[tuple[list[str], Float32]]:
    """Ids and (rows, width) vectors of the rows under a condition, a few thousand at a time."""
    query = table.search().select([ID, VECTOR])
    query = query if condition is None else query.where(condition)
    for batch in query.to_batches(batch_size=ROWS_AT_ONCE):
        if batch.num_rows:
            yield batch[ID].to_pylist(), vectors_of(batch[VECTOR])


def best(scores: Float32, k: int) -> NDArray[np.int64]:
    """(at most k,) the places of the highest, highest first, equal ones in their order.

    >>> best(np.array([0.1, 0.9, 0.9, 0.3], np.float32), 3).tolist()
    [1, 2, 3]
    """
    places = np.arange(len(scores))
    if k < len(scores):
        edge = np.partition(scores, len(scores) - k)[len(scores) - k]
        places = places[scores >= edge]  # all that share the last place, for the order to decide
    return places[np.argsort(-scores[places], kind="stable")[:k]]


def exactly_nearest(table: Table, unit: Float32, k: int, condition: str | None) -> list[tuple[str, float]]:
    """The `k` rows under a condition of highest dot product with `unit`, every one of them looked at, in bounded memory."""
    ids: list[str] = []
    scores = np.zeros(0, np.float32)
    for part, vectors in vectors_under(table, condition):
        ids += part
        scores = np.concatenate([scores, vectors @ unit])
        kept = best(scores, k)
        ids, scores = [ids[place] for place in kept], scores[kept]
    return list(zip(ids, map(float, scores), strict=True))
