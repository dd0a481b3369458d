"""Pools: probabilities by weight, intervals that cover, and no number where there is too little."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fusion.meeting.estimate import Estimate
from fusion.meeting.pooling import TOO_LITTLE, pool, window_spans
from fusion.meeting.transcript import Utterance
from fusion.valence import ValenceMap

VALUES = ValenceMap("mine", {"angry": -1.0, "happy": 1.0, "neutral": 0.0, "other": None})


def estimate(id: int, probabilities: list[float], *, weight: float = 2.0, speaker: str = "anna") -> Estimate:
    named = dict(zip(["angry", "happy", "neutral", "other"], probabilities, strict=True))
    said = Utterance(str(id), id * 5.0, id * 5.0 + 4.0, "words", speaker)
    return Estimate(said, named, VALUES(named), confidence=max(probabilities), weight=weight)


def test_probabilities_are_pooled_by_weight_and_never_labels():
    barely = [estimate(i, [0.4, 0.35, 0.25, 0.0], weight=1.0) for i in range(5)]
    surely = [estimate(9, [0.0, 1.0, 0.0, 0.0], weight=5.0)]
    found = pool(barely + surely, VALUES, scope="meeting", name="all")
    assert found.probabilities["angry"] == pytest.approx(0.2)
    assert found.label == "happy"  # five of six labels say angry
    assert found.valence == pytest.approx(found.probabilities["happy"] - found.probabilities["angry"])


def test_too_little_speech_has_no_numbers():
    found = pool([estimate(i, [1, 0, 0, 0]) for i in range(4)], VALUES, scope="topic", name="x")
    assert found.withheld == TOO_LITTLE
    assert not found.probabilities
    assert found.valence is None
    assert found.utterances == 4


def test_what_has_no_weight_is_counted_and_says_nothing():
    short = [estimate(i, [0, 1, 0, 0], weight=0.0) for i in range(20)]
    found = pool([estimate(i, [1, 0, 0, 0]) for i in range(5)] + short, VALUES, scope="topic", name="x")
    assert (found.utterances, found.counted, found.valence) == (25, 5, -1.0)
    assert found.coverage == pytest.approx(0.2)


def test_without_half_of_the_mass_there_is_no_valence():
    found = pool([estimate(i, [0.2, 0.1, 0.1, 0.6]) for i in range(6)], VALUES, scope="meeting", name="all")
    assert found.valence is None
    assert found.interval is None
    assert found.probabilities["other"] == pytest.approx(0.6)


def test_the_interval_covers_the_truth_about_as_often_as_it_says():
    rng = np.random.default_rng(0)
    truth = -0.2
    covered = 0
    for trial in range(200):
        angry = np.clip(rng.normal(0.6, 0.2, 60), 0, 1)
        truth = 1 - 2 * 0.6
        rows = [estimate(i, [a, 1 - a, 0, 0]) for i, a in enumerate(angry)]
        low, high = pool(rows, VALUES, scope="meeting", name="all", seed=trial).interval
        covered += low <= truth <= high
    assert 0.88 <= covered / 200 <= 0.99


def test_pools_do_not_depend_on_chance_unless_asked():
    rows = [estimate(i, [0.1 * (i % 10), 1 - 0.1 * (i % 10), 0, 0]) for i in range(30)]
    assert pool(rows, VALUES, scope="a", name="b") == pool(rows, VALUES, scope="a", name="b")


@given(st.floats(1, 20_000), st.floats(5, 600))
def test_windows_tile_the_recording(duration, seconds):
    spans = window_spans(duration, seconds)
    assert spans[0][0] == 0
    assert spans[-1][1] == duration
    assert all(a[1] == b[0] for a, b in pairwise(spans))
    assert all(end - start <= 1.5 * seconds + 1e-6 for start, end in spans)
