"""What gathers while a rule is pending or firing: supporting speech, its seconds, its peak."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import NamedTuple

from fusion.alerts.alert import Alert, Evidence
from fusion.alerts.observation import Observation
from fusion.alerts.rule import Rule

TOUCHING = 1e-6  # s; what is closer follows without a gap


class Heard(NamedTuple):
    """An observation, the signal's value, and the weight of each of its seconds."""

    observation: Observation
    value: float
    rate: float


class Spans:
    """The union of stretches of time that come in the order of their ends. `seconds` is its length.

    >>> spans = Spans()
    >>> for start, end in [(0.0, 2.0), (5.0, 8.0), (1.0, 9.0)]:
    ...     spans.add(start, end)
    >>> spans.seconds
    9.0
    """

    __slots__ = ("_apart", "seconds")

    def __init__(self) -> None:
        self.seconds = 0.0
        self._apart: list[tuple[float, float]] = []  # in order

    def add(self, start: float, end: float) -> None:
        while self._apart and self._apart[-1][1] >= start - TOUCHING:
            earlier, later = self._apart.pop()
            self.seconds -= later - earlier
            start, end = min(start, earlier), max(end, later)
        self._apart.append((start, end))
        self.seconds += end - start

    def absorb(self, other: Spans) -> None:
        """The union with another one that may lie anywhere."""
        everything = sorted([*self._apart, *other._apart], key=lambda span: span[1])
        self._apart, self.seconds = [], 0.0
        for start, end in everything:
            self.add(start, end)


@dataclass
class Support:
    """One utterance's supporting seconds."""

    first: Observation
    start_s: float
    end_s: float
    seconds: float = 0.0
    value: float = 0.0  # × seconds
    scores: dict[str, float] = field(default_factory=dict)  # × seconds

    def add(self, heard: Heard) -> None:
        observation = heard.observation
        seconds = observation.seconds
        self.start_s, self.end_s = min(self.start_s, observation.start_s), max(self.end_s, observation.end_s)
        self.seconds += seconds
        self.value += seconds * heard.value
        for label, probability in observation.scores.items():
            self.scores[label] = self.scores.get(label, 0.0) + seconds * probability

    def evidence(self) -> Evidence:
        one, seconds = self.first, self.seconds
        return Evidence(
            id=one.id,
            start_s=self.start_s,
            end_s=self.end_s,
            speech_s=seconds,
            value=self.value / seconds,
            scores={label: total / seconds for label, total in self.scores.items()},
            speaker=one.speaker,
            text=one.text,
            confidence=one.confidence,
        )


class Episode:
    """A stretch in which a rule is pending, then firing; later what was merged in it."""

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self.start_s, self.end_s = math.inf, -math.inf
        self.fired_s = math.nan
        self.peak, self.peak_s = math.nan, math.nan
        self.merged = 1
        self._support: dict[tuple[str, str | None, float], Support] = {}
        self._spans = Spans()
        self._level = self._weight = 0.0  # weighted sums of the smoothed signal, up to the last speech that supports
        self._late_level = self._late_weight = 0.0  # of what came after it

    @property
    def utterances(self) -> int:
        return len(self._support)

    @property
    def speech_s(self) -> float:
        return self._spans.seconds

    def hear(self, heard: Heard) -> None:
        """Speech that supports: it becomes evidence."""
        observation = heard.observation
        # frames of an utterance share its id; an utterance is told from another of the same id by its time
        part = observation.utterance_s is not None
        key = (observation.id, observation.speaker, -1.0 if part else observation.start_s)
        support = self._support.get(key)
        if support is None:
            support = self._support[key] = Support(observation, observation.start_s, observation.end_s)
        support.add(heard)
        self._spans.add(observation.start_s, observation.end_s)
        self.start_s, self.end_s = min(self.start_s, observation.start_s), max(self.end_s, observation.end_s)

    def note(self, level: float, time: float, *, weight: float, supported: bool) -> None:
        """The smoothed signal at `time`, after speech of that weight; `supported`: some of it supports."""
        self._late_level += weight * level
        self._late_weight += weight
        if supported:
            self._level, self._weight = self._level + self._late_level, self._weight + self._late_weight
            self._late_level = self._late_weight = 0.0
        self._reach(level, time)

    def _reach(self, level: float, time: float) -> None:
        if math.isnan(self.peak) or self.rule.worse(level, self.peak):
            self.peak, self.peak_s = level, time

    def enough(self) -> bool:
        return self.utterances >= self.rule.min_utterances and self.speech_s >= self.rule.min_speech_s - TOUCHING

    def absorb(self, later: Episode) -> None:
        """Another one, near in time, becomes part of this."""
        self._level += self._late_level + later._level
        self._weight += self._late_weight + later._weight
        self._late_level, self._late_weight = later._late_level, later._late_weight
        for key, support in later._support.items():
            if key not in self._support:
                self._support[key] = support
                continue
            mine = self._support[key]
            mine.start_s, mine.end_s = min(mine.start_s, support.start_s), max(mine.end_s, support.end_s)
            mine.seconds, mine.value = mine.seconds + support.seconds, mine.value + support.value
            for label, total in support.scores.items():
                mine.scores[label] = mine.scores.get(label, 0.0) + total
        self._spans.absorb(later._spans)
        self.start_s, self.end_s = min(self.start_s, later.start_s), max(self.end_s, later.end_s)
        self._reach(later.peak, later.peak_s)
        self.merged += 1

    def alert(
        self, scope_value: str | None, *, calibrated: bool | None, recording: str | None, still_open: bool
    ) -> Alert:
        evidence = sorted(
            (support.evidence() for support in self._support.values()),
            key=lambda one: (one.start_s, one.end_s, one.id, one.speaker or "", sorted(one.scores.items())),
        )
        return Alert(
            rule=self.rule.name,
            severity=self.rule.severity(self.peak),
            scope=self.rule.scope,
            scope_value=scope_value,
            start_s=self.start_s,
            end_s=self.end_s,
            fired_s=self.fired_s,
            smoothed_peak=self.peak,
            peak_s=self.peak_s,
            smoothed_mean=self._level / self._weight,
            speech_s=self.speech_s,
            utterances=self.utterances,
            evidence=tuple(evidence),
            signal=self.rule.signal.text,
            direction=self.rule.direction,
            on=self.rule.on,
            episodes=self.merged,
            calibrated=calibrated,
            recording=recording,
            open=still_open,
        )
