"""meeting.json keeps to its schema, whatever the meeting, and shows only what may be shown."""

from __future__ import annotations

import json
from dataclasses import replace
from importlib.resources import files

import jsonschema
import pytest

from fusion.meeting.conversation import converse
from fusion.meeting.manners import Manners
from fusion.meeting.meeting import Coverage, publish
from fusion.meeting.outputs.data import meeting_data

SCHEMA = json.loads((files("fusion.meeting.outputs") / "meeting.schema.json").read_text())


def wide(meeting):
    return replace(meeting, manners=Manners(meeting.manners.purpose, per_person=True, acknowledged=True))


def check(meeting) -> dict:
    found = json.loads(json.dumps(meeting_data(publish(meeting)), allow_nan=False))
    jsonschema.validate(found, SCHEMA, cls=jsonschema.Draft202012Validator)
    return found


def test_the_schema_is_one():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_a_meeting_keeps_to_the_schema(meeting):
    shown = check(wide(meeting))
    assert len(shown["utterances"]) == 20
    assert shown["utterances"][0]["probabilities"] == {"angry": 0.7, "happy": 0.3}
    assert [pooled["name"] for pooled in shown["speakers"]] == ["a", "b"]
    assert shown["items"][1]["abstained"] == "nothing like it was said"


def test_the_default_has_no_estimate_of_a_single_utterance(meeting):
    shown = check(meeting)
    assert all(u["probabilities"] is None and u["valence"] is None for u in shown["utterances"])
    assert shown["speakers"] == []
    assert shown["overall"]["valence"] == pytest.approx(-0.4)


def test_an_empty_meeting_keeps_to_it_too(meeting):
    nobody = replace(
        wide(meeting),
        estimates=(),
        speakers=(),
        topics=(),
        windows=(),
        items=(),
        alerts=(),
        conversation=converse([], 0.0),
        coverage=Coverage(0, 0, 0, 0, 0.0, 0.0),
    )
    assert check(nobody)["utterances"] == []


def test_what_the_schema_does_not_know_is_refused(meeting):
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**meeting_data(publish(meeting)), "mood": 1}, SCHEMA)


def test_an_interval_without_a_width_is_null(meeting):
    alike, apart = (replace(meeting.overall, interval=bounds) for bounds in ((0.7, 0.7), (0.6, 0.7)))
    assert check(replace(wide(meeting), overall=alike))["overall"]["valence_interval"] is None
    assert check(replace(wide(meeting), overall=apart))["overall"]["valence_interval"] == [0.6, 0.7]
