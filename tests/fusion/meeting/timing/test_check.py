"""Times against the recording: units, ends, overlap; an error with a hint, never a silent shift."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from extractors.errors import InputError
from fusion.meeting.timing import check_times, overlap_shares
from fusion.meeting.transcript import Utterance
from fusion.meeting.transcripts import read_transcript

from .conftest import transcript

CALL = [(n * 3.0, n * 3.0 + 2.5, "AB"[n % 2], "this is what was said here") for n in range(100)]  # five minutes


def test_a_fitting_transcript_keeps_its_times() -> None:
    said = transcript(*CALL)
    assert check_times(said, 300.0) == said
    assert check_times(said, None) == said


@pytest.mark.parametrize("audio", [300.0, 400.0, 3000.0, None])
def test_milliseconds_taken_for_seconds(audio: float | None) -> None:
    said = transcript(*[(start * 1000, end * 1000, who, text) for start, end, who, text in CALL])
    with pytest.raises(InputError, match="milliseconds taken for seconds") as caught:
        check_times(said, audio)
    assert "ms" in (caught.value.hint or "")


@pytest.mark.parametrize("audio", [300.0, None])
def test_seconds_taken_for_milliseconds(audio: float | None) -> None:
    said = transcript(*[(start / 1000, end / 1000, who, text) for start, end, who, text in CALL])
    with pytest.raises(InputError, match="seconds taken for milliseconds"):
        check_times(said, audio)


@pytest.mark.parametrize("audio", [60.0, 250.0, 297.0])
def test_a_transcript_that_ends_after_its_recording(audio: float) -> None:
    said = transcript(*CALL)
    with pytest.raises(InputError, match="ends after its recording") as caught:
        check_times(said, audio)
    assert "another meeting" in (caught.value.hint or "")
    assert "negative offset" in (caught.value.hint or "")
    assert any(f"shifted by {audio - 299.5:.1f} s" in problem for problem in caught.value.problems)


def test_the_last_word_may_be_heard_out() -> None:
    checked = check_times(transcript(*CALL, (299.8, 300.4, "B")), 298.5)
    assert [(u.end_s, u.flags) for u in checked.utterances[-1:]] == [(298.5, ("clipped_end",))]
    assert [(o.place, o.reason) for o in checked.left_out] == [("utterance 101", "begins after the recording's end")]


def test_no_recording_lasts_nothing() -> None:
    for seconds in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(InputError, match="above 0 s"):
            check_times(transcript(*CALL), seconds)


def test_another_length_than_the_file_says_is_noted(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        check_times(replace(transcript(*CALL), duration_s=301.0), 300.0)
        assert not caplog.records
        check_times(replace(transcript(*CALL), duration_s=301.0), 900.0)
    assert "is it the same?" in caplog.text


def test_order_and_overlap() -> None:
    checked = check_times(transcript((5, 9, "A"), (0, 6, "B"), (0.5, 1.0, "B"), (20, 21, "A")), 30.0)
    assert [(u.start_s, "overlap" in u.flags) for u in checked.utterances] == [
        (0, True),
        (0.5, False),
        (5, True),
        (20, False),
    ]


def test_excluded_people_still_sound() -> None:
    said = replace(transcript((0, 4, "A")), excluded_times=((3.0, 5.0),))
    assert "overlap" in check_times(said, 30.0).utterances[0].flags
    assert overlap_shares(said.utterances, said.excluded_times).tolist() == [0.25]


@settings(deadline=None, max_examples=60)
@given(
    st.lists(
        st.tuples(st.integers(0, 60), st.integers(0, 20), st.sampled_from(["A", "B", "C", None])),
        min_size=1,
        max_size=12,
    )
)
def test_overlap_against_counting_moments(turns: list[tuple[int, int, str | None]]) -> None:
    said = [Utterance(str(n), start, start + length, "", who) for n, (start, length, who) in enumerate(turns)]
    moments = np.arange(0, 81) + 0.5  # all times are whole seconds
    for utterance, share in zip(said, overlap_shares(said), strict=True):
        if utterance.seconds == 0:
            continue
        inside = (moments > utterance.start_s) & (moments < utterance.end_s)
        over = np.zeros_like(inside)
        for other in said:
            if other is not utterance and (other.speaker != utterance.speaker or other.speaker is None):
                over |= (moments > other.start_s) & (moments < other.end_s)
        assert share == pytest.approx((inside & over).sum() / inside.sum())


def test_hundreds_of_speakers_take_no_time() -> None:
    said = [Utterance(str(n), float(n % 50), 100.0, "", f"P{n}") for n in range(5000)]
    assert (overlap_shares(said) == 1).all()


def test_ami_overlap_is_what_was_measured(shared_data: Path) -> None:
    said = read_transcript(shared_data / "meeting/ami_ES2011a/ES2011a_teams_style.vtt").utterances
    seconds = np.array([u.seconds for u in said])
    short = seconds < 1
    assert short.mean() == pytest.approx(0.32, abs=0.01)
    assert seconds[short].sum() / seconds.sum() == pytest.approx(0.07, abs=0.01)
    checked = check_times(read_transcript(shared_data / "meeting/ami_ES2011a/ES2011a_teams_style.vtt"), 1200.0)
    assert sum("overlap" in u.flags for u in checked.utterances) > 100
    times = np.arange(0, max(u.end_s for u in said), 0.01)
    running = sum(((times >= u.start_s) & (times < u.end_s)).astype(int) for u in said)
    assert (running > 1).sum() / (running > 0).sum() == pytest.approx(0.14, abs=0.02)


def test_without_words_the_length_alone_tells() -> None:
    with pytest.raises(InputError, match="milliseconds taken for seconds"):
        check_times(transcript(*[(start * 1000, end * 1000, who, "") for start, end, who, _ in CALL]), 310.0)


def test_a_transcript_of_another_recording(shared_data: Path) -> None:
    said = read_transcript(shared_data / "meeting/ami_ES2011a/ES2011a_teams_style.vtt")
    with pytest.raises(InputError, match="ends after its recording"):
        check_times(said, 30.0)
