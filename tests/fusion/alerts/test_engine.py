"""What fires, when, and what it says."""

from __future__ import annotations

import numpy as np
import pytest

from extractors.errors import InputError
from fusion.alerts import AlertEngine, Observation, read_rules, watch
from fusion.valence import load_valence

ANGRY = [(start, start + 4.0, 0.9) for start in (100.0, 105.0, 110.0, 115.0)]
CALM = [(start, start + 4.0, 0.1) for start in range(0, 100, 5)]
AFTER = [(start, start + 4.0, 0.1) for start in range(120, 240, 5)]


def test_an_alert_says_what_it_rests_on(rule, say) -> None:
    spoken = say(CALM + ANGRY + AFTER, speaker="anna", text="no!")
    (alert,) = watch(spoken, [rule(scope="speaker")], calibrated=True, recording="call.wav")
    assert (alert.rule, alert.scope, alert.scope_value, alert.recording) == ("r", "speaker", "anna", "call.wav")
    assert (alert.start_s, alert.end_s) == (100.0, 119.0)  # where it began and ended, not where the smoothing noticed
    assert alert.start_s < alert.fired_s <= alert.end_s
    assert 0.5 <= alert.smoothed_mean < alert.smoothed_peak < 0.9  # both of the smoothed signal; the mean is not beyond
    assert (alert.speech_s, alert.utterances, alert.episodes) == (pytest.approx(16.0), 4, 1)
    assert [one.id for one in alert.evidence] == ["100", "105", "110", "115"]
    assert alert.evidence[0].scores == pytest.approx({"angry": 0.9, "neutral": 0.1})
    assert {one.text for one in alert.evidence} == {"no!"}
    assert (alert.calibrated, alert.open, alert.severity) == (True, False, "alert")
    assert [one.id for one in alert.quotes(2)] == ["100", "105"]


def test_the_states_in_their_order(rule, say) -> None:
    """inactive → pending → firing → resolved → inactive; the alert is told only when nothing can join it any more."""
    engine = AlertEngine([rule(min_utterances=4, merge_s=60)])
    seen, told_at = [], None
    for one in say(CALM + ANGRY + AFTER):
        told = engine.add(one)
        tracker = engine.tracker("r")
        state = "inactive" if tracker is None else tracker.state
        if not seen or seen[-1] != state:
            seen.append(state)
        if state == "firing":
            assert [(a.open, a.start_s) for a in engine.open()] == [(True, 100.0)]
        if told:
            told_at = one.start_s
            assert [a.end_s for a in told] == [119.0]
    assert seen == ["inactive", "pending", "firing", "resolved", "inactive"]
    assert told_at is not None
    assert told_at > 119.0 + 60
    assert engine.finish() == []


def test_hysteresis(rule, say) -> None:
    """Between on and off an alert goes on, and none begins."""
    middling = [(start, start + 4.0, 0.42) for start in range(120, 220, 5)]
    (alert,) = watch(say(ANGRY + middling), [rule(tau_s=5, max_silence_s=1000, merge_s=0)])
    assert (alert.end_s, alert.episodes) == (219.0, 1)
    assert not list(watch(say(middling), [rule(tau_s=5)]))


def test_a_turn_that_spans_two_alerts_makes_them_one(rule, say) -> None:
    """Somebody talks on under an alert, a calm stretch and the next alert: known only when it ends."""
    bursts = [(b + s, b + s + 4.0, 0.95) for b in (0.0, 60.0) for s in (0.0, 5.0, 10.0, 15.0)]
    calm = [(s, s + 4.0, 0.0) for s in (20.0, 25.0, 30.0, 35.0, 40.0, 45.0, 50.0, 55.0)]
    settings = {"tau_s": 5, "merge_s": 5}
    assert len(list(watch(say(sorted(bursts + calm)), [rule(**settings)]))) == 2
    long = [(18.0, 79.5, 0.95)]
    (alert,) = watch(say(sorted(bursts + calm + long)), [rule(**settings)])
    assert (alert.start_s, alert.end_s, alert.episodes) == (0.0, 79.5, 2)


def test_minimum_of_speech_and_of_utterances(rule, say) -> None:
    one_long = [*CALM, (100.0, 110.0, 0.95), *AFTER]
    assert not list(watch(say(one_long), [rule(tau_s=5)]))  # one utterance is no alert
    assert list(watch(say(one_long), [rule(tau_s=5, min_utterances=1)]))
    short = [*CALM, (100.0, 101.5, 0.95), (102.0, 103.5, 0.95), *AFTER]  # 3 s are not 5
    assert not list(watch(say(short), [rule(tau_s=2, min_evidence_s=0.5)]))
    assert list(watch(say(short), [rule(tau_s=2, min_evidence_s=0.5, min_speech_s=3)]))


def test_speech_that_overlaps_counts_once(rule, say) -> None:
    windows = [(100.0 + step * 0.5, 102.0 + step * 0.5, 0.95) for step in range(4)]  # 3.5 s, not 8
    assert not list(watch(say(windows), [rule(tau_s=2)]))
    (alert,) = watch(say(windows), [rule(tau_s=2, min_speech_s=3.5)])
    assert alert.speech_s == pytest.approx(3.5)


def test_short_uncertain_and_zero_length_speech_is_counted_as_skipped(rule, say) -> None:
    engine = AlertEngine([rule(min_confidence=0.6)])
    for one in [
        *say([(1.0, 1.5, 0.99)]),
        *say([(2.0, 6.0, 0.99)], confidence=0.5),
        *say([(7.0, 7.0, 0.99)]),
        *say([(8.0, 12.0, 0.99)], confidence=0.9),
    ]:
        engine.add(one)
    assert engine.finish() == []
    assert engine.skipped == {"r": {"too short": 1, "not confident": 1, "no length": 1}}


def test_merge_gap(rule, say) -> None:
    """Two bursts 41 s apart, with calm speech between."""
    between = [(start, start + 4.0, 0.0) for start in range(120, 160, 5)]
    again = [(start, start + 4.0, 0.9) for start in (160.0, 165.0, 170.0, 175.0)]
    later = [(start, start + 4.0, 0.0) for start in range(180, 240, 5)]
    spoken = say(CALM + ANGRY + between + again + later)
    first, second = watch(spoken, [rule(tau_s=10, merge_s=40)])
    assert (first.end_s, second.start_s) == (119.0, 160.0)
    (both,) = watch(spoken, [rule(tau_s=10, merge_s=41)])
    assert (both.start_s, both.end_s, both.episodes, both.utterances) == (100.0, 179.0, 2, 8)
    assert both.fired_s == first.fired_s


def test_cooldown(rule, say) -> None:
    bursts = [(b + s, b + s + 4.0, 0.9) for b in (0.0, 100.0, 200.0) for s in (0.0, 5.0, 10.0)]
    calm = [(b + s, b + s + 4.0, 0.0) for b in (0.0, 100.0, 200.0) for s in range(20, 95, 5)]
    spoken = say(sorted(bursts + calm))
    assert [a.start_s for a in watch(spoken, [rule(tau_s=10)])] == [0.0, 100.0, 200.0]
    assert [a.start_s for a in watch(spoken, [rule(tau_s=10, cooldown_s=150)])] == [0.0, 200.0]


def test_a_long_pause_ends_an_alert(rule, say) -> None:
    spoken = say(ANGRY)
    engine = AlertEngine([rule(merge_s=5, max_silence_s=60)])
    assert [a for one in spoken for a in engine.add(one)] == []
    assert engine.advance(150.0) == []
    assert [a.scope for a in engine.open()] == ["meeting"]
    (alert,) = engine.advance(180.0)
    assert (alert.end_s, alert.open) == (119.0, False)
    (unended,) = watch(spoken, [rule()])
    assert unended.open


def test_scopes(rule) -> None:
    """Two who are angry in turns: each for himself too little, together enough; and topics."""
    spoken = [
        Observation(t, t + 3.0, {"angry": 0.9}, speaker="ab"[n % 2], topic="price" if t < 20 else None, id=str(n))
        for n, t in enumerate(np.arange(0.0, 40.0, 4.0))
    ]
    assert [a.scope_value for a in watch(spoken, [rule(min_speech_s=16)])] == [None]
    assert not list(watch(spoken, [rule(min_speech_s=16, scope="speaker")]))
    (alert,) = watch(spoken, [rule(scope="topic")])
    assert (alert.scope_value, alert.utterances) == ("price", 5)
    engine = AlertEngine([rule(scope="topic")])
    for one in spoken:
        engine.add(one)
    engine.finish()
    assert engine.skipped["r"] == {"no topic": 5}


def test_valence_from_above_and_what_has_none() -> None:
    rules = read_rules(
        {"low": {"signal": "valence", "direction": "below", "on": -0.5, "off": -0.3, "scope": "meeting"}}
    )
    valence = load_valence("emotion2vec")
    sad = {"sad": 0.7, "neutral": 0.2, "happy": 0.1, "other": 0.0}
    nothing = {"sad": 0.3, "neutral": 0.0, "happy": 0.0, "other": 0.7}
    spoken = [Observation(t, t + 4.0, sad if t < 40 else nothing, id=str(t)) for t in range(0, 80, 5)]
    engine = AlertEngine(rules, valence=valence)
    told = [a for one in spoken for a in engine.add(one)] + engine.finish()
    (alert,) = told
    assert alert.smoothed_peak == pytest.approx(-0.6)
    assert alert.end_s == 39.0
    assert engine.skipped["low"] == {"no valence": 8}


def test_severity_is_that_of_the_peak(rule, say) -> None:
    severities = {"severe": 0.8, "notice": 0.5, "warning": 0.6}
    found = {}
    for p in (0.55, 0.7, 0.95):
        spoken = say([(t, t + 4.0, p) for t in range(0, 40, 5)])
        (alert,) = watch(spoken, [rule(severities=severities)])
        found[p] = alert.severity
    assert found == {0.55: "notice", 0.7: "warning", 0.95: "severe"}


def test_frames_say_what_their_utterances_say(rule, say) -> None:
    """The same speech as 20 ms frames: the same alert, to the moment of its firing and the rounding of times."""
    spoken = say(CALM + ANGRY + AFTER, speaker="anna")
    frames = [
        Observation(
            one.start_s + n * 0.02,
            one.start_s + (n + 1) * 0.02,
            one.scores,
            speaker="anna",
            id=one.id,
            utterance_s=one.seconds,
        )
        for one in spoken
        for n in range(200)
    ]
    (whole,) = watch(spoken, [rule()])
    (parts,) = watch(frames, [rule()])
    assert (parts.start_s, parts.utterances) == (whole.start_s, whole.utterances)
    assert parts.end_s == pytest.approx(whole.end_s)
    assert parts.speech_s == pytest.approx(whole.speech_s)
    assert parts.smoothed_peak == pytest.approx(whole.smoothed_peak)
    assert whole.fired_s - 5 <= parts.fired_s <= whole.fired_s  # within the utterance, no longer at its end
    assert [(e.id, e.value) for e in parts.evidence] == [(e.id, pytest.approx(e.value)) for e in whole.evidence]


def test_order_of_time_is_asked_for(rule, say) -> None:
    engine = AlertEngine([rule()])
    engine.add(say([(10.0, 12.0, 0.5)])[0])
    with pytest.raises(InputError, match=r"begins at 9 s, after one that begins at 10 s"):
        engine.add(say([(9.0, 12.0, 0.5)])[0])


@pytest.mark.parametrize(
    ("observation", "words"),
    [
        (Observation(2.0, 1.0, {"angry": 0.5}), "expected 0 <= start <= end"),
        (Observation(float("nan"), 1.0, {"angry": 0.5}), "expected 0 <= start <= end"),
        (Observation(0.0, 1.0, {"angry": 1.5}), "angry 1.5"),
        (Observation(0.0, 1.0, {"angry": float("nan")}), "angry nan"),
        (Observation(0.0, 1.0, {"angry": 0.5}, confidence=2), "confidence from 0 to 1"),
        (Observation(0.0, 1.0, {"angry": 0.5}, overlap=-1), "overlap from 0 to 1"),
        (Observation(0.0, 1.0, {"anger": 0.5}), r"no label 'angry'; did you mean anger\?"),
    ],
)
def test_what_cannot_be_judged_is_refused(rule, observation, words) -> None:
    with pytest.raises(InputError, match=words):
        AlertEngine([rule()]).add(observation)


def test_one_engine_hears_one_model(rule) -> None:
    engine = AlertEngine([rule()])
    engine.add(Observation(0.0, 1.0, {"angry": 0.5, "sad": 0.5}))
    with pytest.raises(InputError, match="its labels are not those of the ones before"):
        engine.add(Observation(1.0, 2.0, {"angry": 0.5}))


def test_missing_labels(say) -> None:
    spoken = say([(t, t + 4.0, 0.9) for t in range(0, 40, 5)])
    base = {"on": 0.5, "off": 0.3, "scope": "meeting"}
    both = {"a": base | {"signal": "angry + fearfull"}, "b": base | {"signal": "neutrall"}}
    with pytest.raises(InputError) as told:
        list(watch(spoken, read_rules(both)))
    assert len(told.value.problems) == 2
    assert "did you mean neutral?" in told.value.problems[1]
    skipping = read_rules({"a": both["a"] | {"missing_label": "skip"}, "c": base | {"signal": "angry"}})
    engine = AlertEngine(skipping)
    told_alerts = [a for one in spoken for a in engine.add(one)] + engine.finish()
    assert [a.rule for a in told_alerts] == ["c"]
    assert engine.left_out == ("rule a is left out: no label 'fearfull'",)
    (alert,) = watch(spoken, read_rules({"a": both["a"] | {"missing_label": "zero"}}))
    assert alert.rule == "a"
