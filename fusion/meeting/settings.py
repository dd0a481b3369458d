"""What may be chosen of how a meeting is enriched."""

from __future__ import annotations

import math
from dataclasses import dataclass

from extractors.errors import InputError

WINDOW = 60.0  # s
LEAST_LENGTH = 1.0  # s, of a span and of a window


@dataclass(frozen=True, slots=True)
class Settings:
    """What may be chosen of a meeting.

    longest_s, window_s : seconds of a span for inference, and of a window of the timeline
    verify_offset       : look in the recording whether the transcript is shifted; only ever told, never applied

    Raises InputError for lengths that are none.
    """

    longest_s: float = 30.0
    window_s: float = WINDOW
    verify_offset: bool = True
    max_evidence: int = 3

    def __post_init__(self) -> None:
        problems = [
            f"{name}: expected seconds from {LEAST_LENGTH:g}, got {value!r}"
            for name, value in (("longest_s", self.longest_s), ("window_s", self.window_s))
            if not isinstance(value, int | float) or isinstance(value, bool) or not LEAST_LENGTH <= value < math.inf
        ]
        if problems:
            raise InputError("settings of the meeting", problems)
