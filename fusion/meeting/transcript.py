"""What every transcript reader yields: utterances with times, and what is known of the file they came from."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Word:
    """One timed word. `confidence` is 0 to 1 where the recogniser gave one."""

    text: str
    start_s: float
    end_s: float
    confidence: float | None = None


@dataclass(frozen=True, slots=True)
class Utterance:
    """One speaker's stretch of words. Times are seconds into the recording.

    id         : as the file has it, else its number from 1; unique within a transcript
    speaker    : name as shown to readers; None where the file does not say
    confidence : of the recogniser, 0 to 1, not of any emotion
    flags      : what was mended or is doubtful: "no_end", "overlap", "continued_speaker", …, each documented by who sets it
    """

    id: str
    start_s: float
    end_s: float
    text: str
    speaker: str | None = None
    words: tuple[Word, ...] = ()
    confidence: float | None = None
    flags: tuple[str, ...] = ()

    @property
    def seconds(self) -> float:
        return self.end_s - self.start_s


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A cue that gave no utterance, and why. `place` says where in the file: "line 12", "segment 4"."""

    place: str
    reason: str


@dataclass(frozen=True, slots=True)
class Transcript:
    """A recording's utterances, in order of time, and what is known of their file.

    format         : "webvtt", "srt", "whisperx", …
    tool           : what wrote it where that shows: "zoom", "teams", …
    duration_s     : as the file says; None where it does not
    absolute_start : wall clock of second 0, where the file has it
    offset_s       : seconds that were added to the file's times
    cues           : how many the file has; none is lost: cues + splits - joins == len(utterances) + len(left_out)
    splits         : how many more pieces there are than cues, as a cue held several voices
    joins          : how many cues (words, subtitles of one sentence) were joined to the one before
    excluded_times : stretches (start, end) of people left out by wish; no span for inference may run across one
    """

    utterances: tuple[Utterance, ...]
    format: str
    tool: str | None = None
    duration_s: float | None = None
    absolute_start: datetime | None = None
    offset_s: float = 0.0
    has_end_times: bool = True
    has_speakers: bool = False
    cues: int = 0
    left_out: tuple[LeftOut, ...] = field(default=())
    splits: int = 0
    joins: int = 0
    excluded_times: tuple[tuple[float, float], ...] = ()
