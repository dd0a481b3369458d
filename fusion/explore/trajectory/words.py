"""What is said at each step, for bundles that read as well: each utterance is embedded once."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np

from extractors.types import Float32
from fusion.data.sequences import ArraySequences
from fusion.explore.trajectory.result import Bools
from fusion.explore.trajectory.windows import Grid
from fusion.meeting.transcript import Transcript, Utterance
from fusion.predictor import Predictor

log = logging.getLogger(__name__)


class Words:
    """Text features of steps. Without a transcript, or where nobody's utterance lies, text is absent."""

    def __init__(self, predictor: Predictor, transcript: Transcript | None, grid: Grid) -> None:
        self._dim, self._sequences, self._hop = predictor.info.dims["text"], predictor.sequences, grid.hop
        self._utterances = [] if transcript is None else [u for u in transcript.utterances if u.text.strip()]
        self._embeddings: list[Any] = []
        if self._utterances:
            texts = [utterance.text for utterance in self._utterances]
            self._embeddings = predictor.extractor("text").extract(texts, frames=self._sequences)
        else:
            log.warning("this bundle reads as well, and there are no words: it goes by the voice alone (transcript=)")

    def of_steps(self, steps: list[int]) -> tuple[Any, Bools]:
        """(rows, dim) float32, or what reads sequences, and (rows,) bool."""
        found = [current(self._utterances, (step + 0.5) * self._hop) for step in steps]
        present = np.array([place is not None for place in found])
        if self._sequences:
            frames = [None if place is None else self._embeddings[place].frames for place in found]
            return ArraySequences(frames, dim=self._dim), present
        vectors: Float32 = np.zeros((len(steps), self._dim), np.float32)
        for row, place in enumerate(found):
            if place is not None:
                vectors[row] = self._embeddings[place].vector
        return vectors, present


def current(utterances: list[Utterance], time_s: float) -> int | None:
    """The utterance that is being said; of several at once, the one that began last.

    >>> pair = [Utterance("1", 0.0, 4.0, "and then"), Utterance("2", 3.0, 5.0, "no")]
    >>> current(pair, 2.0), current(pair, 3.5), current(pair, 6.0)
    (0, 1, None)
    """
    there = [place for place, u in enumerate(utterances) if u.start_s <= time_s < u.end_s]
    return max(there, key=lambda place: (utterances[place].start_s, place), default=None)
