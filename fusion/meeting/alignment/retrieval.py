"""Where in a transcript a sentence is talked about: sentence vectors for what was said, TF-IDF for the words and names.

Both similarities are standardised over the windows and added; windows of several lengths vote for the utterances in
them, and the stretch whose utterances have most votes wins. What that brings, and what was chosen looking at which
data: benchmarks/minutes_alignment.py.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.feature_extraction.text import TfidfVectorizer

from extractors.types import Extractor, Float32
from fusion.meeting.alignment.windows import Piece, Window, make_pieces, make_windows
from fusion.meeting.minutes.tokens import count_words, tokens
from fusion.meeting.transcript import Transcript

Float64 = NDArray[np.float64]
STRETCH = 60  # words; the stretches that are found, and what the sentence vectors are of
LENGTHS = (60, 90, 120)  # words; windows of the TF-IDF
WHOLE = 360  # words of a transcript from which on windows have these lengths
SHORTEST = 12  # words of a window
SPOKEN = 3  # words; fewer say too little to be told from others alone
ALIKE = 0.1  # of a cosine; utterances that near to each other are equally good
TINY = 1e-9


@dataclass(frozen=True, slots=True)
class Hit:
    """A stretch for a query. `cosine` (None without an encoder) and `lexical` are the two similarities, at most 1;
    `score` is what stretches were ranked by, in standard deviations; higher is better, comparable within a query only.
    `said` is the cosine with the one utterance in it that is nearest to the query, where that was asked for."""

    window: Window
    score: float
    cosine: float | None
    lexical: float
    said: float | None = None


class Retrieval:
    """An index of one transcript. `encoder` is a text extractor; without one, words alone are compared.

    The speakers' names are in what the TF-IDF sees (minutes say who said what) and not in what the encoder sees: a name
    before every turn makes all the windows alike.

    >>> from fusion.meeting.transcript import Transcript, Utterance
    >>> said = ["we need a cheaper remote control", "the weather was fine", "lunch is at noon"]
    >>> utterances = [Utterance(str(n), n, n + 1.0, text, speaker="Ann") for n, text in enumerate(said)]
    >>> index = Retrieval(Transcript(tuple(utterances), "csv"), stretch=6, lengths=(6,))
    >>> [hit.window.said for hit in index.search(["Costs of the remote control"])[0]][0]
    'we need a cheaper remote control'
    """

    def __init__(
        self,
        transcript: Transcript,
        *,
        encoder: Extractor | None = None,
        stretch: int | None = None,
        lengths: Sequence[int] | None = None,
    ) -> None:
        self.encoder = encoder
        self._names = sorted({said.speaker for said in transcript.utterances if said.speaker}, key=len, reverse=True)
        self._spoken: Float32 | None = None  # (pieces, dim), when they are asked for
        words = sum(count_words(said.text) for said in transcript.utterances)
        stretch, lengths = stretch or scaled(STRETCH, words), lengths or [scaled(length, words) for length in LENGTHS]
        self.pieces: list[Piece] = make_pieces(transcript, most=stretch)
        self.windows = make_windows(self.pieces, words=stretch)
        self._cover = _cover(self.windows, len(self.pieces))  # (windows, pieces)
        self._vectors = _encode(encoder, [window.said for window in self.windows])
        self._lexical = [_Lexical(self.windows if words == stretch else None, self.pieces, words) for words in lengths]
        self._stretch_lexical = next(
            (lexical for lexical, words in zip(self._lexical, lengths, strict=True) if words == stretch), None
        ) or _Lexical(self.windows, self.pieces, stretch)

    def search(self, queries: Sequence[str], *, top: int = 3) -> list[list[Hit]]:
        """For each query the `top` best stretches, best first, no two of them sharing an utterance's words."""
        if not queries or not self.windows:
            return [[] for _ in queries]
        scores, cosines, lexical = self.similarities(queries)

        def hit(row: int, column: int) -> Hit:
            cosine = None if cosines is None else float(cosines[row, column])
            return Hit(self.windows[column], float(scores[row, column]), cosine, float(lexical[row, column]))

        return [[hit(row, column) for column in self.apart(scores[row], top)] for row in range(len(queries))]

    def search_said(self, queries: Sequence[str], *, least: float, top: int = 3) -> list[list[Hit]]:
        """As `search`, among stretches alone in which one utterance is nearly the query: `said` is at least `least`.

        A stretch of many utterances is like none of them much. Speakers' names are left out of the queries, as nobody
        says their own. Nothing is found without an encoder.
        """
        asked = [self._unnamed(query) for query in queries]
        if self.encoder is None or not asked or not self.windows:
            return [[] for _ in queries]
        if self._spoken is None:
            self._spoken = _encode(self.encoder, [piece.text for piece in self.pieces])
        vectors = _encode(self.encoder, asked)
        assert vectors is not None
        assert self._spoken is not None
        alone = vectors @ self._spoken.T  # (queries, pieces)
        alone[:, [piece.words < SPOKEN for piece in self.pieces]] = -1.0
        alone[[count_words(query) < SPOKEN for query in asked]] = -1.0
        scores, cosines, lexical = self.similarities(queries)
        assert cosines is not None
        found = []
        for row in range(len(queries)):
            said = np.array([alone[row, window.first : window.last + 1].max() for window in self.windows])
            near = said >= max(least, said.max() - ALIKE)
            columns = [column for column in self.apart(np.where(near, scores[row], -np.inf), top) if near[column]]
            found.append(
                [
                    Hit(
                        self.windows[c],
                        float(scores[row, c]),
                        float(cosines[row, c]),
                        float(lexical[row, c]),
                        float(said[c]),
                    )
                    for c in columns
                ]
            )
        return found

    def _unnamed(self, query: str) -> str:
        for name in self._names:
            query = re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", " ", query, flags=re.IGNORECASE)
        return " ".join(query.split())

    def apart(self, scores: NDArray[np.floating], top: int) -> list[int]:
        """The `top` best windows by their scores, (windows,), of which no two share a piece."""
        chosen: list[int] = []
        for column in np.argsort(-scores, kind="stable").tolist():
            window = self.windows[column]
            others = (self.windows[other] for other in chosen)
            if all(window.first > other.last or window.last < other.first for other in others):
                chosen.append(column)
            if len(chosen) == top:
                break
        return chosen

    def similarities(self, queries: Sequence[str]) -> tuple[Float64, Float32 | None, Float64]:
        """What stretches are ranked by, cosines (None without an encoder) and TF-IDF similarities, each
        (queries, windows)."""
        votes = np.mean([lexical.votes(queries) for lexical in self._lexical], axis=0)  # (queries, pieces)
        cosines = self.cosines(queries)
        if cosines is not None:
            votes = votes + _vote(_standardise(cosines), self._cover)
        lengths = np.maximum(np.asarray(self._cover.sum(axis=1)).ravel(), 1)
        return np.asarray(self._cover @ votes.T).T / lengths, cosines, self._stretch_lexical.similarities(queries)

    def cosines(self, queries: Sequence[str]) -> Float32 | None:
        """Of the vectors of queries and stretches, (queries, windows); None without an encoder."""
        vectors = _encode(self.encoder, queries)
        return None if vectors is None or self._vectors is None else vectors @ self._vectors.T


def scaled(length: int, words: int) -> int:
    """A window's length in a transcript of so many words: in a short one shorter, so that there is something to choose.

    >>> scaled(60, 3000), scaled(60, 150), scaled(60, 20)
    (60, 25, 12)
    """
    return max(round(length * min(1.0, words / WHOLE)), min(length, SHORTEST))


class _Lexical:
    """TF-IDF of windows of one length, fitted on them."""

    def __init__(self, windows: list[Window] | None, pieces: list[Piece], words: int) -> None:
        self.windows = make_windows(pieces, words=words) if windows is None else windows
        self.cover = _cover(self.windows, len(pieces))
        self.model = TfidfVectorizer(analyzer=tokens, sublinear_tf=True)
        if self.windows:
            self.matrix = self.model.fit_transform([window.named for window in self.windows])

    def similarities(self, queries: Sequence[str]) -> Float64:
        """Cosines with words that the transcript does not have counted as words of the query that are not met: (queries,
        windows). scikit-learn drops them, and a foreign sentence would be as near as its "the" and "of"."""
        known = np.asarray((self.model.transform(queries) @ self.matrix.T).todense())
        return known * np.array([[self._met(query)] for query in queries])

    def _met(self, query: str) -> float:
        """Length of a query's vector in the transcript's words, as a share of its length in all its words."""
        rarest = np.log(1 + len(self.windows)) + 1  # the weight of a word that no window has
        counts = Counter(tokens(query))
        weights = {word: 1 + np.log(count) for word, count in counts.items()}
        places = self.model.vocabulary_
        met = sum((weight * self.model.idf_[places[word]]) ** 2 for word, weight in weights.items() if word in places)
        missed = sum((weight * rarest) ** 2 for word, weight in weights.items() if word not in places)
        return float(np.sqrt(met / (met + missed))) if met else 0.0

    def votes(self, queries: Sequence[str]) -> Float64:
        return _vote(_standardise(self.similarities(queries)), self.cover)


def _standardise(values: NDArray[np.floating]) -> Float64:
    """Each row to mean 0 and deviation 1; a row of equal values to zeros."""
    centred = values - values.mean(axis=1, keepdims=True)
    return np.asarray(centred / (values.std(axis=1, keepdims=True) + TINY), np.float64)


def _vote(values: Float64, cover: sparse.csr_array) -> Float64:
    """Means over the windows that a piece lies in: (queries, windows) to (queries, pieces)."""
    return np.asarray(cover.T @ values.T).T / np.maximum(np.asarray(cover.sum(axis=0)).ravel(), 1)


def _cover(windows: Sequence[Window], pieces: int) -> sparse.csr_array:
    """Which pieces a window has: (windows, pieces) of 0 and 1."""
    rows = [row for row, window in enumerate(windows) for _ in range(window.first, window.last + 1)]
    columns = [piece for window in windows for piece in range(window.first, window.last + 1)]
    return sparse.csr_array((np.ones(len(rows)), (rows, columns)), shape=(len(windows), pieces))


def _encode(encoder: Extractor | None, texts: Sequence[str]) -> Float32 | None:
    """Unit vectors, (texts, dim)."""
    if encoder is None or not texts:
        return None
    vectors = np.stack([embedding.vector for embedding in encoder.extract(texts)]).astype(np.float32)
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
