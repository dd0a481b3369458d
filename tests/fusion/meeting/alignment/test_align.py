"""Alignment: the order of evidence, abstention, sections, and minutes of another meeting."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.meeting_foreign import FAR, NEAR
from benchmarks.meeting_gold import Sentence
from extractors.text import SentenceTransformerExtractor
from fusion.meeting.alignment import align, coverage
from fusion.meeting.alignment.align import SAID
from fusion.meeting.minutes import parse_minutes, read_minutes
from fusion.meeting.transcript import Transcript, Utterance
from fusion.meeting.transcripts import read_transcript

Meeting = tuple[Transcript, list[Sentence]]
LEAST = 0.80  # of the sentences; what the packaged MiniLM must reach


@pytest.mark.slow
def test_sentences_of_the_summaries_find_their_spans(es2011a: Meeting, minilm: SentenceTransformerExtractor) -> None:
    transcript, sentences = es2011a
    minutes = parse_minutes("".join(f"- {one.text}\n" for one in sentences))
    aligned = align(minutes, transcript, encoder=minilm)

    assert len(aligned) == len(sentences) == 21
    right = [
        one.best is not None and gold.holds(one.best.start_s, one.best.end_s)
        for one, gold in zip(aligned, sentences, strict=True)
    ]
    assert sum(right) / len(right) >= LEAST
    ids = {said.id for said in transcript.utterances}
    for one in aligned:
        assert len(one.evidence) <= 3
        assert all(set(found.utterance_ids) <= ids and found.method == "retrieval" for found in one.evidence)
    assert coverage(aligned).warning is None


@pytest.mark.slow
@pytest.mark.parametrize("encoded", [True, False])
def test_minutes_of_another_meeting_mostly_find_nothing_and_that_is_said(
    es2011a: Meeting, minilm: SentenceTransformerExtractor, encoded: bool
) -> None:
    minutes = parse_minutes("## Notes\n" + "".join(f"- {sentence}\n" for sentence in FAR))
    aligned = align(minutes, es2011a[0], encoder=minilm if encoded else None)
    assert sum(not one.evidence for one in aligned) >= 0.8 * len(FAR)
    assert all(bool(one.abstained) == (not one.evidence) for one in aligned)
    assert "another meeting" in str(coverage(aligned).warning)


def test_evidence_comes_in_order_citation_retrieval_section_nothing(
    es2011a: Meeting, minilm: SentenceTransformerExtractor
) -> None:
    text = (
        "## Money\n- we talked about it (8:40)\n- the profit aim is fifty million Euros\n- selling price of 25 Euros\n"
        "- Ann waters the plants\n\n## Animals (3:00 - 8:00)\n- Kubernetes was upgraded\n\n"
        "## Other\n- The landlord fixed the heating\n"
        "\n## Attendees\n- Project Manager\n"
    )
    aligned = align(parse_minutes(text), es2011a[0], encoder=minilm)
    assert [one.best.method if one.best else None for one in aligned] == [
        "time",
        "retrieval",
        "retrieval",
        "section",
        "section",
        None,
        None,
    ]
    assert aligned[3].best is not None
    assert aligned[3].best.score == 0.75
    assert "nothing in the transcript is like it" in aligned[3].notes[0]
    assert aligned[4].best is not None
    assert (aligned[4].best.start_s, aligned[4].best.end_s) == (180.0, 480.0)
    assert "people" in str(aligned[6].abstained)
    found = coverage(aligned)
    assert (found.items, found.found, found.methods) == (6, 5, {"time": 1, "retrieval": 2, "section": 2})


def test_stretches_of_an_item_share_no_words(es2011a: Meeting) -> None:
    minutes = parse_minutes("- the remote control should not have too many buttons\n")
    [one] = align(minutes, es2011a[0], encoder=None)
    ids = [name for found in one.evidence for name in found.utterance_ids]
    assert len(one.evidence) >= 2
    assert len(ids) == len(set(ids))


def test_an_answer_does_not_depend_on_the_other_items(es2011a: Meeting, minilm: SentenceTransformerExtractor) -> None:
    transcript, sentences = replace(es2011a[0], utterances=es2011a[0].utterances[:60]), es2011a[1]
    both = align(parse_minutes(f"- {sentences[9].text}\n- {sentences[0].text}\n"), transcript, encoder=minilm)
    [alone] = align(parse_minutes(f"- {sentences[0].text}\n"), transcript, encoder=minilm)
    assert alone.best is not None
    assert both[1].best is not None
    assert alone.best.utterance_ids == both[1].best.utterance_ids
    assert alone.best.score == pytest.approx(both[1].best.score, abs=1e-3)


def test_cited_times_follow_the_transcripts_shift() -> None:
    said = tuple(Utterance(str(n), 100.0 + 10 * n, 108.0 + 10 * n, "some words") for n in range(5))
    shifted = Transcript(said, "webvtt", offset_s=100.0)
    minutes = parse_minutes("- a point (0:20-0:25)\n")
    assert [found.utterance_ids for found in align(minutes, shifted, encoder=None)[0].evidence] == [("2",)]
    [lost] = align(minutes, shifted, encoder=None, citation_offset_s=0.0)
    assert lost.best is None or lost.best.method != "time"


@pytest.mark.parametrize("texts", [(), ("",), ("…", "?!")])
def test_a_transcript_without_words_abstains_on_everything(texts: tuple[str, ...]) -> None:
    transcript = Transcript(tuple(Utterance(str(n), n, n + 1.0, text) for n, text in enumerate(texts)), "csv")
    [one] = align(parse_minutes("- prices go up\n"), transcript, encoder=None)
    assert one.evidence == ()
    assert "transcript" in str(one.abstained)


def test_one_utterance_is_enough(minilm: SentenceTransformerExtractor) -> None:
    transcript = Transcript((Utterance("1", 0.0, 3.0, "The budget is too high for us", "Ann"),), "csv")
    near, far = align(parse_minutes("- Ann finds the budget too high\n- The cat sleeps\n"), transcript, encoder=minilm)
    assert near.best is not None
    assert near.best.utterance_ids == ("1",)
    assert far.evidence == ()


def test_minutes_that_cite_beyond_the_recording_are_warned_of() -> None:
    transcript = Transcript((Utterance("1", 0.0, 3.0, "The budget is too high for us", "Ann"),), "csv")
    aligned = align(parse_minutes("- The budget is too high (1:02:03)\n"), transcript, encoder=None)
    assert aligned[0].best is not None
    assert aligned[0].best.method == "retrieval"
    assert "outside the recording" in aligned[0].notes[0]
    assert "outside the recording" in str(coverage(aligned).warning)
    again = [replace(aligned[0], notes=())]
    assert coverage(again).warning is None


def test_a_section_that_spans_the_meeting_is_no_evidence_for_what_was_not_said() -> None:
    texts = ("the remote control sells for twenty five euros", "it needs fewer buttons", "we draw a first version")
    said = tuple(Utterance(str(n), 6.0 * n, 6.0 * n + 6, text, "Ann") for n, text in enumerate(texts))
    minutes = parse_minutes("# Kick-off\n- Price (0:00-0:05)\n- Drawing (0:13-0:18)\n- Servers move to Oslo\n")
    aligned = align(minutes, Transcript(said, "csv"), encoder=None)
    assert [bool(one.evidence) for one in aligned] == [True, True, False]


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("Ben was robbed on the street at night", "I was robbed on the street at night."),
        ("Nothing works in this place, Ben finds", "Nothing ever works in this place."),
    ],
)
def test_what_one_utterance_nearly_says_is_found_among_many_others(
    minilm: SentenceTransformerExtractor, statement: str, said: str
) -> None:
    sample = Path(__file__).parents[4] / "samples" / "meeting"
    transcript = read_transcript(sample / "call.vtt")
    minutes = read_minutes(sample / "minutes.md")
    one = next(one for one in align(minutes, transcript, encoder=minilm) if one.item.text == statement)
    assert one.best is not None
    assert one.best.method == "retrieval"
    assert one.best.score >= 0.6
    texts = {u.id: u.text for u in transcript.utterances}
    for found in one.evidence:  # wherever else it is found, it is said there as well
        assert said in {texts[name] for name in found.utterance_ids}
    [server] = [one for one in align(minutes, transcript, encoder=minilm) if "server" in one.item.text]
    assert server.best is None or server.best.method == "section"


@pytest.mark.slow
def test_what_single_utterances_are_like_lets_no_foreign_sentence_in(
    es2011a: Meeting, minilm: SentenceTransformerExtractor
) -> None:
    minutes = parse_minutes("".join(f"- {sentence}\n" for sentence in (*FAR, *NEAR)))
    whole, alone = (align(minutes, es2011a[0], encoder=minilm, min_said=least) for least in (2.0, SAID))
    assert [one.evidence for one in alone] == [one.evidence for one in whole]
