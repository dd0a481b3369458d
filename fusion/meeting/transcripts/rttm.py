"""RTTM (NIST): who spoke when, a start and a duration a line, no words. Read alone, or beside any transcript.

Flags set here, where an RTTM lies beside a transcript
    speaker_change   : several speakers in one cue, which was divided at its words
    mixed_speakers   : several speakers in one cue without timed words; the one who speaks longest is named
    speaker_unheard  : the RTTM has nobody speaking then; the transcript's own speaker, if any, stays
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from extractors.errors import InputError
from fusion.meeting.transcript import Transcript, Utterance, Word
from fusion.meeting.transcripts.clock import number
from fusion.meeting.transcripts.cue import Cue, Raw
from fusion.meeting.transcripts.recordings import OTHER, chosen_recording
from fusion.meeting.transcripts.source import Source

LINE = re.compile(r"SPEAKER\s+(\S+)\s+(\S+)\s+(\S+)\s+(\S+)\s+\S+\s+\S+\s+(\S+)")
KINDS = (
    "SPEAKER",
    "SPKR-INFO",
    "NON-SPEECH",
    "NOSCORE",
    "NO_RT_METADATA",
    "LEXEME",
    "NON-LEX",
    "SU",
    "IP",
    "CB",
    "EDIT",
    "A/P",
    "FILLER",
    "SEGMENT",
)
MIXED = 0.7  # of the speech in a cue; with less, its speaker is in doubt
SHORTEST_RUN = 0.3  # s; a shorter change of speaker among the words is the diarizer's edge, not a turn


class Turn(NamedTuple):
    """One stretch of one speaker, seconds."""

    start: float
    end: float
    speaker: str


def matches(source: Source) -> bool:
    """Whether its first lines are of RTTM's shape."""
    lines = [line.strip() for line in source.text[:4000].split("\n") if line.strip() and not line.startswith(";;")]
    return any(LINE.match(line) for line in lines) and all(line.startswith(KINDS) for line in lines[:-1])


def read(source: Source) -> Raw:
    """The turns of one recording, as cues without text.

    >>> from pathlib import Path
    >>> text = b"SPEAKER call 1 6.690 0.430 <NA> <NA> speaker90 <NA> <NA>\\n"
    >>> [(cue.start, cue.end, cue.speaker) for cue in read(Source(Path("call.rttm"), data=text)).cues]
    [(6.69, 7.12, 'speaker90')]
    """
    rows = [(n, line.strip()) for n, line in enumerate(source.lines, start=1)]
    rows = [(n, line) for n, line in rows if line and not line.startswith((";;", *KINDS[1:]))]
    found = [(n, LINE.match(line)) for n, line in rows]
    meant = chosen_recording((m[1] for _, m in found if m), source.recording, source.name)
    cues: list[Cue] = []
    for n, match in found:
        if match is None:
            cues.append(Cue(f"line {n}", None, None, "", dropped="no line of RTTM"))
            continue
        start, length = number(match[3]), number(match[4])
        end = None if start is None or length is None else round(start + length, 6)
        reason = OTHER if match[1] != meant else None if end is not None else "its times cannot be read"
        cues.append(Cue(f"line {n}", start, end, "", match[5], dropped=reason))
    return Raw(cues, textless=True)


def read_turns(source: Source) -> list[Turn]:
    """The turns of the one recording, in order of time. Raises InputError where there is none."""
    cues = [cue for cue in read(source).cues if cue.dropped is None]
    if not cues:
        raise InputError(
            f"{source.name}: not a line of it is RTTM, which begins with SPEAKER",
            hint="rttm= says who speaks when; the words go to transcript=.",
        )
    return sorted(
        Turn(c.start, c.end, c.speaker)
        for c in cues
        if c.start is not None and c.end is not None and c.speaker is not None
    )


def name_speakers(transcript: Transcript, turns: Sequence[Turn]) -> Transcript:
    """The transcript with the speakers of an RTTM: whoever overlaps an utterance longest; words decide where timed.

    >>> said = Utterance("1", 0.0, 4.0, "yes no", words=(Word("yes", 0.0, 1.5), Word("no", 2.5, 4.0)))
    >>> named = name_speakers(Transcript((said,), "demo", cues=1), [Turn(0.0, 2.0, "A"), Turn(2.0, 4.0, "B")])
    >>> [(u.id, u.speaker, u.text, u.start_s, u.end_s) for u in named.utterances], named.splits
    ([('1', 'A', 'yes', 0.0, 2.5), ('1.2', 'B', 'no', 2.5, 4.0)], 1)
    """
    within = _Within(turns)
    named = [part for utterance in transcript.utterances for part in _named(utterance, within)]
    named.sort(key=lambda u: (u.start_s, u.end_s))
    return replace(
        transcript,
        utterances=tuple(named),
        has_speakers=any(u.speaker is not None for u in named),
        splits=transcript.splits + len(named) - len(transcript.utterances),
    )


class _Within:
    """Seconds of each speaker within a stretch, without looking at every turn for every stretch."""

    def __init__(self, turns: Sequence[Turn]) -> None:
        self._turns = sorted(turns)
        self._starts = [turn.start for turn in self._turns]
        self._latest: list[float] = []  # the latest end up to each turn: no turn before ends later
        for turn in self._turns:
            self._latest.append(max(turn.end, self._latest[-1] if self._latest else turn.end))

    def seconds(self, start: float, end: float) -> dict[str, float]:
        end = max(end, start + 1e-3)  # of a cue without length: who speaks at that moment
        found: dict[str, float] = {}
        for at in range(bisect_left(self._starts, end) - 1, -1, -1):
            if self._latest[at] <= start:
                break
            turn = self._turns[at]
            shared = min(turn.end, end) - max(turn.start, start)
            if shared > 0:
                found[turn.speaker] = found.get(turn.speaker, 0.0) + shared
        return found


def _named(utterance: Utterance, within: _Within) -> list[Utterance]:
    heard = within.seconds(utterance.start_s, utterance.end_s)
    if not heard:
        return [replace(utterance, flags=(*utterance.flags, "speaker_unheard"))]
    longest = max(heard, key=lambda speaker: heard[speaker])
    if len(heard) > 1 and len(utterance.words) > 1:
        runs = _runs(utterance.words, within, longest)
        if len(runs) > 1 and sum(len(run) for _, run in runs) == len(utterance.text.split()):
            return _parts(utterance, runs)
    flags = utterance.flags
    if heard[longest] < MIXED * sum(heard.values()):
        flags = (*flags, "mixed_speakers")
    return [replace(utterance, speaker=longest, flags=flags)]


def _runs(words: Sequence[Word], within: _Within, otherwise: str) -> list[tuple[str, list[Word]]]:
    runs: list[tuple[str, list[Word]]] = []
    for word in words:
        heard = within.seconds(word.start_s, word.end_s)
        before = runs[-1][0] if runs else otherwise
        speaker = before if not heard or before in heard else max(heard, key=lambda name: heard[name])
        if runs and speaker == before:
            runs[-1][1].append(word)
        else:
            runs.append((speaker, [word]))
    merged: list[tuple[str, list[Word]]] = []
    for speaker, run in runs:
        short = run[-1].end_s - run[0].start_s < SHORTEST_RUN
        if merged and (short or merged[-1][0] == speaker):
            merged[-1][1].extend(run)
        else:
            merged.append((speaker, run))
    return merged


def _parts(utterance: Utterance, runs: Sequence[tuple[str, list[Word]]]) -> list[Utterance]:
    parts: list[Utterance] = []
    for at, (speaker, run) in enumerate(runs):
        start = utterance.start_s if at == 0 else run[0].start_s
        end = utterance.end_s if at == len(runs) - 1 else max(runs[at + 1][1][0].start_s, start)
        parts.append(
            replace(
                utterance, id=utterance.id if at == 0 else f"{utterance.id}.{at + 1}", start_s=start, end_s=max(end, start),
                text=" ".join(word.text.strip() for word in run), speaker=speaker, words=tuple(run),
                flags=(*utterance.flags, "speaker_change"),
            )
        )  # fmt: skip
    return parts
