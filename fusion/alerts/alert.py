"""What the engine finds: an alert, and the speech that it rests on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

DIGITS = 4  # of values in files


@dataclass(frozen=True, slots=True)
class Evidence:
    """An utterance that supports an alert, or the part of it that does.

    value  : of the rule's signal, mean over its supporting seconds
    scores : label -> probability, likewise
    speech_s : its supporting seconds
    """

    id: str
    start_s: float
    end_s: float
    speech_s: float
    value: float
    scores: dict[str, float]
    speaker: str | None = None
    text: str | None = None
    confidence: float | None = None

    def as_dict(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "start_s": round(self.start_s, 3),
            "end_s": round(self.end_s, 3),
            "speech_s": round(self.speech_s, 3),
            "value": round(self.value, DIGITS),
            "scores": {label: round(p, DIGITS) for label, p in self.scores.items()},
            "speaker": self.speaker,
            "text": self.text,
            "confidence": None if self.confidence is None else round(self.confidence, DIGITS),
        }


@dataclass(frozen=True, slots=True)
class Alert:
    """A stretch in which a rule held.

    scope, scope_value : "speaker" and whose; "topic" and which; "meeting" and None. A speaker's None: nobody named
    start_s, end_s     : of its first and its last supporting utterance
    fired_s            : when its evidence was enough: nobody could have been told before
    smoothed_peak, smoothed_mean : of the smoothed signal, which is what is held against the threshold: furthest beyond it
                         (at `peak_s`), and weighted over the speech from when it was reached to the last that supports
    speech_s           : supporting speech, s; what overlaps counts once
    utterances         : how many support it; each is in `evidence`
    episodes           : how many alerts were merged in it
    calibrated         : whether the scores are calibrated probabilities; None: nobody knows
    open               : it had not ended when the observations did, or when one asked
    """

    rule: str
    severity: str
    scope: str
    scope_value: str | None
    start_s: float
    end_s: float
    fired_s: float
    smoothed_peak: float
    peak_s: float
    smoothed_mean: float
    speech_s: float
    utterances: int
    evidence: tuple[Evidence, ...]
    signal: str
    direction: str
    on: float
    episodes: int = 1
    calibrated: bool | None = None
    recording: str | None = None
    open: bool = False

    @property
    def seconds(self) -> float:
        return self.end_s - self.start_s

    def quotes(self, count: int = 3) -> list[Evidence]:
        """The strongest evidence, in order of time."""
        sign = 1.0 if self.direction == "above" else -1.0
        strongest = sorted(self.evidence, key=lambda found: (-sign * found.value * found.speech_s, found.start_s))
        return sorted(strongest[:count], key=lambda found: found.start_s)

    def as_dict(self) -> dict[str, Any]:
        """Plain data, as alerts.json has it."""
        return {
            "rule": self.rule,
            "severity": self.severity,
            "recording": self.recording,
            "scope": self.scope,
            "scope_value": self.scope_value,
            "start_s": round(self.start_s, 3),
            "end_s": round(self.end_s, 3),
            "fired_s": round(self.fired_s, 3),
            "signal": self.signal,
            "direction": self.direction,
            "on": self.on,
            "smoothed_peak": round(self.smoothed_peak, DIGITS),
            "peak_s": round(self.peak_s, 3),
            "smoothed_mean": round(self.smoothed_mean, DIGITS),
            "speech_s": round(self.speech_s, 3),
            "utterances": self.utterances,
            "episodes": self.episodes,
            "calibrated": self.calibrated,
            "open": self.open,
            "evidence": [found.as_dict() for found in self.evidence],
        }
