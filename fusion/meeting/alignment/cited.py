"""Evidence that an item names itself: a time of the recording, or words that were said."""

from __future__ import annotations

import bisect
from dataclasses import dataclass

from rapidfuzz import fuzz

from fusion.clock import clock
from fusion.meeting.alignment.types import Evidence
from fusion.meeting.minutes.tokens import tokens
from fusion.meeting.minutes.types import Citation
from fusion.meeting.transcript import Transcript, Utterance

LENGTH = 30.0  # seconds that a single time stands for: minutes cite where something begins
AROUND = 15.0  # seconds to the nearest utterance, beyond which a time points at nothing
SLACK = 1.0  # seconds: cited times are cut to whole seconds
FOUND = 80.0  # percent of a quote that must be found; recognisers and writers mend words
EDGE = 6  # characters; a match that only touches an utterance with fewer does not quote it
NEAR = 60.0  # seconds between a quote and the time cited with it, beyond which they do not agree


class Cited:
    """Looks citations up in one transcript. `offset_s` is added to cited times.

    >>> said = [Utterance("a", 0.0, 4.0, "Good morning everybody"), Utterance("b", 18.0, 22.0, "I'll open a ticket today")]
    >>> cited = Cited(Transcript(tuple(said), "csv"))
    >>> [(found.utterance_ids, found.method) for found in cited.evidence([Citation("quote", "I will open a ticket")])[0]]
    [(('b',), 'quote')]
    """

    def __init__(self, transcript: Transcript, *, offset_s: float = 0.0) -> None:
        self.offset_s = offset_s
        self.utterances = sorted(transcript.utterances, key=lambda said: said.start_s)
        ends = [said.end_s for said in self.utterances]
        self.end_s = max([*ends, transcript.duration_s or 0.0])
        self._spoken = _Spoken(self.utterances)

    def evidence(self, citations: tuple[Citation, ...] | list[Citation]) -> tuple[list[Evidence], list[str]]:
        """What was found, quotes before times, and notes on what was not. A time that a quote agrees with is not repeated."""
        notes: list[str] = []
        times = [found for one in citations if one.kind == "time" and (found := self._time(one, notes))]
        near = times[0].start_s if times else None
        quotes = [found for one in citations if one.kind == "quote" and (found := self._quote(one, near, notes))]
        apart = [time for time in times if all(_distance(time, quote) > NEAR for quote in quotes)]
        if quotes and apart:
            notes.append(
                f"the quote was said at {clock(quotes[0].start_s)}, not at the cited {clock(apart[0].start_s)}"
            )
        return quotes + apart, notes

    def between(self, start_s: float, end_s: float) -> list[Utterance]:
        """Utterances that have at least a part within the span."""
        return [
            said for said in self.utterances if said.start_s < end_s and max(said.end_s, said.start_s + 1e-3) > start_s
        ]

    def _time(self, citation: Citation, notes: list[str]) -> Evidence | None:
        assert citation.start_s is not None
        start_s = citation.start_s + self.offset_s
        end_s = start_s + LENGTH if citation.end_s is None else citation.end_s + self.offset_s
        if start_s > self.end_s + SLACK or end_s < 0:
            notes.append(f"cites {citation.text}, outside the recording (it ends at {clock(self.end_s)})")
            return None
        said = self.between(start_s - SLACK, end_s) or self.between(start_s - AROUND, end_s + AROUND)
        if not said:
            notes.append(f"cites {citation.text}, where nobody speaks")
            return None
        first, last = min(one.start_s for one in said), max(one.end_s for one in said)
        span = max(first, start_s - AROUND), min(last, end_s + AROUND)
        return Evidence(tuple(one.id for one in said), *span, score=1.0, method="time")

    def _quote(self, citation: Citation, near: float | None, notes: list[str]) -> Evidence | None:
        found = self._spoken.find(citation.text, near)
        if found is None:
            notes.append(f"nobody says “{citation.text[:60]}{'…' if len(citation.text) > 60 else ''}”")
            return None
        said = self.utterances[found.first : found.last + 1]
        span = said[0].start_s, max(one.end_s for one in said)
        return Evidence(tuple(one.id for one in said), *span, score=found.score / 100, method="quote")


@dataclass(frozen=True, slots=True)
class _Found:
    first: int
    last: int
    score: float


class _Spoken:
    """All words of a transcript as one normalised text, with the utterance that each character belongs to."""

    def __init__(self, utterances: list[Utterance]) -> None:
        self.utterances = utterances
        words = [" ".join(tokens(said.text)) for said in utterances]
        self.starts: list[int] = []
        length = 0
        for text in words:
            self.starts.append(length)
            length += len(text) + 1 if text else 0
        self.text = " ".join(text for text in words if text)

    def find(self, quote: str, near: float | None) -> _Found | None:
        """The best place of a quote; among equals the one nearest to `near` seconds, else the first."""
        wanted = " ".join(tokens(quote))
        if not wanted or not self.text:
            return None
        exact = self._exact(wanted)
        if exact:
            places = [self._utterances(start, start + len(wanted)) for start in exact]
            far = [0.0 if near is None else abs(self.utterances[first].start_s - near) for first, _ in places]
            return _Found(*places[far.index(min(far))], 100.0)
        # the shorter of the two is looked for in the longer: a transcript shorter than the quote holds no such quote
        if len(wanted) > len(self.text):
            return None
        match = fuzz.partial_ratio_alignment(wanted, self.text, score_cutoff=FOUND)
        if match is None or match.dest_end <= match.dest_start:
            return None
        first, last = self._utterances(match.dest_start, match.dest_end)
        least = max(EDGE, (match.dest_end - match.dest_start) // 10)
        if last > first and self.starts[first + 1] - 1 - match.dest_start < least:
            first += 1
        if last > first and match.dest_end - self.starts[last] < least:
            last -= 1
        return _Found(first, last, match.score)

    def _exact(self, wanted: str) -> list[int]:
        found: list[int] = []
        position = f" {self.text} ".find(f" {wanted} ")
        while position >= 0 and len(found) < 1_000:
            found.append(position)
            position = f" {self.text} ".find(f" {wanted} ", position + 1)
        return found

    def _utterances(self, start: int, end: int) -> tuple[int, int]:
        """First and last utterance that hold the characters from `start` to before `end`."""
        return bisect.bisect_right(self.starts, start) - 1, bisect.bisect_left(self.starts, end) - 1


def _distance(one: Evidence, other: Evidence) -> float:
    return max(one.start_s - other.end_s, other.start_s - one.end_s, 0.0)
