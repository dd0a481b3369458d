"""What the times alone say of a conversation: who spoke how long, over whom, and where nobody did."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from fusion.meeting.transcript import Utterance

TURN_GAP = 1.0  # s; a speaker's utterances closer than this are one turn, unless somebody else speaks between
INTERRUPTION = 0.5  # s; who starts that much before another ends, and outlasts them, interrupts
SILENCE = 2.0  # s; shorter pauses belong to talking


@dataclass(frozen=True, slots=True)
class Turn:
    """A speaker's stretch without anybody else beginning."""

    speaker: str | None
    start_s: float
    end_s: float

    @property
    def seconds(self) -> float:
        return self.end_s - self.start_s


@dataclass(frozen=True, slots=True)
class SpeakerTalk:
    """One speaker's part. `share` is of all speakers' seconds together; `interruptions` are those that they made."""

    speaker: str
    seconds: float
    share: float
    turns: int
    longest_turn_s: float
    interruptions: int


@dataclass(frozen=True, slots=True)
class Conversation:
    """Times of a whole recording, in seconds.

    overlap_s : at least two speak · silence_s : nobody speaks, in pauses of 2 s and longer, ends included
    """

    duration_s: float
    speech_s: float
    overlap_s: float
    silence_s: float
    longest_turn_s: float
    turns: int
    interruptions: int
    speakers: tuple[SpeakerTalk, ...] = ()


def converse(
    utterances: Sequence[Utterance], duration: float, *, others: Sequence[tuple[float, float]] = ()
) -> Conversation:
    """Measure a conversation; `utterances` in order of time. While `others`, who were left out, speak, there is no silence.

    >>> def said(id, start, end, speaker): return Utterance(id, start, end, "", speaker)
    >>> found = converse([said("1", 0, 4, "a"), said("2", 3, 6, "b"), said("3", 9, 10, "a")], 10.0)
    >>> found.speech_s, found.overlap_s, found.silence_s, found.interruptions, found.turns
    (7.0, 1.0, 3.0, 1, 3)
    >>> [(part.speaker, part.seconds, part.share) for part in found.speakers]
    [('a', 5.0, 0.625), ('b', 3.0, 0.375)]
    """
    turns = turns_of(utterances)
    interrupters = [b.speaker for a, b in pairwise(turns) if _interrupts(a, b)]
    names = dict.fromkeys(u.speaker for u in utterances if u.speaker is not None)
    seconds = {name: _union([(u.start_s, u.end_s) for u in utterances if u.speaker == name]) for name in names}
    total = sum(seconds.values())
    speech = _union([(u.start_s, u.end_s) for u in utterances])
    return Conversation(
        duration_s=duration,
        speech_s=speech,
        overlap_s=_overlap([u for u in utterances if u.end_s > u.start_s]),
        silence_s=_silence([(u.start_s, u.end_s) for u in utterances] + list(others), duration),
        longest_turn_s=max((turn.seconds for turn in turns), default=0.0),
        turns=len(turns),
        interruptions=len(interrupters),
        speakers=tuple(
            SpeakerTalk(
                speaker=name,
                seconds=seconds[name],
                share=seconds[name] / total if total > 0 else 0.0,
                turns=sum(turn.speaker == name for turn in turns),
                longest_turn_s=max((turn.seconds for turn in turns if turn.speaker == name), default=0.0),
                interruptions=interrupters.count(name),
            )
            for name in names
        ),
    )


def turns_of(utterances: Sequence[Utterance]) -> list[Turn]:
    """Neighbours of one speaker joined where less than a second lies between them and nobody else began."""
    turns: list[Turn] = []
    for said in utterances:
        last = turns[-1] if turns else None
        if last is not None and last.speaker == said.speaker and said.start_s - last.end_s <= TURN_GAP:
            turns[-1] = Turn(last.speaker, last.start_s, max(last.end_s, said.end_s))
        else:
            turns.append(Turn(said.speaker, said.start_s, said.end_s))
    return turns


def _interrupts(first: Turn, second: Turn) -> bool:
    return (
        first.speaker != second.speaker
        and first.end_s - second.start_s >= INTERRUPTION
        and second.end_s > first.end_s
        and second.start_s > first.start_s
    )


def _union(spans: Sequence[tuple[float, float]]) -> float:
    total, until = 0.0, float("-inf")
    for start, end in sorted(spans):
        total += max(0.0, end - max(start, until))
        until = max(until, end)
    return total


def _overlap(utterances: Sequence[Utterance]) -> float:
    """Seconds in which two different speakers (or utterances without a speaker) are heard at once."""
    events = sorted(
        [(u.start_s, 1, u.speaker or u.id) for u in utterances]
        + [(u.end_s, -1, u.speaker or u.id) for u in utterances],
        key=lambda event: (event[0], event[1]),
    )
    speaking: dict[str, int] = {}
    total = before = 0.0
    for time, change, who in events:
        if len(speaking) > 1:
            total += time - before
        before = time
        speaking[who] = speaking.get(who, 0) + change
        if not speaking[who]:
            del speaking[who]
    return total


def _silence(spoken: Sequence[tuple[float, float]], duration: float) -> float:
    total, until = 0.0, 0.0
    heard = sorted((start, end) for start, end in spoken if end > start)
    for start, end in [*heard, (duration, duration)]:
        gap = min(start, duration) - until
        total += gap if gap >= SILENCE else 0.0
        until = max(until, end)
    return total
