"""What of a folder is to be stored, and for which clip."""

from __future__ import annotations

from dataclasses import dataclass

from extractors.importing.found import FoundVector
from extractors.importing.scores import Scores


@dataclass(frozen=True, slots=True)
class Item:
    """A vector that is in order. `clip` is a position; `scores` have the order of labels that the store will use.

    rows : of the array, 0 for (dim,)
    one_frame : its only row is a frame, and not a vector with an axis too many
    """

    vector: FoundVector
    clip: int
    rows: int
    scores: Scores | None = None
    key: str = ""
    one_frame: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """What to store, and how many vectors are of no clip."""

    items: list[Item]
    unmatched: int
