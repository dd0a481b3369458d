"""What a reader of one format hands over, before anything common to all formats is done to it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from fusion.meeting.transcript import Word


@dataclass(slots=True)
class Cue:
    """One cue as the file has it. Times are seconds, None where the file gives none or nothing readable.

    place   : where in the file: "line 12", "segment 4"
    speaker : as the file has it, not yet a name for readers
    part    : a further piece of the cue before it (a second voice, a change of speaker)
    joined  : how many further cues of the file went into this one (words into a turn)
    dropped : why this cue gives no utterance, where its reader knows
    """

    place: str
    start: float | None
    end: float | None
    text: str
    speaker: str | None = None
    id: str | None = None
    words: tuple[Word, ...] = ()
    confidence: float | None = None
    flags: tuple[str, ...] = ()
    part: bool = False
    joined: int = 0
    dropped: str | None = None


@dataclass(slots=True)
class Raw:
    """All cues of a file, in the file's order, and what else it says.

    textless : cues without text are turns all the same (RTTM says who spoke when, not what)
    """

    cues: list[Cue]
    tool: str | None = None
    duration_s: float | None = None
    absolute_start: datetime | None = None
    textless: bool = False
    speakers: dict[str, str] = field(default_factory=dict)  # how the file itself names a speaker's id
