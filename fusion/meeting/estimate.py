"""What is estimated of one utterance, and how much it counts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from fusion.alerts import Observation
from fusion.meeting.transcript import Utterance

SHORTEST = 1.0  # s; a shorter one is listed and counts nothing
DISAGREEMENT = 0.7  # |valence of the voice − valence of the words| from which tone and words are said to disagree


@dataclass(frozen=True, slots=True)
class Opinion:
    """What a classifier says of one span.

    probabilities : label -> calibrated probability, empty where there is none; `reason` then says why
    by_modality   : the same with only "speech" or only "text" shown, where the span has it
    """

    probabilities: Mapping[str, float] = field(default_factory=dict)
    by_modality: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Estimate:
    """The expressed emotion of one utterance, as estimated.

    probabilities    : label -> probability; empty where there is no estimate, and `reason` says why
    valence          : -1 to 1, None where less than half of the probability has one
    valence_by       : modality -> the same with only that modality shown
    confidence       : the largest probability; 0 without an estimate
    overlap          : 0 to 1, share of the utterance under somebody else's speech
    weight           : seconds that it counts in a pool; 0 where it is listed only
    """

    utterance: Utterance
    probabilities: Mapping[str, float] = field(default_factory=dict)
    valence: float | None = None
    valence_by: Mapping[str, float] = field(default_factory=dict)
    confidence: float = 0.0
    overlap: float = 0.0
    weight: float = 0.0
    reason: str | None = None

    @property
    def label(self) -> str | None:
        """The label with the largest probability."""
        return max(self.probabilities, key=lambda label: self.probabilities[label]) if self.probabilities else None

    @property
    def disagreement(self) -> float | None:
        """|valence of the voice − valence of the words|; None unless there are both."""
        if not {"speech", "text"} <= set(self.valence_by):
            return None
        return abs(self.valence_by["speech"] - self.valence_by["text"])

    @property
    def disagrees(self) -> bool:
        return (self.disagreement or 0.0) > DISAGREEMENT


def weight_of(seconds: float, confidence: float, overlap: float) -> float:
    """Seconds that an utterance counts, as the alert engine weighs it: min(duration, 10 s) · confidence ·
    (1 − 0.5 · overlap); 0 under 1 s.

    >>> weight_of(20, 0.5, 0), weight_of(4, 0.5, 1.0), weight_of(0.9, 1.0, 0)
    (5.0, 1.0, 0.0)
    """
    if seconds < SHORTEST:
        return 0.0
    return seconds * Observation(0.0, seconds, {}, confidence=confidence, overlap=overlap).rate
