"""IEMOCAP: `Session1/dialog/EmoEvaluation/Ses01F_impro01.txt`, its transcriptions, and a wav for each utterance."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from extractors.errors import InputError
from fusion.corpora.base import Corpus, Published, Reading, Utterance
from fusion.corpora.files import AUDIO, audio_by_name, files_of, one_line, read_text

EMOTIONS = {
    "ang": "angry",
    "exc": "excited",
    "fru": "frustrated",
    "hap": "happy",
    "neu": "neutral",
    "sad": "sad",
    "dis": "disgusted",
    "fea": "fearful",
    "sur": "surprised",
    "oth": "other",
    "xxx": "no agreement",
}
CLASSES = {  # variant -> code -> class
    "4way": {"ang": "angry", "exc": "happy", "hap": "happy", "neu": "neutral", "sad": "sad"},
    "4way_without_excited": {"ang": "angry", "hap": "happy", "neu": "neutral", "sad": "sad"},
    "6way": {code: EMOTIONS[code] for code in ("ang", "exc", "fru", "hap", "neu", "sad")},
}
COUNTS = {"ang": 1103, "exc": 1041, "fru": 1849, "hap": 595, "neu": 1708, "sad": 1084}
SCENARIOS = ("all", "improvised", "scripted")
SESSIONS = range(1, 6)
# [6.2901 - 8.2357]	Ses01F_impro01_F000	neu	[2.5000, 2.5000, 2.5000]
EVALUATION = re.compile(r"\[[\d.]+\s*-\s*[\d.]+\]\s+(Ses\w+)\s+(\w+)\s+\[([\d.]+),\s*([\d.]+),\s*([\d.]+)\]\s*$")
# Ses01F_impro01_F000 [006.2901-008.2357]: Excuse me.
TRANSCRIPTION = re.compile(r"(Ses\w+)\s+\[[\d.\s-]+\]\s*:\s*(.*)")
TURN = re.compile(r"Ses0?([1-5])[FM]_(impro|script)\w*_([FM])[X\d]+")


def _published(variant: str) -> Published:
    counts: Counter[str] = Counter()
    for code, label in CLASSES[variant].items():
        counts[label] += COUNTS[code]
    return Published({label: (count,) for label, count in counts.items()}, "the final labels of the release")


VARIANTS = {variant: _published(variant) for variant in CLASSES}


class Iemocap(Corpus):
    """The utterances whose annotators agreed, of five sessions with two speakers each.

    `4way` is angry, happy, neutral and sad with excited as happy, 5,531 utterances, as most of the field has it;
    `4way_without_excited` leaves excited out; `6way` adds excited and frustrated, 7,380. No agreement (xxx), other and
    the rare emotions are left out. The 7,433 utterances of the often-used conversation features are counted otherwise.

    Source: Busso et al., "IEMOCAP: Interactive emotional dyadic motion capture database", Language Resources and
    Evaluation 42, 2008; README and Documentation of the release. The letter behind `Ses01` is who wore the markers;
    who speaks is told by the last part, F or M.

    Args:
        variant: which classes.
        scenario: all, or only what was `improvised` or `scripted`.

    >>> Iemocap().published.counts == {"angry": (1103,), "happy": (1636,), "neutral": (1708,), "sad": (1084,)}
    True
    """

    name = "iemocap"
    title = "IEMOCAP"
    citation = "Busso et al., IEMOCAP: Interactive emotional dyadic motion capture database, LREV 42, 2008"
    licence = "research use, on licence from the University of Southern California"
    layout = (
        "Session1/dialog/EmoEvaluation/Ses01F_impro01.txt, Session1/dialog/transcriptions/Ses01F_impro01.txt and "
        "Session1/sentences/wav/Ses01F_impro01/Ses01F_impro01_F000.wav …, to Session5"
    )
    variants = VARIANTS
    extra = ("gender", "scenario", "dialogue", "emotion", "valence", "activation", "dominance")
    notice = "Half of IEMOCAP is played from scripts that all sessions share: there the same words return in training and test."
    train = ("split=leave_one_session_out",)

    def __init__(self, *, variant: str | None = None, scenario: str = "all") -> None:
        super().__init__(variant=variant)
        if scenario not in SCENARIOS:
            raise InputError(f"scenario: expected {', '.join(SCENARIOS)}, got {scenario!r}")
        self.scenario = scenario

    @property
    def published(self) -> Published | None:
        """The variant's counts; there are none for one scenario."""
        return super().published if self.scenario == "all" else None

    def read(self, root: Path) -> Reading:
        """Every utterance of the variant whose wav is there."""
        texts = files_of(root, [".txt"])
        evaluations = [path for path in texts if path.parent.name.lower() == "emoevaluation"]
        # dialog/wav has whole conversations, which would only cost time here
        audio = (path for path in files_of(root, AUDIO) if path.stem.count("_") >= 2 and TURN.fullmatch(path.stem))
        files, problems, notes = audio_by_name(audio, key=lambda path: path.stem)
        words = _transcriptions(path for path in texts if path.parent.name.lower() == "transcriptions")
        reading = Reading(problems=problems, notes=notes)
        aside: Counter[str] = Counter()
        seen: set[str] = set()
        lost: list[str] = []
        for evaluation in evaluations:
            for turn, code, ratings in _evaluated(evaluation, reading.problems):
                match = TURN.fullmatch(turn)
                if match is None or code not in EMOTIONS:
                    what = f"turn {turn!r}" if match is None else f"emotion {code!r} of {turn}"
                    reading.problems.append(f"{evaluation.relative_to(root)}: unknown {what}")
                    continue
                scenario = "improvised" if match[2] == "impro" else "scripted"
                if turn in seen or self.scenario not in ("all", scenario):
                    continue
                seen.add(turn)
                if code not in CLASSES[self.variant]:
                    aside[EMOTIONS[code]] += 1
                elif turn not in files:
                    lost.append(turn)
                else:
                    extra = {"scenario": scenario, "emotion": EMOTIONS[code], **ratings}
                    reading.utterances.append(self._utterance(turn, code, match, files[turn], words.get(turn), extra))
        reading.notes += [
            f"{count:,} utterances left out by {self.variant}: {why}" for why, count in aside.most_common()
        ]
        if lost:
            reading.notes.append(f"{len(lost):,} utterances left out: no wav of them ({', '.join(lost[:3])} …)")
        if evaluations and (absent := [n for n in SESSIONS if not any(f"Ses0{n}" in turn for turn in seen)]):
            reading.notes.append("No utterances of Session " + ", ".join(map(str, absent)))
        if silent := sum(utterance.text is None for utterance in reading.utterances):
            reading.notes.append(f"{silent:,} utterances without words: no line for them in dialog/transcriptions")
        reading.utterances.sort(key=lambda utterance: utterance.id)
        return reading

    def _utterance(
        self, turn: str, code: str, match: re.Match[str], audio: Path, text: str | None, extra: dict[str, str]
    ) -> Utterance:
        return Utterance(
            id=turn,
            label=CLASSES[self.variant][code],
            audio=audio,
            text=text,
            speaker=f"Ses0{match[1]}{match[3]}",
            group=f"Session{match[1]}",
            language="en",
            extra={
                "gender": "female" if match[3] == "F" else "male",
                "dialogue": turn.rpartition("_")[0],
                **extra,
            },
        )


def _evaluated(path: Path, problems: list[str]) -> Iterator[tuple[str, str, dict[str, str]]]:
    """Turn, code of its emotion, and the mean ratings (1 to 5), of each summary line; the others are single annotators'."""
    for number, line in enumerate(read_text(path).splitlines(), 1):
        if match := EVALUATION.match(line.strip()):
            turn, code, *ratings = match.groups()
            yield turn, code.lower(), dict(zip(("valence", "activation", "dominance"), ratings, strict=True))
        elif line.lstrip().startswith("["):
            problems.append(
                f"{path}, line {number}: expected [start - end] turn emotion [v, a, d], got {line.strip()!r}"
            )


def _transcriptions(paths: Iterator[Path]) -> dict[str, str]:
    words: dict[str, str] = {}
    for path in paths:
        for line in read_text(path).splitlines():
            match = TRANSCRIPTION.match(line.strip())
            if match and (text := one_line(match[2])):
                words[match[1]] = text
    return words
