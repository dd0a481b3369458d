"""Law and manners: what may be estimated of whom, and what may be shown. Safe by default, each widening explicit."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, get_args

from extractors.errors import InputError
from fusion.meeting.transcript import Transcript
from fusion.meeting.transcripts.names import LABEL

Modality = Literal["text", "speech", "both"]
MODALITIES: tuple[Modality, ...] = get_args(Modality)
SMALL_CELL, SEVERAL = 5, 2  # utterances, and people: below that, a pool tells of single ones

BANNER = (
    "Automated estimate of expressed emotion, often wrong. Not for employment, education, legal or medical decisions."
)
AT_WORK = (
    "In the EU, inferring emotions of people at work or in education from their voice is prohibited except for medical or "
    "safety reasons (AI Act, Art. 5(1)(f)). Pooling over people does not make it lawful."
)


@dataclass(frozen=True, slots=True)
class Purpose:
    """What a meeting is enriched for: conf/purpose/NAME.yaml.

    voice : "acknowledged": with `acknowledge_restrictions`; "refused": never for this purpose
    note  : what whoever runs it must know, shown in every output
    """

    name: str
    about: str
    voice: Literal["acknowledged", "refused"]
    note: str


@dataclass(frozen=True, slots=True)
class Manners:
    """What was asked for, checked.

    modality        : "text", the default, looks at words only; "speech" and "both" also at voices
    per_person      : show estimates of single people and single utterances; else only of several people together
    anonymise       : speakers are "Speaker A", "Speaker B", … in all that is written
    acknowledged    : the person who runs it has read RESPONSIBLE_USE.md and said so
    min_utterances  : fewer carry no estimate; below 5 it is a widening as well
    min_speakers    : of a pool that is no single person's; fewer people could be told apart. One would be `per_person`

    Raises InputError, with all that is wrong, where a widening was not acknowledged or the purpose refuses it.

    >>> work = Purpose("team_meetings", "meetings of people at work", "refused", "…")
    >>> Manners(work).modality
    'text'
    >>> Manners(work, modality="speech", acknowledged=True)
    Traceback (most recent call last):
    extractors.errors.InputError: purpose team_meetings: not like this...
    """

    purpose: Purpose
    modality: Modality = "text"
    per_person: bool = False
    anonymise: bool = True
    acknowledged: bool = False
    min_utterances: int = SMALL_CELL
    min_speakers: int = SEVERAL

    def __post_init__(self) -> None:
        if self.modality not in MODALITIES:
            raise InputError(f"modality: expected {', '.join(MODALITIES)}, got {self.modality!r}")
        problems = self._of_another_kind()
        if problems:  # a word such as "no" is true to Python, and must not switch on what it was to switch off
            raise InputError(f"purpose {self.purpose.name}: not like this", problems)
        if self.hears and self.purpose.voice == "refused":
            problems.append(f"modality={self.modality}: voices are refused for this purpose. {self.purpose.note}")
        elif self.hears and not self.acknowledged:
            problems.append(f"modality={self.modality} estimates emotion from voices, which is biometric. {AT_WORK}")
        if self.per_person and not self.acknowledged:
            problems.append("per_person=true shows estimates of single people")
        if not self.anonymise and not self.acknowledged:
            problems.append("anonymise=false writes people's names beside estimates")
        if self.min_utterances < 1 or self.min_speakers < 1:
            problems.append(
                f"min_utterances and min_speakers count from 1, got {self.min_utterances}, {self.min_speakers}"
            )
        elif self.min_utterances < SMALL_CELL and not self.acknowledged:
            problems.append(f"min_utterances={self.min_utterances} shows cells of fewer than {SMALL_CELL} utterances")
        if self.min_speakers == 1 and not self.per_person:
            problems.append("min_speakers=1 shows pools of one person: that is per_person=true")
        if problems:
            hint = "Stay with modality=text per_person=false anonymise=true, which is the default."
            if self.purpose.voice != "refused" or not self.hears:
                hint = "Read RESPONSIBLE_USE.md; if it is lawful and agreed to, say acknowledge_restrictions=true."
            raise InputError(f"purpose {self.purpose.name}: not like this", problems, hint=hint)

    def _of_another_kind(self) -> list[str]:
        switches = {
            "per_person": self.per_person,
            "anonymise": self.anonymise,
            "acknowledge_restrictions": self.acknowledged,
        }
        counts = {"min_utterances": self.min_utterances, "min_speakers": self.min_speakers}
        wrong = [
            f"{name}: expected true or false, got {value!r}"
            for name, value in switches.items()
            if not isinstance(value, bool)
        ]
        return wrong + [
            f"{name}: expected a whole number, got {value!r}"
            for name, value in counts.items()
            if not isinstance(value, int) or isinstance(value, bool)
        ]

    @property
    def hears(self) -> bool:
        """Whether voices are looked at."""
        return self.modality != "text"


def purpose_of(config: Mapping[str, object]) -> Purpose:
    """A purpose from its configuration. InputError for what is missing or is none of its keys."""
    wanted = ("name", "about", "voice", "note")
    problems = [f"{key}: expected some words, got {config.get(key)!r}" for key in wanted if not config.get(key)]
    problems += [f"{key}: no such key" for key in config if key not in wanted]
    if config.get("voice") not in ("acknowledged", "refused"):
        problems.append(f"voice: expected acknowledged or refused, got {config.get('voice')!r}")
    elif config["voice"] != "refused" and _refuses(str(config.get("name"))):
        problems.append(f"voice: it is refused for {config['name']}, whatever is set; another purpose has another name")
    if problems:
        raise InputError("purpose: not as expected", problems, hint="See conf/purpose/ for examples.")
    return Purpose(**{key: str(config[key]) for key in wanted})  # type: ignore[arg-type]  # just looked at


def named_purpose(name: str) -> Purpose:
    """A purpose by its name in conf/purpose.

    >>> named_purpose("team_meetings").voice
    'refused'
    """
    from fusion.valence import read_yaml

    there = _packaged()
    if name not in there:
        raise InputError(f"purpose: there is no {name!r}", hint=f"There is {', '.join(sorted(there))}.")
    return purpose_of(read_yaml(there[name]))


def purposes() -> list[Purpose]:
    """Those of conf/purpose, by name.

    >>> [purpose.name for purpose in purposes()][:2]
    ['customer_calls', 'education']
    """
    return [named_purpose(name) for name in sorted(_packaged())]


def _packaged() -> dict[str, Path]:
    from fusion.configuration import conf_folder

    return {path.stem: path for path in (conf_folder() / "purpose").glob("*.yaml")}


def _refuses(name: str) -> bool:
    """Whether Emofuse's own purpose of that name refuses voices."""
    from fusion.valence import read_yaml

    path = _packaged().get(name)
    return path is not None and read_yaml(path).get("voice") == "refused"


def anonymised(transcript: Transcript) -> tuple[Transcript, dict[str, str]]:
    """Speakers by letters, in the order in which they first speak; and what each was called. Names within texts stay.

    >>> from fusion.meeting.transcript import Utterance
    >>> said = (Utterance("1", 0, 1, "hi", "Zoe"), Utterance("2", 1, 2, "hi", "Adam"))
    >>> transcript, names = anonymised(Transcript(said, "srt"))
    >>> [u.speaker for u in transcript.utterances], names
    (['Speaker A', 'Speaker B'], {'Zoe': 'Speaker A', 'Adam': 'Speaker B'})
    """
    found = dict.fromkeys(u.speaker for u in transcript.utterances if u.speaker is not None)
    names = {name: f"Speaker {letters(number)}" for number, name in enumerate(found)}
    renamed = tuple(u if u.speaker is None else replace(u, speaker=names[u.speaker]) for u in transcript.utterances)
    return replace(transcript, utterances=renamed), names


def numbered(transcript: Transcript) -> Transcript:
    """Utterances by number, where ids of the file hold letters: those of Kaldi, and of many a CSV, begin with who speaks.

    >>> from fusion.meeting.transcript import Utterance
    >>> [u.id for u in numbered(Transcript((Utterance("ann-07", 0, 1, "hi", "ann"),), "kaldi")).utterances]
    ['1']
    """
    if not any(letter.isalpha() for said in transcript.utterances for letter in said.id):
        return transcript
    said = tuple(replace(u, id=str(number)) for number, u in enumerate(transcript.utterances, start=1))
    return replace(transcript, utterances=said)


def letters(number: int) -> str:
    """0 -> A, 25 -> Z, 26 -> AA.

    >>> letters(0), letters(25), letters(26), letters(701), letters(702)
    ('A', 'Z', 'AA', 'ZZ', 'AAA')
    """
    text = ""
    number += 1
    while number:
        number, rest = divmod(number - 1, 26)
        text = chr(ord("A") + rest) + text
    return text


def mentioned(names: Sequence[str], text: str) -> list[str]:
    """Which of the speakers' names stand in a text, whole or in part: what anonymising could not take away.

    >>> mentioned(["Anna Lee", "Al", "Speaker 1", "王芳"], "Also ask anna, says the speaker; 王芳也在")
    ['Anna Lee', '王芳']
    """
    folded = text.casefold()
    words = set(re.findall(r"\w+", folded))

    def stands(name: str) -> bool:
        if LABEL.fullmatch(name):
            return False
        parts = re.findall(r"\w+", name.casefold())
        if not name.isascii() and name.casefold() in folded:  # scripts without spaces have no words to look among
            return True
        return " ".join(parts) in words or any(part in words for part in parts if len(part) > 2)

    return [name for name in names if stands(name)]
