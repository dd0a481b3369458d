"""Weights of utterances, and tone against words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fusion.meeting.estimate import Estimate, weight_of
from fusion.meeting.transcript import Utterance


@given(st.floats(1, 3600), st.floats(0, 1), st.floats(0, 1))
def test_a_weight_grows_to_ten_seconds_and_no_further(seconds, confidence, overlap):
    expected = min(seconds, 10.0) * confidence * (1 - 0.5 * overlap)
    assert weight_of(seconds, confidence, overlap) == pytest.approx(expected)


def test_under_a_second_counts_nothing():
    assert weight_of(0.99, 1.0, 0.0) == 0
    assert weight_of(1.0, 1.0, 0.0) == 1


def test_tone_and_words_disagree_beyond_a_bound_only_where_there_are_both():
    said = Utterance("1", 0, 3, "great")
    assert Estimate(said, valence_by={"speech": -0.5, "text": 0.3}).disagrees
    assert not Estimate(said, valence_by={"speech": -0.3, "text": 0.3}).disagrees
    assert Estimate(said, valence_by={"speech": -0.5}).disagreement is None
