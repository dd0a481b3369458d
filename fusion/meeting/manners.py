"""Law and manners: what may be estimated of whom, and what may be shown. Safe by default, each widening explicit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

from extractors.errors import InputError
from fusion.meeting.transcript import Transcript

Modality = Literal["text", "speech", "both"]
MODALITIES: tuple[Modality, ...] = get_args(Modality)

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
    min_utterances  : fewer carry no estimate
    min_speakers    : of a pool that is no single person's; fewer people could be told apart

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
    min_utterances: int = 5
    min_speakers: int = 2

    def __post_init__(self) -> None:
        if self.modality not in MODALITIES:
            raise InputError(f"modality: expected {', '.join(MODALITIES)}, got {self.modality!r}")
        problems = []
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
        if problems:
            hint = "Stay with modality=text per_person=false anonymise=true, which is the default."
            if self.purpose.voice != "refused" or not self.hears:
                hint = "Read RESPONSIBLE_USE.md; if it is lawful and agreed to, say acknowledge_restrictions=true."
            raise InputError(f"purpose {self.purpose.name}: not like this", problems, hint=hint)

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
    if problems:
        raise InputError("purpose: not as expected", problems, hint="See conf/purpose/ for examples.")
    return Purpose(**{key: str(config[key]) for key in wanted})  # type: ignore[arg-type]  # just looked at


def named_purpose(name: str) -> Purpose:
    """A purpose by its name in conf/purpose.

    >>> named_purpose("team_meetings").voice
    'refused'
    """
    from fusion.cli import conf_folder
    from fusion.valence import read_yaml

    there = {path.stem: path for path in (conf_folder() / "purpose").glob("*.yaml")}
    if name not in there:
        raise InputError(f"purpose: there is no {name!r}", hint=f"There is {', '.join(sorted(there))}.")
    return purpose_of(read_yaml(there[name]))


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
    """Which of the speakers' names stand in a text: what anonymising could not take away."""
    folded = text.casefold()
    return [name for name in names if name.casefold() in folded]
