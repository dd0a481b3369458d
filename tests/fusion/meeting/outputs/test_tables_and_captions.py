"""CSV that no spreadsheet runs, captions that no words can break out of."""

from __future__ import annotations

import json
from dataclasses import replace

import pandas as pd
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fusion.meeting.manners import Manners
from fusion.meeting.meeting import publish
from fusion.meeting.outputs.captions import write_captions
from fusion.meeting.outputs.tables import write_alerts, write_utterances
from fusion.meeting.transcripts import read_transcript


def saying(meeting, words: str, who: str = "a"):
    first = meeting.estimates[0]
    changed = replace(first, utterance=replace(first.utterance, text=words, speaker=who))
    manners = Manners(meeting.manners.purpose, per_person=True, acknowledged=True)
    return replace(meeting, manners=manners, estimates=(changed, *meeting.estimates[1:]))


def test_every_utterance_is_a_line_with_its_probabilities(meeting, tmp_path):
    table = pd.read_csv(write_utterances(publish(saying(meeting, 'so, "well"\nno')), tmp_path / "u.csv"))
    assert len(table) == 20
    assert table["p_angry"].tolist() == [0.7] * 20
    assert table["text"][0] == 'so, "well"\nno'


def test_by_default_the_columns_of_probabilities_are_empty(meeting, tmp_path):
    table = pd.read_csv(write_utterances(publish(meeting), tmp_path / "u.csv"))
    assert table[["p_angry", "p_happy", "label", "valence"]].isna().all(axis=None)


def test_a_formula_stays_words(meeting, tmp_path):
    for evil in ("=1+1", "+cmd", "-2", "@SUM(A1)", "\t=1"):
        path = write_utterances(publish(saying(meeting, evil, who=evil)), tmp_path / "u.csv")
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
        assert table["text"][0] == "'" + evil
        assert table["speaker"][0] == "'" + evil


def test_alerts_carry_banner_and_evidence(meeting, tmp_path):
    found = json.loads(write_alerts(publish(saying(meeting, "x")), tmp_path / "a.json").read_text())
    assert "often wrong" in found["banner"]
    assert len(found["alerts"]) == 3
    assert found["alerts"][0]["evidence"][0]["text"] == "so late"


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    words=st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cf", "Cs", "Zl", "Zp"]), min_size=1),
    name=st.text(st.characters(categories=["L"]), min_size=1, max_size=12),
)
def test_captions_read_back_as_what_was_said(meeting, tmp_path, words, name):
    if not words.strip():
        words = "so"
    path = write_captions(publish(saying(meeting, words, who=name)), tmp_path / "c.vtt")
    first = read_transcript(path).utterances[0]
    assert first.text == " ".join(words.split()) + " [angry, 0.70 (estimated)]"
    assert first.speaker == name


def test_captions_cannot_be_broken_out_of(meeting, tmp_path):
    path = write_captions(
        publish(saying(meeting, "a --> b\n\n00:00:01.000 --> 00:00:02.000\n<b>x")), tmp_path / "c.vtt"
    )
    assert len(read_transcript(path).utterances) == 20
    assert "<b>" not in path.read_text()
