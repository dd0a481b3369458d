"""Safe by default; each widening is said out loud, and some purposes refuse it."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from extractors.errors import InputError
from fusion.meeting.manners import Manners, Purpose, anonymised, letters, mentioned, purpose_of
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
