"""What may not be shown does not reach any output."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from fusion.meeting.manners import Manners
from fusion.meeting.meeting import FEW_SPEAKERS, Topic, publish
from fusion.meeting.outputs.write import write_outputs
from fusion.meeting.pooling import pool
from fusion.valence import ValenceMap

VALUES = ValenceMap("mine", {"angry": -1.0, "happy": 1.0})


def test_nothing_of_a_single_person_is_left(meeting):
    shown = publish(meeting)
    assert not any(e.probabilities or e.valence is not None or e.valence_by or e.confidence for e in shown.estimates)
    assert [e.reason for e in shown.estimates][:1] == ["estimates of single people are not shown"]
    assert shown.speakers == ()
    assert shown.conversation.speakers == ()
    assert len(shown.alerts) == 1


def test_an_alert_does_not_say_which_utterances_it_rests_on(meeting):
    """Each of them is one that was estimated so: its id, or its times, would be one person's estimate."""
    first = replace(meeting.alerts[-1], start_s=12.5, end_s=31.2, fired_s=24.1, peak_s=29.0)
    (alert,) = publish(replace(meeting, alerts=(first,))).alerts
    assert alert.evidence == ()
    assert (alert.start_s, alert.end_s, alert.fired_s, alert.peak_s) == (10.0, 40.0, 30.0, 30.0)
    assert (alert.utterances, alert.smoothed_mean) == (6, 0.8)


def test_an_alert_on_fewer_utterances_than_a_pool_needs_is_not_shown(meeting):
    few = replace(meeting.alerts[-1], utterances=4)
    assert publish(replace(meeting, alerts=(few,))).alerts == ()


def test_who_does_not_count_hides_nobody(meeting):
    """Half a second of somebody else weighs nothing: the numbers would be those of one person."""
    other = replace(meeting.estimates[1], weight=0.0)
    alone = pool([*meeting.estimates[::2], other], VALUES, scope="topic", name="x")
    assert (alone.speakers, alone.utterances) == (1, 11)
    (shown,) = publish(replace(meeting, topics=(Topic("x", ((0.0, 90.0),), alone),))).topics
    assert shown.pooled.withheld == FEW_SPEAKERS


def test_a_pool_of_one_person_is_withheld_and_one_of_two_is_not(meeting):
    both, one = publish(meeting).topics
    assert both.pooled.valence == pytest.approx(-0.4)
    assert one.pooled.withheld == FEW_SPEAKERS
    assert one.pooled.valence is None
    assert not one.pooled.probabilities


def test_what_nobody_published_is_published_before_it_is_written(meeting, tmp_path):
    write_outputs(meeting, tmp_path)
    found = json.loads((tmp_path / "meeting.json").read_text())
    assert not any(u["probabilities"] for u in found["utterances"])
    assert found["speakers"] == []
    assert len(found["alerts"]) == 1
    assert publish(publish(meeting)) == publish(meeting)


def test_with_per_person_all_is_shown(meeting):
    wide = replace(meeting, manners=Manners(meeting.manners.purpose, per_person=True, acknowledged=True))
    assert publish(wide) == wide
