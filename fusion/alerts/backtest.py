"""How good rules are, against labelled episodes: precision, recall, false alerts per hour, delay; each with an interval.

What counts. An alert and an episode *match* where they are of one recording, overlap in time (an alert may begin up to
`slack_s` after the episode's end), and are of one speaker, where both have one; and where the rule looks for the
episode's label: it names the rule, or is on the alert's side of its signal, or of its valence; an episode without label
is every rule's. An alert is true if it matches any episode, else false; an episode is found if any alert matches it.
    precision = true alerts / alerts        recall = found episodes / episodes that the rule looks for
    false alerts per hour = false alerts / hours that were watched, silence and all
    delay = when the first matching alert fired, from the episode's start; less than 0 where it fired before
One alert may find several episodes, and several alerts one: `outside_share`, of the time in alert the share outside of
matching episodes, shows a rule that finds all by never stopping.

Intervals are exact: Clopper and Pearson's for shares, Garwood's for a rate; the median delay has its order statistics'.
They take alerts for independent of each other. Those of one voice are not: with few speakers the truth may lie further out.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy import stats

from fusion.alerts.alert import Alert
from fusion.alerts.labelled import LabelledEpisode
from fusion.alerts.rule import Rule
from fusion.valence import ValenceMap

LEVEL = 0.95
ALL = "all rules"


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value between its limits; None where nothing can be said."""

    value: float | None
    low: float | None
    high: float | None

    def as_dict(self) -> dict[str, float | None]:
        return {"value": self.value, "low": self.low, "high": self.high}


@dataclass(frozen=True)
class Figures:
    """What a rule, or all of them together, did."""

    rule: str
    alerts: int
    true_alerts: int
    episodes: int
    found: int
    hours: float
    precision: Estimate
    recall: Estimate
    false_per_hour: Estimate
    delay_s: Estimate
    alert_share: float  # of the time watched
    outside_share: float | None  # of the time in alert

    @property
    def false_alerts(self) -> int:
        return self.alerts - self.true_alerts

    def as_dict(self) -> dict[str, Any]:
        return {
            "rule": self.rule,
            "alerts": self.alerts,
            "true_alerts": self.true_alerts,
            "false_alerts": self.false_alerts,
            "episodes": self.episodes,
            "found": self.found,
            "hours": self.hours,
            "precision": self.precision.as_dict(),
            "recall": self.recall.as_dict(),
            "false_per_hour": self.false_per_hour.as_dict(),
            "median_delay_s": self.delay_s.as_dict(),
            "alert_share": self.alert_share,
            "outside_share": self.outside_share,
        }


@dataclass(frozen=True)
class Backtest:
    """Figures of each rule and of all together, and which alerts and episodes they rest on.

    matches  : of each alert, the numbers of the episodes that it matches
    unwanted : numbers of the episodes that no rule looks for; they count nowhere
    """

    figures: tuple[Figures, ...]
    matches: tuple[tuple[int, ...], ...]
    unwanted: tuple[int, ...] = field(default=())

    def of(self, rule: str = ALL) -> Figures:
        return next(one for one in self.figures if one.rule == rule)


def backtest(
    alerts: Sequence[Alert],
    episodes: Sequence[LabelledEpisode],
    rules: Sequence[Rule],
    *,
    seconds: Mapping[str | None, float],
    valence: ValenceMap | None = None,
    slack_s: float = 0.0,
    level: float = LEVEL,
) -> Backtest:
    """Alerts against episodes; see the module for what counts.

    seconds : recording -> its length, s; what was watched without an alert counts as well
    valence : says which labels rules on valence look for
    """
    by_name = {rule.name: rule for rule in rules}
    wanted = {rule.name: [i for i, one in enumerate(episodes) if looks_for(rule, one, valence)] for rule in rules}
    by_recording: dict[str | None, list[int]] = {}
    for number, episode in enumerate(episodes):
        by_recording.setdefault(episode.recording, []).append(number)
    matches = []
    for alert in alerts:
        rule = by_name[alert.rule]
        near = by_recording.get(alert.recording, [])
        matches.append(
            tuple(i for i in near if _match(alert, episodes[i], slack_s) and looks_for(rule, episodes[i], valence))
        )
    hours = sum(seconds.values()) / 3600
    everyone = range(len(alerts))
    groups = [(rule.name, [i for i in everyone if alerts[i].rule == rule.name], wanted[rule.name]) for rule in rules]
    any_wanted = sorted({i for numbers in wanted.values() for i in numbers})
    if len(rules) > 1:
        groups.append((ALL, list(everyone), any_wanted))
    figures = tuple(
        _figures(name, [alerts[i] for i in own], [matches[i] for i in own], episodes, numbers, hours, level)
        for name, own, numbers in groups
    )
    unwanted = tuple(i for i in range(len(episodes)) if i not in set(any_wanted))
    return Backtest(figures, tuple(matches), unwanted)


def looks_for(rule: Rule, episode: LabelledEpisode, valence: ValenceMap | None = None) -> bool:
    """Whether the rule should find such an episode.

    >>> from fusion.alerts.rules import read_rules
    >>> anger, = read_rules({"anger": {"when": "angry - happy > 0.5"}})
    >>> [looks_for(anger, LabelledEpisode(0, 9, label)) for label in (None, "anger", "angry", "happy", "sad")]
    [True, True, True, False, False]
    """
    label = episode.label
    if label is None or label.casefold() == rule.name.casefold():
        return True
    side = 1.0 if rule.direction == "above" else -1.0
    if any(name.casefold() == label.casefold() and side * w > 0 for name, w in rule.signal.weights.items()):
        return True
    value = valence.of(label) if valence is not None and rule.signal.valence else None
    return value is not None and side * rule.signal.valence * value > 0


def _match(alert: Alert, episode: LabelledEpisode, slack_s: float) -> bool:
    named = alert.scope == "speaker" and None not in (alert.scope_value, episode.speaker)
    if named and alert.scope_value != episode.speaker:
        return False
    return alert.start_s < episode.end_s + slack_s and alert.end_s > episode.start_s


def _figures(
    name: str,
    alerts: Sequence[Alert],
    matches: Sequence[Sequence[int]],
    episodes: Sequence[LabelledEpisode],
    wanted: Sequence[int],
    hours: float,
    level: float,
) -> Figures:
    true = sum(bool(found) for found in matches)
    fired: dict[int, float] = {}
    for alert, found in zip(alerts, matches, strict=True):
        for number in found:
            fired[number] = min(fired.get(number, math.inf), alert.fired_s)
    delays = sorted(time - episodes[number].start_s for number, time in fired.items())
    in_alert = sum(alert.seconds for alert in alerts)
    inside = sum(
        _covered(alert, [episodes[number] for number in found]) for alert, found in zip(alerts, matches, strict=True)
    )
    return Figures(
        rule=name,
        alerts=len(alerts),
        true_alerts=true,
        episodes=len(wanted),
        found=len(fired),
        hours=hours,
        precision=share(true, len(alerts), level),
        recall=share(len(fired), len(wanted), level),
        false_per_hour=rate(len(alerts) - true, hours, level),
        delay_s=median(delays, level),
        alert_share=_union(alerts) / (3600 * hours) if hours else 0.0,
        outside_share=1 - inside / in_alert if in_alert else None,
    )


def _union(alerts: Sequence[Alert]) -> float:
    """Seconds in which at least one of the alerts lasts."""
    total, recording, until = 0.0, None, 0.0
    for alert in sorted(alerts, key=lambda one: (one.recording or "", one.start_s)):
        if alert.recording != recording:
            recording, until = alert.recording, 0.0
        total += max(0.0, alert.end_s - max(until, alert.start_s))
        until = max(until, alert.end_s)
    return total


def _covered(alert: Alert, episodes: Sequence[LabelledEpisode]) -> float:
    """Seconds of the alert within the episodes' union."""
    until, total = alert.start_s, 0.0
    for episode in sorted(episodes, key=lambda one: one.start_s):
        start, end = max(until, episode.start_s), min(alert.end_s, episode.end_s)
        total += max(0.0, end - start)
        until = max(until, end)
    return total


def share(hits: int, total: int, level: float = LEVEL) -> Estimate:
    """hits / total with Clopper and Pearson's interval (1934).

    >>> share(9, 10)
    Estimate(value=0.9, low=0.55498..., high=0.99747...)
    """
    if not total:
        return Estimate(None, None, None)
    interval = stats.binomtest(hits, total).proportion_ci(level, method="exact")
    return Estimate(hits / total, float(interval.low), float(interval.high))


def rate(events: int, hours: float, level: float = LEVEL) -> Estimate:
    """Events per hour with Garwood's interval (1936), exact for a Poisson process.

    >>> rate(0, 1.0)
    Estimate(value=0.0, low=0.0, high=3.6888794...)
    """
    if hours <= 0:
        return Estimate(None, None, None)
    tail = (1 - level) / 2
    low = float(stats.chi2.ppf(tail, 2 * events)) / 2 if events else 0.0
    return Estimate(events / hours, low / hours, float(stats.chi2.isf(tail, 2 * events + 2)) / 2 / hours)


def median(values: Sequence[float], level: float = LEVEL) -> Estimate:
    """Median of sorted values, with the order statistics that hold it with at least `level`; without, under six of them.

    >>> median([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0])
    Estimate(value=5.0, low=2.0, high=8.0)
    """
    count = len(values)
    if not count:
        return Estimate(None, None, None)
    out = int(stats.binom.ppf((1 - level) / 2, count, 0.5))  # values left out at each end, at most
    while out > 0 and 2 * stats.binom.cdf(out - 1, count, 0.5) > 1 - level:
        out -= 1
    if out < 1:
        return Estimate(float(np.median(values)), None, None)
    return Estimate(float(np.median(values)), float(values[out - 1]), float(values[-out]))
