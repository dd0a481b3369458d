"""Spans for inference: cut at pauses, joined where short, every utterance covered once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from extractors.errors import InputError
from fusion.meeting.timing import inference_spans, per_utterance
from fusion.meeting.transcript import Transcript
from fusion.meeting.transcripts import read_transcript

from .conftest import transcript, words

RATE = 16_000


def covered(said: Transcript, **options: float) -> None:
    """What every list of spans promises."""
    spans = inference_spans(said, **options)
    longest = options.get("longest_s", 30.0)
    shares = np.zeros(len(said.utterances))
    for span in spans:
        assert 0.1 <= span.seconds <= longest + 1e-6
        assert sum(part.weight for part in span.parts) == pytest.approx(1)
        for part in span.parts:
            shares[part.index] += part.share
            utterance = said.utterances[part.index]
            assert (part.id, span.speaker) == (utterance.id, utterance.speaker)
            assert span.start_s < utterance.end_s + 1e-9 or utterance.seconds == 0
    assert [(s.start_s, s.end_s) for s in spans] == sorted((s.start_s, s.end_s) for s in spans)
    assert all(
        share == pytest.approx(1) or (share == 0 and u.seconds < 0.1)
        for share, u in zip(shares, said.utterances, strict=True)
    )
    in_spans = sorted(" ".join(span.text for span in spans).split())
    assert in_spans == sorted(
        " ".join(u.text for u, share in zip(said.utterances, shares, strict=True) if share).split()
    )


@settings(deadline=None, max_examples=60)
@given(
    st.lists(
        st.tuples(
            st.floats(0, 200).map(lambda x: round(x, 2)), st.sampled_from([0.0, 0.05, 0.4, 0.9, 2.0, 31.0, 95.5]),
            st.sampled_from(["A", "B", None]), st.sampled_from(["", "one", "one two three four five", "a" * 100]),
        ),
        min_size=1, max_size=14,
    ),
    st.sampled_from([5.0, 30.0]),
)  # fmt: skip
def test_every_utterance_is_covered_once(turns: list[tuple[float, float, str | None, str]], longest: float) -> None:
    turns = sorted(turns, key=lambda turn: turn[0])
    covered(
        transcript(*[(start, round(start + length, 2), who, text) for start, length, who, text in turns]),
        longest_s=longest,
    )


def ids(said: Transcript, **options: float) -> list[list[str]]:
    return [[part.id for part in span.parts] for span in inference_spans(said, **options)]


def test_short_neighbours_are_joined() -> None:
    assert ids(transcript((0, 0.5, "A"), (1, 4, "A"), (4.2, 4.6, "A"))) == [["1", "2", "3"]]
    assert ids(transcript((0, 0.5, "A"), (1.6, 4, "A"))) == [["1"], ["2"]]  # more than a second between
    assert ids(transcript((0, 2, "A"), (2.1, 4, "A"))) == [["1"], ["2"]]  # neither is short
    assert ids(transcript((0, 0.5, None), (0.6, 0.9, None))) == [["1"], ["2"]]  # perhaps two people
    assert ids(transcript((0, 29.8, "A"), (29.9, 30.4, "A"))) == [["1"], ["2"]]  # too long together


def test_nobody_else_may_speak_in_between() -> None:
    assert ids(transcript((0, 0.5, "A"), (0.6, 0.9, "B"), (1.0, 3.0, "A"))) == [["1"], ["2"], ["3"]]
    said = replace(transcript((0, 0.5, "A"), (1.0, 3.0, "A")), excluded_times=((0.6, 0.9),))
    assert ids(said) == [["1"], ["2"]]  # somebody left out would be heard
    assert ids(transcript((0, 5, "B"), (1.0, 1.5, "A"), (1.5, 3.0, "A"))) == [["1"], ["2", "3"]]  # no gap to fill


def test_no_length_takes_a_neighbour_or_nothing() -> None:
    assert ids(transcript((1, 1, "A"), (1, 3, "A"))) == [["1", "2"]]
    assert ids(transcript((1, 1, "A"), (9, 12, "A"))) == [["2"]]


def test_cut_between_words() -> None:
    times = [(n * 1.0, n * 1.0 + 0.95) for n in range(24)] + [(n * 1.0 + 0.8, n * 1.0 + 1.75) for n in range(24, 43)]
    text = " ".join(f"w{n}" for n in range(43))
    said = transcript((0.0, 44.0, "A", text))
    said = replace(said, utterances=(replace(said.utterances[0], words=words(text, times)),))
    first, second = inference_spans(said)
    assert first.end_s == pytest.approx((23.95 + 24.8) / 2)  # in the one real pause
    assert first.text.split()[-1] == "w23"
    assert first.parts[0].share + second.parts[0].share == pytest.approx(1)
    assert first.parts[0].share == pytest.approx(first.seconds / 44)


def test_cut_where_it_is_quiet() -> None:
    samples = np.random.default_rng(0).standard_normal(70 * RATE).astype(np.float32)
    samples[int(28.0 * RATE) : int(28.4 * RATE)] *= 0.001
    samples[int(14.0 * RATE) : int(16.0 * RATE)] *= 0.0001  # quieter, but far from the middle
    first, _ = inference_spans(transcript((10.0, 50.0, "A")), samples=samples)
    assert first.end_s == pytest.approx(28.2, abs=0.15)


def test_cut_of_a_very_long_one_gives_the_fewest_pieces() -> None:
    spans = inference_spans(transcript((0.0, 3600.0, None, "word " * 100)))
    assert len(spans) == 120
    assert max(span.seconds for span in spans) <= 30
    assert min(span.seconds for span in spans) > 15
    assert sum(len(span.text.split()) for span in spans) == 100


def test_chinese_has_no_spaces_to_cut_at() -> None:
    spans = inference_spans(transcript((0.0, 40.0, "A", "我们先看一下预算" * 10)))
    assert [len(span.text) for span in spans] == [40, 40]


def test_back_to_utterances() -> None:
    said = transcript((0, 40, "A"), (41, 41.5, "B"), (42, 44, "B"), (50, 50, "C"))
    spans = inference_spans(said)
    values = np.array([[1.0, 0.0], [0.0, 1.0], [0.3, 0.7]])
    assert np.allclose(
        per_utterance(spans, values, 4), [[0.5, 0.5], [0.3, 0.7], [0.3, 0.7], [np.nan] * 2], equal_nan=True
    )
    with pytest.raises(InputError, match="a row of values"):
        per_utterance(spans, values[:2], 4)


def test_lengths_that_make_no_sense() -> None:
    with pytest.raises(InputError, match="longest_s must be above 0"):
        inference_spans(transcript((0, 1, "A")), longest_s=0)


def test_ami(shared_data: Path) -> None:
    said = read_transcript(shared_data / "meeting/ami_ES2011a/ES2011a_teams_style.vtt")
    covered(said)
    spans = inference_spans(said)
    short_before = sum(u.seconds < 1 for u in said.utterances)
    assert sum(span.seconds < 1 for span in spans) < 0.8 * short_before
    assert sum(len(span.parts) for span in spans) == len(said.utterances)  # none is above 30 s
