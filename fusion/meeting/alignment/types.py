"""What alignment answers: for each item of the minutes, where in the recording it was talked about, or why not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from fusion.meeting.minutes.types import MinutesItem

Method = Literal["time", "quote", "retrieval", "section"]


@dataclass(frozen=True, slots=True)
class Evidence:
    """A stretch of the recording that an item is about.

    utterance_ids  : in order of time; all that lie at least in part within the stretch
    start_s, end_s : seconds into the recording
    score          : 0 to 1. "time": 1; "quote": share of it that was found; "retrieval": cosine of item and stretch, or
                     of the item and the one utterance in it that nearly says it, or without an encoder the TF-IDF
                     similarity; "section": share of the section's items that were found
    method         : what it rests on
    cosine, lexical: of "retrieval": the two similarities; None where there was no encoder
    """

    utterance_ids: tuple[str, ...]
    start_s: float
    end_s: float
    score: float
    method: Method
    cosine: float | None = None
    lexical: float | None = None


@dataclass(frozen=True, slots=True)
class Aligned:
    """An item with its evidence, best first, at most three stretches; or none, and `abstained` says why.

    notes: what did not hold, even though something else was found: a citation beyond the recording, a quote nobody said
    """

    item: MinutesItem
    evidence: tuple[Evidence, ...]
    abstained: str | None = None
    notes: tuple[str, ...] = ()

    @property
    def best(self) -> Evidence | None:
        return self.evidence[0] if self.evidence else None

    @property
    def found(self) -> bool:
        """Whether it was cited or talked about; what only stands in a section that was is not."""
        return self.best is not None and self.best.method != "section"
