"""What the alert engine hears: a stretch of speech by somebody, and what a model says of it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

LONGEST_WEIGHT = 10.0  # s; where utterances are pooled, a longer one weighs no more than this


@dataclass(frozen=True, slots=True)
class Observation:
    """Scores of one stretch of speech: an utterance, a window, or a single frame of 20 ms.

    start_s, end_s : seconds into the recording
    scores         : label -> probability
    speaker        : None where it is not known; such speech is one scope of its own
    text           : what was said, for the evidence
    id             : of the utterance; frames and windows of one utterance share it
    confidence     : calibrated, 0 to 1, of the model that scored; None: not known, counts as 1
    overlap        : share of the stretch in which others speak as well
    topic          : for rules whose scope is the topic
    utterance_s    : length of the utterance that this is a part of; None: it is one itself
    """

    start_s: float
    end_s: float
    scores: Mapping[str, float]
    speaker: str | None = None
    text: str | None = None
    id: str = ""
    confidence: float | None = None
    overlap: float = 0.0
    topic: str | None = None
    utterance_s: float | None = None

    @property
    def seconds(self) -> float:
        return self.end_s - self.start_s

    @property
    def whole_s(self) -> float:
        """Length of the utterance."""
        return self.seconds if self.utterance_s is None else self.utterance_s

    @property
    def certainty(self) -> float:
        """Weight of each second in the smoothing: confidence × (1 - 0.5 × overlap). No cap for long utterances, as pooling
        has it: the memory, which fades while somebody talks, sees to that.

        >>> Observation(0.0, 20.0, {}, confidence=0.8, overlap=0.5).certainty
        0.6000000000000001
        """
        return (1.0 if self.confidence is None else self.confidence) * (1.0 - 0.5 * self.overlap)

    @property
    def rate(self) -> float:
        """Weight of each second where utterances are pooled: certainty, times min(utterance, 10 s) / utterance.

        >>> Observation(0.0, 20.0, {}, confidence=0.8, overlap=0.5).rate
        0.30000000000000004
        """
        whole = self.whole_s
        return self.certainty * (1.0 if whole <= LONGEST_WEIGHT else LONGEST_WEIGHT / whole)

    def problem(self) -> str | None:
        """Why no rule could be asked about this; None where nothing is wrong."""
        if not (math.isfinite(self.start_s) and math.isfinite(self.end_s) and 0 <= self.start_s <= self.end_s):
            return f"expected 0 <= start <= end in seconds, got {self.start_s} to {self.end_s}"
        if self.confidence is not None and not 0 <= self.confidence <= 1:
            return f"expected a confidence from 0 to 1, got {self.confidence}"
        if not 0 <= self.overlap <= 1:
            return f"expected an overlap from 0 to 1, got {self.overlap}"
        wrong = next((f"{label} {p}" for label, p in self.scores.items() if not 0 <= p <= 1.001), None)
        return f"expected probabilities from 0 to 1, got {wrong}" if wrong else None
