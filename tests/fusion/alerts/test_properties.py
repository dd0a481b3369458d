"""What holds for any meeting and any rule."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fusion.alerts import Alert, AlertEngine, Observation, Rule, read_rules, watch


@st.composite
def observations(draw: st.DrawFn, *, most: int = 60) -> list[Observation]:
    """A meeting of three speakers in moods that last a while, with overlaps, long turns, pauses and equal times; in order
    of start. Times are whole tenths or whole seconds."""
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    count = draw(st.integers(0, most))
    grid = draw(st.sampled_from([0.1, 1.0, 5.0]))
    mood = draw(st.sampled_from([3, 8, 20]))  # turns that one lasts
    time, spoken = 0.0, []
    for number in range(count):
        pause = random.choice([-3.0, -1.0, 0.2, 1.0, 30.0], p=[0.15, 0.2, 0.4, 0.22, 0.03])
        start = max(0.0, round((time + pause) / grid) * grid)
        length = round(random.choice([0.4, 2.0, 4.0, 7.0, 25.0], p=[0.15, 0.3, 0.3, 0.2, 0.05]) / grid) * grid
        hot = random.random() < (0.85 if number // mood % 2 else 0.1)
        angry = random.uniform(0.45, 1.0) if hot else random.uniform(0.0, 0.4)
        spoken.append(
            Observation(
                start,
                start + length,
                {"angry": angry, "neutral": 1 - angry},
                speaker="abc"[random.integers(3)],
                id=str(number),
                confidence=[None, 0.4, 0.9, 1.0][random.integers(4)],
                overlap=random.integers(3) / 4,
            )
        )
        time = start + (min(length, 6.0) if random.random() < 0.8 else length)
    return sorted(spoken, key=lambda one: one.start_s)


@st.composite
def rules(draw: st.DrawFn) -> Rule:
    on = draw(st.sampled_from([0.3, 0.5, 0.7]))
    (rule,) = read_rules(
        {
            "r": {
                "signal": "angry",
                "on": on,
                "off": on - draw(st.sampled_from([0.05, 0.15, 0.25])),
                "scope": draw(st.sampled_from(["speaker", "meeting"])),
                "tau_s": draw(st.sampled_from([2, 10, 30])),
                "min_evidence_s": draw(st.sampled_from([0, 1, 1.9])),
                "min_speech_s": draw(st.sampled_from([0, 2, 8])),
                "min_utterances": draw(st.sampled_from([1, 2, 3])),
                "merge_s": draw(st.sampled_from([0, 5, 30])),
                "cooldown_s": draw(st.sampled_from([0, 20])),
                "max_silence_s": draw(st.sampled_from([10, 60])),
                "min_confidence": draw(st.sampled_from([0, 0.5])),
            }
        }
    )
    return rule


def heard(rule: Rule, observations: Sequence[Observation], scope: str | None) -> list[Observation]:
    """What counts in that scope, by its end."""
    return sorted(
        (
            one
            for one in observations
            if one.seconds > 0
            and one.whole_s >= rule.min_utterance_s - 1e-6
            and one.certainty > 0
            and (one.confidence is None or one.confidence >= rule.min_confidence)
            and (rule.scope == "meeting" or one.speaker == scope)
        ),
        key=lambda one: one.end_s,
    )


def level(rule: Rule, observations: Sequence[Observation], scope: str | None, time: float) -> tuple[float, float]:
    """Smoothed signal and its evidence at `time`, by numerical integration over all that has ended by then."""
    weight = weighted = 0.0
    for one in heard(rule, observations, scope):
        if one.end_s > time:
            continue
        steps = 400
        for step in range(steps):
            at = one.start_s + (step + 0.5) / steps * one.seconds
            part = one.certainty * math.exp(-(time - at) / rule.tau_s) * one.seconds / steps
            weight += part
            weighted += part * sum(w * one.scores[label] for label, w in rule.signal.weights.items())
    return (weighted / weight if weight else math.nan), weight


def by_scope(alerts: list[Alert]) -> dict[str | None, list[Alert]]:
    found: dict[str | None, list[Alert]] = {}
    for alert in alerts:
        found.setdefault(alert.scope_value, []).append(alert)
    return found


@given(observations(), rules())
@settings(max_examples=120, deadline=None)
def test_alerts_keep_apart_and_hold_their_evidence(spoken, rule) -> None:
    alerts = sorted(watch(spoken, [rule]), key=lambda a: a.start_s)
    known = {one.id: one for one in spoken}
    for alert in alerts:
        assert alert.start_s <= alert.evidence[0].start_s
        assert alert.start_s == min(one.start_s for one in alert.evidence)
        assert alert.end_s == max(one.end_s for one in alert.evidence)
        assert alert.start_s <= alert.fired_s
        assert alert.utterances == len(alert.evidence) >= rule.min_utterances
        assert len({one.id for one in alert.evidence}) == len(alert.evidence)  # nothing counts twice
        assert alert.speech_s >= rule.min_speech_s - 1e-6
        assert alert.speech_s <= alert.seconds + 1e-6
        assert alert.smoothed_peak >= rule.on
        assert rule.off - 1e-9 <= alert.smoothed_mean <= alert.smoothed_peak + 1e-9
        for one in alert.evidence:
            said = known[one.id]
            assert (said.start_s, said.end_s, said.speaker) == (one.start_s, one.end_s, one.speaker)
            assert one.speech_s == pytest.approx(said.seconds)
            assert said.scores["angry"] == pytest.approx(one.value)
            assert one.value >= rule.off - 1e-12
            assert rule.scope == "meeting" or one.speaker == alert.scope_value
    for own in by_scope(alerts).values():
        for first, second in pairwise(own):
            assert second.start_s - first.end_s > rule.merge_s
            assert second.fired_s >= first.end_s + rule.cooldown_s


@given(observations(most=25), rules())
@settings(max_examples=60, deadline=None)
def test_hysteresis_never_flaps(spoken, rule) -> None:
    """Held against a slow integration: an alert fires at `on`; while it lasts, no known level leaves `off` except where
    alerts were merged; and between two alerts the level left `off`, or there was a pause."""
    alerts = sorted(watch(spoken, [rule]), key=lambda a: a.start_s)
    near = 1e-3  # of the slow integration
    for scope, own in by_scope(alerts).items():
        times = sorted({one.end_s for one in heard(rule, spoken, scope)})
        known = {t: level(rule, spoken, scope, t) for t in times}
        for alert in own:
            value, evidence = known[alert.fired_s]
            assert value >= rule.on - near
            assert evidence >= rule.min_evidence_s - near
            if alert.episodes == 1:
                inside = [known[t] for t in times if alert.fired_s <= t <= alert.end_s]
                assert all(v >= rule.off - near for v, e in inside if e >= rule.min_evidence_s + near)
        for first, second in pairwise(own):
            between = [t for t in times if first.end_s <= t <= second.fired_s]
            left = any(known[t][0] < rule.off + near for t in between if known[t][1] >= rule.min_evidence_s - near)
            starts = {t: min(o.start_s for o in heard(rule, spoken, scope) if o.end_s == t) for t in times}
            pause = any(starts[b] - a > rule.max_silence_s for a, b in pairwise([first.end_s, *between]))
            pause = pause or any(starts[b] - a > rule.max_silence_s for a, b in pairwise(between))
            assert left or pause


@given(observations(), rules(), st.randoms(use_true_random=False))
@settings(max_examples=120, deadline=None)
def test_the_order_of_equal_times_is_irrelevant(spoken, rule, random) -> None:
    other = list(spoken)
    random.shuffle(other)
    other.sort(key=lambda one: one.start_s)
    first, second = (sorted(watch(these, [rule]), key=repr) for these in (spoken, other))
    assert first == second


@given(observations(), rules())
@settings(max_examples=60, deadline=None)
def test_streaming_changes_nothing(spoken, rule) -> None:
    """Clock ticks between the observations, and asking what is open, leave the alerts as they are."""
    engine = AlertEngine([rule])
    told = []
    for one in spoken:
        told += engine.advance(one.start_s)
        engine.open()
        told += engine.add(one)
    told += engine.finish()
    assert sorted(told, key=repr) == sorted(watch(spoken, [rule]), key=repr)


@given(observations(), rules())
@settings(max_examples=60, deadline=None)
def test_silence_and_calm_never_fire(spoken, rule) -> None:
    engine = AlertEngine([rule])
    assert engine.advance(1e6) == []
    assert engine.finish() == []
    calm = [Observation(o.start_s, o.end_s, {"angry": 0.0, "neutral": 1.0}, speaker=o.speaker, id=o.id) for o in spoken]
    assert list(watch(calm, [rule])) == []
    points = [Observation(o.start_s, o.start_s, {"angry": 1.0, "neutral": 0.0}, id=o.id) for o in spoken]
    assert list(watch(points, [rule])) == []


@given(observations(), rules())
@settings(max_examples=60, deadline=None)
def test_nothing_fires_before_it_could_be_known(spoken, rule) -> None:
    """What fired by a time fires as well when the recording stops then."""
    for alert in watch(spoken, [rule]):
        until = [one for one in spoken if one.end_s <= alert.fired_s]
        fired = {(a.scope_value, a.fired_s) for a in watch(until, [rule])}
        assert (alert.scope_value, alert.fired_s) in fired
