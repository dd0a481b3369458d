"""Citations: quotes are found though words were mended, times point at speech, and what does not hold is said."""

from __future__ import annotations

import pytest

from fusion.meeting.alignment.cited import Cited
from fusion.meeting.minutes.types import Citation
from fusion.meeting.transcript import Transcript, Utterance

SAID = (
    ("a", 2.0, 11.0, "Okay, we're recording. The main thing today is the Aventra renewal."),
    ("b", 11.0, 20.0, "Where did we land after Thursday's call?"),
    ("c", 20.0, 34.0, "They came back with a counter, about twelve percent below what we quoted."),
    ("d", 40.0, 44.0, "I'll open a ticket and get it done today."),
    ("e", 300.0, 304.0, "I'll open a ticket and get it done today."),
    ("f", 304.0, 310.0, "我们的预算太高了，需要更便宜的方案。"),
)
TRANSCRIPT = Transcript(tuple(Utterance(*said) for said in SAID), "csv", duration_s=320.0)


def _quote(text: str) -> Citation:
    return Citation("quote", text)


def _time(start_s: float, end_s: float | None = None) -> Citation:
    return Citation("time", f"{start_s}", start_s, end_s)


@pytest.mark.parametrize(
    ("quote", "ids"),
    [
        ("twelve percent below what we quoted", ("c",)),
        ("They came back with a counter about 12 percent below what we quoted", ("c",)),
        ("Where did we land after Thursday's call? They came back with a counter", ("b", "c")),
        ("WE’RE RECORDING … the main thing today is the Aventra renewal", ("a",)),
        ("预算太高了,需要更便宜", ("f",)),
        ("nobody ever said anything of this kind here", ()),
        ("a quote that is much longer than the whole transcript " * 20, ()),
    ],
)
def test_quotes(quote: str, ids: tuple[str, ...]) -> None:
    found, notes = Cited(TRANSCRIPT).evidence([_quote(quote)])
    assert tuple(name for one in found for name in one.utterance_ids) == ids
    assert bool(notes) == (not ids)


def test_of_two_equal_places_the_one_near_the_cited_time_is_taken() -> None:
    quote = _quote("I'll open a ticket and get it done today")
    cited = Cited(TRANSCRIPT)
    assert cited.evidence([quote])[0][0].utterance_ids == ("d",)
    [found], notes = cited.evidence([quote, _time(301)])
    assert (found.utterance_ids, found.method, notes) == (("e",), "quote", [])


def test_a_quote_and_a_time_that_disagree_are_both_given_and_said() -> None:
    found, notes = Cited(TRANSCRIPT).evidence([_quote("Where did we land after Thursday's call"), _time(302)])
    assert [one.method for one in found] == ["quote", "time"]
    assert notes == ["the quote was said at 0:11, not at the cited 5:00"]


def test_a_time_stands_for_half_a_minute_and_a_span_for_itself() -> None:
    cited = Cited(TRANSCRIPT)
    assert cited.evidence([_time(11)])[0][0].utterance_ids == ("a", "b", "c", "d")
    assert cited.evidence([_time(12, 19)])[0][0].utterance_ids == ("b",)


def test_times_beyond_the_recording_or_where_nobody_speaks_are_said() -> None:
    found, notes = Cited(TRANSCRIPT).evidence(
        [Citation("time", "1:02:03", 3723.0), Citation("time", "2:30", 150.0, 152.0)]
    )
    assert found == []
    assert notes == ["cites 1:02:03, outside the recording (it ends at 5:20)", "cites 2:30, where nobody speaks"]


def test_a_time_is_shifted_as_the_transcript_was() -> None:
    [found], _ = Cited(TRANSCRIPT, offset_s=289.0).evidence([_time(12, 14)])
    assert found.utterance_ids == ("e",)


def test_a_transcript_without_words_has_no_quotes() -> None:
    found, notes = Cited(Transcript((), "csv")).evidence([_quote("some words that were said")])
    assert found == []
    assert notes
