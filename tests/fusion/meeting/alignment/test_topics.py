"""Topics by change of content: borders where the subject changes, spans that tile the meeting, titles of its words."""

from __future__ import annotations

import pytest

from extractors.errors import InputError
from extractors.text import SentenceTransformerExtractor
from fusion.meeting.alignment import align, coverage, topics_by_change
from fusion.meeting.minutes import annotate_markdown
from fusion.meeting.transcript import Transcript, Utterance

PETS = "the cat sleeps on the sofa and the dog barks at the postman while the hamster runs in its wheel"
BREAD = "knead the dough with flour and yeast then bake the loaf in a hot oven until the crust is brown"
CARS = "the engine needs new oil and the brakes squeal so the mechanic changes the tyres in the garage"


def _meeting(*subjects: str, each: int = 20) -> Transcript:
    texts = [subject for subject in subjects for _ in range(each)]
    said = tuple(Utterance(str(n), n * 10.0, n * 10.0 + 9, text, "Ann") for n, text in enumerate(texts))
    return Transcript(said, "csv", has_speakers=True)


@pytest.mark.parametrize("encoded", [True, False])
def test_borders_lie_where_the_subject_changes(minilm: SentenceTransformerExtractor, encoded: bool) -> None:
    transcript = _meeting(PETS, BREAD, CARS)
    minutes = topics_by_change(transcript, minilm if encoded else None)
    starts = [item.citations[0].start_s for item in minutes.items]
    assert len(starts) == 3
    assert starts[0] == 0.0
    assert starts[1] == pytest.approx(200.0, abs=20.0)
    assert starts[2] == pytest.approx(400.0, abs=20.0)
    assert any(
        word in minutes.items[1].text for word in ("dough", "flour", "bake", "loaf", "oven", "yeast", "knead", "crust")
    )
    assert all(item.kind == "topic" for item in minutes.items)


def test_topics_align_by_their_times_also_in_a_shifted_transcript() -> None:
    transcript = _meeting(PETS, BREAD)
    transcript = Transcript(transcript.utterances, "csv", offset_s=50.0)
    minutes = topics_by_change(transcript)
    aligned = align(minutes, transcript, encoder=None)
    assert [one.best.method for one in aligned if one.best] == ["time"] * len(minutes.items)
    assert {name for one in aligned if one.best for name in one.best.utterance_ids} == {
        said.id for said in transcript.utterances
    }
    assert coverage(aligned).warning is None
    assert "⟦calm⟧" in annotate_markdown(minutes, {"item-1": "calm"})


def test_a_short_meeting_is_one_topic_and_an_empty_one_an_error() -> None:
    assert len(topics_by_change(_meeting(PETS, each=2)).items) == 1
    with pytest.raises(InputError, match="no words"):
        topics_by_change(Transcript((), "csv"))


def test_names_of_speakers_are_in_no_title() -> None:
    said = tuple(Utterance(str(n), n * 10.0, n * 10.0 + 9, f"Ann said {PETS}", "Ann") for n in range(5))
    [item] = topics_by_change(Transcript(said, "csv")).items
    assert "ann" not in item.text.casefold().split()
