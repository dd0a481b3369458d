"""What may not be shown does not reach any output."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fusion.meeting.manners import Manners
from fusion.meeting.meeting import FEW_SPEAKERS, publish


def test_nothing_of_a_single_person_is_left(meeting):
    shown = publish(meeting)
    assert not any(e.probabilities or e.valence is not None or e.valence_by or e.confidence for e in shown.estimates)
    assert [e.reason for e in shown.estimates][:1] == ["estimates of single people are not shown"]
    assert shown.speakers == ()
    assert shown.conversation.speakers == ()
    assert len(shown.alerts) == 1
    assert all(
        not e.scores and e.speaker is None and e.confidence is None and e.text is None for e in shown.alerts[0].evidence
    )
    assert len({e.value for e in shown.alerts[0].evidence}) == 1


def test_a_pool_of_one_person_is_withheld_and_one_of_two_is_not(meeting):
    both, one = publish(meeting).topics
    assert both.pooled.valence == pytest.approx(-0.4)
    assert one.pooled.withheld == FEW_SPEAKERS
    assert one.pooled.valence is None
    assert not one.pooled.probabilities


def test_with_per_person_all_is_shown(meeting):
    wide = replace(meeting, manners=Manners(meeting.manners.purpose, per_person=True, acknowledged=True))
    assert publish(wide) == wide
