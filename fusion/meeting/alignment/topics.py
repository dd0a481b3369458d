"""Topics where there are no minutes: the transcript cut where its content changes (TextTiling: Hearst 1997)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS, TfidfVectorizer
from sklearn.preprocessing import normalize

from extractors.errors import InputError
from extractors.types import Extractor
from fusion.clock import clock
from fusion.meeting.alignment.windows import Piece, Window, make_pieces, make_windows
from fusion.meeting.minutes.render import Draft, render
from fusion.meeting.minutes.tokens import tokens
from fusion.meeting.minutes.types import Citation, Minutes
from fusion.meeting.transcript import Transcript

BLOCK = 60  # words
BESIDE = 4  # overlapping blocks on either side of a possible border: some 150 words
SHORTEST = 90.0  # seconds of a topic
STRICT = 0.5  # deviations above the mean depth that a border needs
WORDS = 4  # of a title
FILLERS = frozenset(tokens("yeah okay um uh hmm mm like just know think mean right gonna got going really well oh kay"))


def topics_by_change(
    transcript: Transcript, encoder: Extractor | None = None, *, shortest_s: float = SHORTEST, words: int = WORDS
) -> Minutes:
    """Stretches of one topic each, as minutes with a time span cited by each item and a Markdown text of their own.

    A border lies where the text before and after is least alike: in the valleys of the cosine between neighbouring
    blocks that are deeper than the mean by half a deviation, the deepest first, at least `shortest_s` apart. A topic is
    named by its words that the others do not use; that is a label, no summary. Without an encoder TF-IDF is compared.

    Raises InputError for a transcript without words.
    """
    pieces = make_pieces(transcript, most=BLOCK // 2)
    if not pieces:
        raise InputError("the transcript has no words, so there are no topics")
    blocks = make_windows(pieces, words=BLOCK)
    borders = _borders(_vectors(blocks, encoder), blocks, pieces, shortest_s)
    bounds = [0, *borders, len(pieces)]
    parts = [pieces[first:last] for first, last in pairwise(bounds)]
    drafts = [Draft("Topics by change of content", 1)]
    for number, (part, title) in enumerate(zip(parts, _titles(parts, words), strict=True), start=1):
        start_s, end_s = part[0].start_s, max(piece.end_s for piece in part)
        if number < len(parts):
            end_s = min(end_s, parts[number][0].start_s)
        shown = "–".join(clock(math.floor(at)) for at in (start_s, end_s))  # cut, as times are cited
        time = Citation("time", shown, start_s, end_s)
        drafts.append(
            Draft(f"Topic {number}: {title}" if title else f"Topic {number}", kind="topic", citations=(time,))
        )
    return render(drafts, "topics", ["no minutes: topics were made from the transcript, by change of content"])


def _vectors(blocks: Sequence[Window], encoder: Extractor | None) -> NDArray[np.floating]:
    """(blocks, dim), unit length, without what all blocks share."""
    texts = [block.said for block in blocks]
    if encoder is None:
        return np.asarray(TfidfVectorizer(analyzer=tokens, sublinear_tf=True).fit_transform(texts).todense())
    vectors = np.stack([embedding.vector for embedding in encoder.extract(texts)]).astype(np.float64)
    return np.asarray(normalize(vectors - vectors.mean(axis=0)))


def _borders(
    vectors: NDArray[np.floating], blocks: Sequence[Window], pieces: Sequence[Piece], shortest_s: float
) -> list[int]:
    """Pieces that a new topic begins with."""
    gaps = range(1, len(blocks))
    if len(blocks) < 2 * BESIDE:
        return []
    alike = [
        _cosine(vectors[max(gap - BESIDE, 0) : gap].mean(axis=0), vectors[gap : gap + BESIDE].mean(axis=0))
        for gap in gaps
    ]
    depths = _depths(alike)
    limit = float(np.mean(depths) + STRICT * np.std(depths))
    begin, end = pieces[0].start_s, max(piece.end_s for piece in pieces)
    chosen: list[int] = []
    for position in np.argsort(-np.asarray(depths), kind="stable").tolist():
        border = (blocks[position].last + blocks[position + 1].first + 1) // 2
        time_s = pieces[border].start_s
        others = [begin, end, *(pieces[other].start_s for other in chosen)]
        if depths[position] > limit and all(abs(time_s - other) >= shortest_s for other in others):
            chosen.append(border)
    return sorted(chosen)


def _depths(alike: Sequence[float]) -> list[float]:
    """How far one must climb from each gap to the tops on its two sides."""
    depths = []
    for position, value in enumerate(alike):
        left = right = value
        for other in reversed(alike[:position]):
            if other < left:
                break
            left = other
        for other in alike[position + 1 :]:
            if other < right:
                break
            right = other
        depths.append(left + right - 2 * value)
    return depths


def _cosine(one: NDArray[np.floating], other: NDArray[np.floating]) -> float:
    return float(one @ other / max(float(np.linalg.norm(one) * np.linalg.norm(other)), 1e-12))


def _titles(parts: Sequence[Sequence[Piece]], words: int) -> list[str]:
    """For each part its words of highest TF-IDF among the parts; names of speakers, fillers and short words left out."""
    names = {token for part in parts for piece in part if piece.speaker for token in tokens(piece.speaker)}
    ignored = names | FILLERS | ENGLISH_STOP_WORDS

    def analyse(text: str) -> list[str]:
        found = tokens(text)
        return [
            token
            for token in found
            if token not in ignored and "'" not in token and (len(token) > 2 or not token.isascii())
        ]

    texts = [" ".join(piece.text for piece in part) for part in parts]
    if not any(analyse(text) for text in texts):
        return ["" for _ in parts]
    model = TfidfVectorizer(analyzer=analyse, sublinear_tf=True)
    weights = model.fit_transform(texts)
    vocabulary = model.get_feature_names_out()
    best = [np.argsort(-row, kind="stable")[:words] for row in np.asarray(weights.todense())]
    return [
        ", ".join(str(vocabulary[column]) for column in columns if weights[row, column] > 0)
        for row, columns in enumerate(best)
    ]
