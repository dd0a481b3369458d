"""Who spoke how long: against counting seconds by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fusion.meeting.conversation import converse, turns_of
from fusion.meeting.transcript import Utterance

spoken = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 20), st.sampled_from("abc")), max_size=12)


def said(drawn) -> list[Utterance]:
    return [Utterance(str(i), start, start + length, "", who) for i, (start, length, who) in enumerate(sorted(drawn))]


def test_while_somebody_speaks_who_was_left_out_there_is_no_silence():
    assert converse(said([(0, 10, "a"), (30, 10, "a")]), 40.0).silence_s == 20
    assert converse(said([(0, 10, "a"), (30, 10, "a")]), 40.0, others=[(10.0, 25.0)]).silence_s == 5


@given(spoken)
def test_seconds_are_what_counting_them_gives(drawn):
    utterances = said(drawn)
    found = converse(utterances, 90.0)
    heard = [{u.speaker for u in utterances if u.start_s <= second < u.end_s} for second in range(90)]
    assert found.speech_s == sum(bool(who) for who in heard)
    assert found.overlap_s == sum(len(who) > 1 for who in heard)
    for part in found.speakers:
        assert part.seconds == sum(part.speaker in who for who in heard)
    assert sum(part.share for part in found.speakers) == pytest.approx(1.0 if found.speech_s else 0.0)
    silent = "".join("x" if who else "." for who in heard).split("x")
    assert found.silence_s == sum(len(pause) for pause in silent if len(pause) >= 2)


def test_a_turn_ends_where_somebody_else_begins():
    turns = turns_of(said([(0, 4, "a"), (4, 2, "a"), (9, 2, "a"), (12, 1, "b"), (13, 2, "a")]))
    assert [(turn.speaker, turn.start_s, turn.end_s) for turn in turns] == [
        ("a", 0, 6), ("a", 9, 11), ("b", 12, 13), ("a", 13, 15),
    ]  # fmt: skip


def test_to_interrupt_is_to_start_early_and_outlast():
    outlasts = converse(said([(0, 5, "a"), (4, 6, "b")]), 20.0)
    inside = converse(said([(0, 5, "a"), (2, 1, "b")]), 20.0)
    assert (outlasts.interruptions, inside.interruptions) == (1, 0)
    assert [part.interruptions for part in outlasts.speakers] == [0, 1]


def test_a_cue_without_length_breaks_no_silence():
    assert converse(said([(1, 0, "a")]), 90.0).silence_s == 90.0


def test_nobody_speaks():
    found = converse([], 30.0)
    assert (found.speech_s, found.silence_s, found.turns, found.speakers) == (0.0, 30.0, 0, ())
