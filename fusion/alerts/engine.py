"""The alert engine: observations in order of time in, alerts with their evidence out. Streaming; there is no other one."""

from __future__ import annotations

import heapq
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from extractors.errors import InputError
from fusion.alerts.alert import Alert
from fusion.alerts.episode import TOUCHING, Episode, Heard
from fusion.alerts.observation import Observation
from fusion.alerts.rule import Rule
from fusion.alerts.rules import check_rules
from fusion.alerts.tracker import Tracker
from fusion.valence import ValenceMap

Batch = list[Observation]


class AlertEngine:
    """Follows rules through one recording.

    Observations come in the order of their starts, as transcripts have them. Each is judged when it has ended: one that
    lasts longer waits for those that end earlier, so that what is told never depends on who is listed first. Memory
    holds what is open, not the recording.

    valence    : needed by rules on `valence`
    calibrated : whether the scores are calibrated probabilities, for the alerts to say
    recording  : its name, likewise

    >>> from fusion.alerts.rules import read_rules
    >>> rules = read_rules({"anger": {"when": "angry > 0.5 for 5 s of speech", "scope": "meeting"}})
    >>> engine = AlertEngine(rules)
    >>> told = []
    >>> for start in range(0, 40, 4):
    ...     angry = 0.9 if 8 <= start < 24 else 0.1
    ...     told += engine.add(Observation(start, start + 3.0, {"angry": angry, "neutral": 1 - angry}))
    >>> alert, = told + engine.finish()
    >>> alert.start_s, alert.end_s, alert.fired_s, alert.utterances, alert.speech_s
    (8, 23.0, 15.0, 4, 12.0)
    """

    def __init__(
        self,
        rules: Sequence[Rule],
        *,
        valence: ValenceMap | None = None,
        calibrated: bool | None = None,
        recording: str | None = None,
    ) -> None:
        names = Counter(rule.name for rule in rules)
        if twice := [name for name, count in names.items() if count > 1]:
            raise InputError(f"rules: two of one name: {', '.join(twice)}")
        if not rules:
            raise InputError("rules: there is none")
        self.rules, self.valence, self.calibrated, self.recording = tuple(rules), valence, calibrated, recording
        self.skipped: dict[str, Counter[str]] = {
            rule.name: Counter() for rule in rules
        }  # rule -> why not heard -> count
        self.left_out: tuple[str, ...] = ()  # sentences on rules that these labels cannot follow
        self.observations = 0
        self._waiting: list[tuple[float, int, Observation]] = []
        self._latest_start = -math.inf
        self._followed: tuple[Rule, ...] = ()
        self._needs_valence = any(rule.signal.valence for rule in rules)
        self._labels: frozenset[str] | None = None
        self._trackers: dict[tuple[str, str | None], Tracker] = {}
        self._busy: dict[tuple[str, str | None], Tracker] = {}

    def add(self, observation: Observation) -> list[Alert]:
        """Hear one more; the alerts that are over for good."""
        if problem := observation.problem():
            raise InputError(f"observation {observation.id or self.observations + 1}: {problem}")
        if observation.start_s < self._latest_start - TOUCHING:
            raise InputError(
                f"observation {observation.id or self.observations + 1} begins at {observation.start_s:g} s, after one "
                f"that begins at {self._latest_start:g} s; expected order of time",
                hint="Sort them by start; several recordings need an engine each.",
            )
        self.observations += 1
        self._latest_start = max(self._latest_start, observation.start_s)
        self._check_labels(observation)
        if observation.seconds > 0:
            heapq.heappush(self._waiting, (observation.end_s, self.observations, observation))
        else:
            for rule in self._followed:
                self.skipped[rule.name]["no length"] += 1
        return self._until(observation.start_s)

    def advance(self, now_s: float) -> list[Alert]:
        """Nothing that begins before `now_s` is still to come: a live source says so in silence."""
        self._latest_start = max(self._latest_start, now_s)
        return self._until(self._latest_start)

    def finish(self) -> list[Alert]:
        """The recording is over: what is left. What still fires is told as `open`."""
        told = self._until(math.inf, last=True)
        for tracker in self._trackers.values():
            firing = tracker.firing
            told += [self._alert(tracker, one, still_open=one is firing) for one in tracker.finish()]
        self._busy.clear()
        return in_order(told)

    def open(self) -> list[Alert]:
        """What fires now, as it stands."""
        trackers = [tracker for tracker in self._trackers.values() if tracker.firing is not None]
        return in_order([self._alert(t, t.firing, still_open=True) for t in trackers if t.firing is not None])

    def tracker(self, rule: str, scope_value: str | None = None) -> Tracker | None:
        """The state of a rule for a speaker, a topic or (None) the meeting; None before anything was heard there."""
        return self._trackers.get((rule, scope_value))

    def _until(self, now: float, *, last: bool = False) -> list[Alert]:
        """Judge all that ends by `now`; then see what silence changes."""
        told: list[Alert] = []
        while self._waiting and self._waiting[0][0] <= now:
            end = self._waiting[0][0]
            batch = [heapq.heappop(self._waiting)[2]]
            while self._waiting and self._waiting[0][0] == end:
                batch.append(heapq.heappop(self._waiting)[2])
            if len(batch) > 1:  # what ends together is told in one order, however it came
                batch.sort(key=_order)
            told += self._hear(end, batch)
        if self._busy and not last:
            told += self._advance(min(now, self._first_waiting()))
        return in_order(told) if len(told) > 1 else told

    def _hear(self, end: float, batch: Batch) -> list[Alert]:
        told: list[Alert] = []
        if self._busy:
            told += self._advance(min(self._latest_start, *(one.start_s for one in batch), self._first_waiting()))
        known = [(one, one.certainty, self._valence(one)) for one in batch]
        for rule in self._followed:
            by_scope: dict[str | None, list[Heard]] = {}
            for observation, rate, valence in known:
                heard = self._heard(rule, observation, rate, valence)
                if heard is not None:
                    by_scope.setdefault(_scope_value(rule, observation), []).append(heard)
            for value, parts in by_scope.items():
                key = (rule.name, value)
                tracker = self._trackers.get(key)
                if tracker is None:
                    tracker = self._trackers[key] = Tracker(rule, value)
                tracker.hear(end, parts)
                if not tracker.idle:
                    self._busy[key] = tracker
        return told

    def _first_waiting(self) -> float:
        return min((waiting[2].start_s for waiting in self._waiting), default=math.inf)

    def _advance(self, now: float) -> list[Alert]:
        told = []
        for key, tracker in list(self._busy.items()):
            told += [self._alert(tracker, episode, still_open=False) for episode in tracker.advance(now)]
            if tracker.idle:
                del self._busy[key]
        return told

    def _valence(self, observation: Observation) -> float | None:
        return self.valence(observation.scores) if self._needs_valence and self.valence is not None else None

    def _heard(self, rule: Rule, observation: Observation, rate: float, valence: float | None) -> Heard | None:
        """What the rule makes of it; None, and the reason counted, where nothing."""
        why = None
        if observation.whole_s < rule.min_utterance_s - TOUCHING:
            why = "too short"
        elif observation.confidence is not None and observation.confidence < rule.min_confidence:
            why = "not confident"
        elif rule.scope == "topic" and observation.topic is None:
            why = "no topic"
        elif rate <= 0:
            why = "no weight"
        elif (value := rule.signal.value(observation.scores, valence)) is None:
            why = "no valence"
        else:
            return Heard(observation, value, rate)
        self.skipped[rule.name][why] += 1
        return None

    def _check_labels(self, observation: Observation) -> None:
        """The first observation says which labels there are, and so which rules can be followed."""
        if self._labels is None:
            self._labels = frozenset(observation.scores)
            kept, self.left_out = check_rules(self.rules, list(observation.scores), valence=self.valence)
            self._followed = tuple(replace(rule, signal=rule.signal.on(self._labels)) for rule in kept)
        elif observation.scores.keys() != self._labels:
            raise InputError(
                f"observation {observation.id or self.observations}: its labels are not those of the ones before",
                [f"expected {', '.join(sorted(self._labels))}", f"got {', '.join(sorted(observation.scores))}"],
                hint="One engine hears one model.",
            )

    def _alert(self, tracker: Tracker, episode: Episode, *, still_open: bool) -> Alert:
        return episode.alert(
            tracker.scope_value, calibrated=self.calibrated, recording=self.recording, still_open=still_open
        )


def watch(
    observations: Iterable[Observation],
    rules: Sequence[Rule],
    *,
    valence: ValenceMap | None = None,
    calibrated: bool | None = None,
    recording: str | None = None,
) -> Iterator[Alert]:
    """The alerts of one recording, each as soon as it is over for good. See `AlertEngine`."""
    engine = AlertEngine(rules, valence=valence, calibrated=calibrated, recording=recording)
    for observation in observations:
        yield from engine.add(observation)
    yield from engine.finish()


def in_order(alerts: Sequence[Alert]) -> list[Alert]:
    """By recording, start, rule and scope."""
    return sorted(alerts, key=lambda a: (a.recording or "", a.start_s, a.end_s, a.rule, a.scope_value or ""))


def _scope_value(rule: Rule, observation: Observation) -> str | None:
    if rule.scope == "meeting":
        return None
    return observation.speaker if rule.scope == "speaker" else observation.topic


def _order(one: Observation) -> tuple[object, ...]:
    return one.start_s, one.id, one.speaker or "", one.topic or "", one.text or "", sorted(one.scores.items())
