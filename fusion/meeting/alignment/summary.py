"""How much of the minutes was found, in numbers and in a sentence where it is too little."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from fusion.meeting.alignment.types import Aligned

LEAST = 5  # items without a citation, before their share says anything
HALF = 0.5


@dataclass(frozen=True, slots=True)
class Coverage:
    """Items of the minutes, how many were found by which method, and what a reader should be told."""

    items: int
    found: int
    methods: dict[str, int]
    warning: str | None


def coverage(aligned: Sequence[Aligned]) -> Coverage:
    """Counts, and a warning where most of what had to be looked for was not found: minutes of another meeting.

    Items of kind "meta" do not count: nobody says who is present.
    """
    statements = [one for one in aligned if one.item.kind != "meta"]
    methods: Counter[str] = Counter(one.best.method for one in statements if one.best)
    beyond = sum(any("outside the recording" in note for note in one.notes) for one in statements)
    searched = [one for one in statements if not one.best or one.best.method not in ("time", "quote")]
    lost = sum(not one.evidence for one in searched)
    warning = None
    if len(searched) >= LEAST and lost > HALF * len(searched):
        warning = (
            f"{lost} of {len(searched)} items find nothing in this transcript: are these minutes of another meeting?"
        )
    elif beyond:
        warning = f"{beyond} items cite times outside the recording: are these minutes, or this recording, of another meeting?"
    return Coverage(len(statements), sum(methods.values()), dict(methods), warning)
