"""Safe by default; each widening is said out loud, and some purposes refuse it."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from extractors.errors import InputError
from fusion.meeting.manners import Manners, Purpose, anonymised, letters, mentioned, numbered, purpose_of
from fusion.meeting.transcript import Transcript, Utterance

PURPOSES = sorted((Path(str(files("fusion"))).parent / "conf" / "purpose").glob("*.yaml"))
CALLS = Purpose("customer_calls", "calls", "acknowledged", "note")


@pytest.mark.parametrize("path", PURPOSES, ids=lambda path: path.stem)
def test_every_purpose_is_one_and_goes_by_its_file_name(path):
    purpose = purpose_of(OmegaConf.load(path))
    assert purpose.name == path.stem
    Manners(purpose)  # the defaults are fit for all


def test_there_are_purposes_that_refuse_voices():
    refusing = [p.stem for p in PURPOSES if purpose_of(OmegaConf.load(p)).voice == "refused"]
    assert {"team_meetings", "education"} <= set(refusing)


@pytest.mark.parametrize(
    "asked", [{"modality": "speech"}, {"modality": "both"}, {"per_person": True}, {"anonymise": False}]
)
def test_each_widening_is_acknowledged(asked):
    with pytest.raises(InputError, match=next(iter(asked))) as refused:
        Manners(CALLS, **asked)
    assert "acknowledge_restrictions=true" in str(refused.value)
    Manners(CALLS, acknowledged=True, **asked)


def test_acknowledging_does_not_help_where_the_purpose_refuses():
    work = Purpose("team_meetings", "work", "refused", "Art. 5(1)(f)")
    with pytest.raises(InputError, match="voices are refused") as refused:
        Manners(work, modality="speech", acknowledged=True)
    assert "acknowledge_restrictions" not in str(refused.value)
    Manners(work, per_person=True, acknowledged=True)  # words of people at work are no biometric data


@pytest.mark.parametrize(
    "asked", [{"acknowledged": "no"}, {"per_person": "no"}, {"anonymise": "nein"}, {"acknowledged": 1}]
)
def test_a_word_is_no_switch(asked):
    """ "no" is true to Python: it would acknowledge, or show single people."""
    with pytest.raises(InputError, match="not like this") as refused:
        Manners(CALLS, **({"per_person": True} | asked))
    assert "expected true or false" in refused.value.problems[0]


@pytest.mark.parametrize("asked", [{"min_utterances": "five"}, {"min_utterances": 2.5}, {"min_speakers": None}])
def test_a_count_is_a_whole_number(asked):
    with pytest.raises(InputError) as refused:
        Manners(CALLS, **asked)
    assert "expected a whole number" in refused.value.problems[0]


def test_smaller_cells_are_a_widening_like_any_other():
    with pytest.raises(InputError) as refused:
        Manners(CALLS, min_utterances=1, min_speakers=1)
    assert len(refused.value.problems) == 2
    Manners(CALLS, min_utterances=1, acknowledged=True)
    with pytest.raises(InputError, match="not like this"):
        Manners(CALLS, min_speakers=1, acknowledged=True)  # one person: that has a name, per_person
    Manners(CALLS, min_speakers=1, per_person=True, acknowledged=True)


@pytest.mark.parametrize("name", ["team_meetings", "education"])
def test_a_purpose_that_refuses_voices_cannot_be_talked_round(name):
    with pytest.raises(InputError) as refused:
        purpose_of({"name": name, "about": "x", "voice": "acknowledged", "note": "x"})
    assert "refused for" in refused.value.problems[0]
    assert purpose_of({"name": "my_study", "about": "x", "voice": "acknowledged", "note": "x"}).name == "my_study"


def test_ids_that_hold_letters_become_numbers():
    said = tuple(Utterance(f"anna-{i}", i, i + 1, "hello", "Anna") for i in range(3))
    assert [u.id for u in numbered(Transcript(said, "kaldi")).utterances] == ["1", "2", "3"]
    plain = Transcript((Utterance("7.2", 0, 1, "hello", "Anna"),), "webvtt")
    assert numbered(plain) is plain


def test_all_that_is_wrong_is_said_together():
    with pytest.raises(InputError) as refused:
        Manners(CALLS, modality="both", per_person=True, anonymise=False, min_utterances=0)
    assert len(refused.value.problems) == 4


def test_a_purpose_with_a_misspelt_key_is_refused():
    with pytest.raises(InputError) as refused:
        purpose_of({"name": "x", "about": "y", "voices": "refused"})
    assert len(refused.value.problems) >= 3


def test_a_hundred_speakers_get_a_hundred_names():
    assert len({letters(number) for number in range(1000)}) == 1000
    said = tuple(Utterance(str(i), i, i + 1, "hello", f"Person {i}") for i in range(100))
    renamed, names = anonymised(Transcript(said, "srt"))
    assert len(names) == 100
    assert not any("Person" in (u.speaker or "") for u in renamed.utterances)


def test_names_that_anonymising_leaves_are_found():
    assert mentioned(["Anna", "Bert"], "then ANNA said") == ["Anna"]
    assert mentioned(["Anna Schmidt (Sales)", "Al"], "Anna also spoke") == ["Anna Schmidt (Sales)"]
