"""Praat's TextGrid, long and short: seconds, a tier a speaker; tiers of words or phones beside them are no speakers."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from fusion.meeting.transcripts.clean import clean
from fusion.meeting.transcripts.cue import Cue, Raw
from fusion.meeting.transcripts.source import Source
from fusion.meeting.transcripts.turns import Spoken, turns

# strings ("" inside is a quote) and numbers and flags that stand alone; all else ("xmin =", "[1]:", comments) says nothing
TOKEN = re.compile(
    r'"((?:[^"]|"")*)"|(?:(?<=\s)|^)(-?\d{1,15}(?:\.\d{1,25})?(?:[eE][-+]?\d{1,3})?|<[a-z]{1,10}>)(?=\s|$)'
)
FINE_TIER = re.compile(
    r"(?:(.+?)\s*-\s*)?(phone|phoneme|phon|segment|syllable|syl|tone|pitch|pos|gloss|ipa)s?", re.IGNORECASE
)
WORD_TIER = re.compile(
    r"(?:(.+?)\s*-\s*)?(?:word|wrd|token|orth?)s?", re.IGNORECASE
)  # "Ann - words", as aligners write
PHRASE_TIER = re.compile(
    r"(?:(.+?)\s*-\s*)?(phrase|sentence|utterance|utt|turn|transcript|transcription|text)s?", re.IGNORECASE
)
WORD_PAUSE = 0.5  # s of silence in a tier of words that end a turn


@dataclass(slots=True)
class Tier:
    """One tier's intervals: (start, end, text), empty ones too."""

    name: str
    intervals: list[tuple[float, float, str]] = field(default_factory=list)
    points: int = 0


def matches(source: Source) -> bool:
    """Whether it says that it is a TextGrid."""
    head = source.text[:300]
    return "ooTextFile" in head and "TextGrid" in head


def read(source: Source) -> Raw:
    """All intervals with text, a speaker a tier.

    >>> from pathlib import Path
    >>> head = 'File type = "ooTextFile" Object class = "TextGrid" 0 9 <exists> 1 "IntervalTier" "Ann" 0 9 2'
    >>> text = head.replace(" ", "\\n").encode() + b' 0 1.5 "" 1.5 9 "so be it" '
    >>> [(c.start, c.end, c.speaker, c.text) for c in read(Source(Path("a.TextGrid"), data=text)).cues]
    [(1.5, 9.0, 'Ann', 'so be it')]
    """
    duration, tiers = _tiers(source)
    raw = Raw([], tool="praat", duration_s=duration)
    phrases = any(_speaks(tier) for tier in tiers)
    words = any(tier.intervals and WORD_TIER.fullmatch(_name(tier)) for tier in tiers)
    for tier in tiers:
        name = _name(tier)
        shown = [(n, *interval) for n, interval in enumerate(tier.intervals, start=1) if interval[2].strip()]
        where = f"tier {name or '?'}, interval"
        if WORD_TIER.fullmatch(name) and not phrases:
            raw.cues += turns(
                [
                    Spoken(f"{where} {n}", clean(text), start, end, _speaker(name, WORD_TIER))
                    for n, start, end, text in shown
                ],
                pause=WORD_PAUSE,
            )
        elif _speaks(tier) or (FINE_TIER.fullmatch(name) and not phrases and not words):
            speaker = _speaker(name, PHRASE_TIER)
            raw.cues += [Cue(f"{where} {n}", start, end, text, speaker) for n, start, end, text in shown]
        else:
            reason = "a tier of single words or sounds, no speaker's"
            raw.cues += [Cue(f"{where} {n}", start, end, text, dropped=reason) for n, start, end, text in shown]
        raw.cues += [
            Cue(f"tier {name or '?'}, point {n}", None, None, "", dropped="a point has no length")
            for n in range(1, tier.points + 1)
        ]
    return raw


def _name(tier: Tier) -> str:
    return clean(tier.name).strip('"')


def _speaks(tier: Tier) -> bool:
    name = _name(tier)
    return bool(tier.intervals) and not WORD_TIER.fullmatch(name) and not FINE_TIER.fullmatch(name)


def _speaker(name: str, kind: re.Pattern[str]) -> str | None:
    found = kind.fullmatch(name)
    return (found[1] if found else name) or None


def _tiers(source: Source) -> tuple[float | None, list[Tier]]:
    tokens: list[str | float] = []
    for match in TOKEN.finditer(source.text):
        if match[1] is not None:
            tokens.append(match[1].replace('""', '"'))
        elif match[2].startswith("<"):
            continue
        else:
            tokens.append(float(match[2]))
    at = next((n for n, token in enumerate(tokens) if token == "TextGrid"), -1) + 1
    numbers = [token for token in tokens[at : at + 2] if isinstance(token, float)]
    duration = numbers[1] - min(numbers[0], 0.0) if len(numbers) == 2 else None
    tiers: list[Tier] = []
    while at < len(tokens):
        if tokens[at] in ("IntervalTier", "TextTier") and at + 1 < len(tokens) and isinstance(tokens[at + 1], str):
            kind, tier = tokens[at], Tier(str(tokens[at + 1]))
            tiers.append(tier)
            at += 5  # class, name, xmin, xmax, size
            width = 3 if kind == "IntervalTier" else 2
            while at + width <= len(tokens) and _is_entry(tokens[at : at + width]):
                if width == 3:
                    start, end, text = tokens[at : at + 3]
                    tier.intervals.append((float(start), float(end), str(text)))
                else:
                    tier.points += 1
                at += width
        else:
            at += 1
    return duration, tiers


def _is_entry(tokens: list[str | float]) -> bool:
    return all(isinstance(token, float) for token in tokens[:-1]) and isinstance(tokens[-1], str)
