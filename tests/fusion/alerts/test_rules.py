"""Rules as configuration: what is read, and what is refused, all of it together."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extractors.errors import InputError
from fusion.alerts import Observation, check_rules, load_rules, read_rules, watch
from fusion.alerts.signals import read_signal, read_when
from fusion.configuration import conf_folder
from fusion.valence import load_valence

NINE = ("angry", "disgusted", "fearful", "happy", "neutral", "other", "sad", "surprised", "unknown")
WORDS = st.from_regex(r"[a-z][a-z_]{0,6}", fullmatch=True).filter(lambda word: word != "valence")


@pytest.mark.parametrize(
    "path", sorted((conf_folder() / "tables" / "rules").glob("*.yaml")), ids=lambda path: path.stem
)
def test_every_set_can_be_followed_by_emotion2vec(path) -> None:
    kept, left_out = check_rules(load_rules(path.stem), NINE, valence=load_valence("default"))
    assert len(kept) >= 3
    assert left_out == ()


def test_the_default_set_serves_labels_of_your_own() -> None:
    kept, left_out = check_rules(load_rules("default"), ("frustrated", "calm"), valence=load_valence("default"))
    assert [rule.name for rule in kept] == ["negative_tone", "meeting_turns_negative"]
    assert len(left_out) == 3


def test_yaml_takes_on_for_true_and_that_does_no_harm(tmp_path: Path) -> None:
    file = tmp_path / "r.yaml"
    file.write_text(
        "shared: {off: 0.2}\nrules:\n  a:\n    signal: angry\n    on: 0.5\n  b: {when: sad > 0.6, 'off': 0.5}\n"
    )
    first, second = load_rules(file)
    assert (first.on, first.off) == (0.5, 0.2)
    assert (second.on, second.off) == (0.6, 0.5)


def test_all_problems_are_told_together(tmp_path: Path) -> None:
    file = tmp_path / "r.yaml"
    file.write_text(
        """
shared: {tau: 3}
rules:
  a: {signal: angry fearful, on: 0.5}
  b: {signal: angry, on: 1.5, scope: speakers, min_utterances: 0}
  c: {signal: angry, on: 0.5, off: 0.6, merge_s: -1}
  d: {when: angry >> 0.5}
  e: {signal: valence, direction: below, on: -0.5, off: -0.7, severities: {bad: -0.6}}
  f: 3
  g: {on: 0.3}
  h: {signal: angry, on: '${oc.env:HOME}'}
  i: {signal: angry, on: 0.5, tau_s: 5, min_evidence_s: 5}
"""
    )
    with pytest.raises(InputError) as told:
        load_rules(file)
    said = str(told.value)
    for words in (
        "shared.tau: no such key; did you mean tau_s?",
        "a: signal 'angry fearful': expected + or - before 'fearful'",
        "b.on: angry never reaches 1.5; it lies from 0 to 1",
        "b.scope: expected speaker, meeting or topic, got 'speakers'; did you mean speaker?",
        "b.min_utterances: expected a whole number from 1, got 0",
        "c.off: expected less than on (0.5), got 0.6",
        "c.merge_s: expected seconds from 0, got -1",
        "d: when 'angry >> 0.5': expected a signal",
        "e.off: expected more than on (-0.5), got -0.7",
        "e.severities: bad, the mildest, begins at -0.6",
        "f: expected settings, got 3",
        "g: expected either `signal` or `when`, got neither",
        "h.on: expected a number, got '${oc.env:HOME}'",  # nothing of the environment gets in
        "i.min_evidence_s: expected less than tau_s (5)",
    ):
        assert words in said, said


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("rules: [a]", "rules: expected a mapping of names to settings"),
        ("rule: {}", "did you mean rules?"),
        ("- a", "expected a mapping of names, got List"),
        ("a: [", "is no YAML"),
        ("rules: {a: !!python/object/apply:os.system [echo]}", "is no YAML"),
        ("rules: {a: {signal: angry, on: 0.5}, a: {signal: sad, on: 0.5}}", "is no YAML"),  # twice
        ("rules: {a: {signal: \"__import__('os')\", on: 0.5}}", "is not understood"),
    ],
)
def test_files_that_are_no_rules(tmp_path, content, words) -> None:
    (tmp_path / "r.yaml").write_text(content)
    with pytest.raises(InputError) as told:
        load_rules(tmp_path / "r.yaml")
    assert words in str(told.value)


@pytest.mark.parametrize(
    ("source", "words"),
    [("defualt", "did you mean 'default'?"), ("no.yaml", "no such file: no.yaml"), ("../rules/default", "no set")],
)
def test_sets_that_do_not_exist(source, words) -> None:
    with pytest.raises(InputError) as told:
        load_rules(source)
    assert words in str(told.value)


def test_own_settings_come_before_shared_ones() -> None:
    (rule,) = read_rules(
        {"a": {"when": "valence < -0.5 for 1 min of speech"}}, shared={"signal": "angry", "on": 0.9, "off": 0.1}
    )
    assert (rule.direction, rule.on, rule.off, rule.min_speech_s) == ("below", -0.5, -0.35, 60.0)


@given(st.dictionaries(WORDS, st.integers(1, 99), min_size=1, max_size=5), st.data())
def test_a_signal_is_read_as_it_was_written(weights, data) -> None:
    terms = []
    for label, hundredths in weights.items():
        name = label if data.draw(st.booleans()) else f"'{label}'"
        number = f"{hundredths / 100:.2f}"
        terms.append(f"{number} * {name}" if data.draw(st.booleans()) else f"{name}*{number}")
    signal = read_signal(" + ".join(terms))
    assert dict(signal.weights) == {label: pytest.approx(value / 100) for label, value in weights.items()}
    scores = dict.fromkeys(weights, 0.5)
    assert signal.value(scores, None) == pytest.approx(sum(weights.values()) / 200)
    assert read_signal("-" + " - ".join(terms)).value(scores, None) == pytest.approx(-sum(weights.values()) / 200)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "+",
        "angry +",
        "angry ** 2",
        "2 angry",
        "angry * fearful",
        "3",
        "'angry",
        "angry; sad",
        "angry-angry",
        "a(b)",
    ],
)
def test_signals_that_are_none(text) -> None:
    with pytest.raises(InputError, match="signal"):
        read_signal(text)


@given(st.text(max_size=30))
def test_no_text_breaks_the_grammar(text) -> None:
    for read in (read_signal, read_when):
        with suppress(InputError):
            read(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("angry + fearful > 0.7 for 5 s of speech", ("above", 0.7, 5.0)),
        ("valence<-0.5", ("below", -0.5, None)),
        ("valence <= −.5 for 2 min", ("below", -0.5, 120.0)),
        ("'very sad' >= 0.2 for 2.5 seconds of speech", ("above", 0.2, 2.5)),
    ],
)
def test_rules_of_one_line(text, expected) -> None:
    assert read_when(text)[1:] == expected


def test_for_five_seconds_of_speech_means_that() -> None:
    (rule,) = read_rules({"a": {"when": "angry + fearful > 0.7 for 5 s of speech", "scope": "meeting"}})
    assert (rule.tau_s, rule.min_utterances, rule.min_speech_s) == (2.5, 1, 5.0)
    calm, hot = {"angry": 0.1, "fearful": 0.1}, {"angry": 0.6, "fearful": 0.3}
    for seconds, alerts in ((4.0, 0), (6.5, 1)):  # a moment longer than 5 s: the smoothing must get there
        frames = [
            Observation(
                n * 0.02, (n + 1) * 0.02, hot if 30 <= n * 0.02 < 30 + seconds else calm, id="1", utterance_s=60
            )
            for n in range(3000)
        ]
        assert len(list(watch(frames, [rule]))) == alerts
    (other,) = read_rules({"a": {"when": "angry > 0.7 for 5 s", "tau_s": 8}}, shared={"min_utterances": 3})
    assert (other.tau_s, other.min_utterances) == (8, 3)
    (longer,) = read_rules({"a": {"when": "angry > 0.7 for 2 min"}})
    assert longer.tau_s == 20
