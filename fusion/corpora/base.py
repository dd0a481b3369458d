"""What every corpus tells of itself, and what reading its folder gives."""

from __future__ import annotations

import difflib
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import pandas as pd

from extractors.errors import InputError
from fusion.data.columns import COLUMNS

PARTS = ("train", "val", "test")  # the order in which figures of an official split are given


@dataclass(frozen=True, slots=True)
class Utterance:
    """One row of a manifest. `audio` is a path that exists; `start` and `end` are seconds into it."""

    id: str
    label: str
    audio: Path | None = None
    text: str | None = None
    speaker: str | None = None
    split: str | None = None
    group: str | None = None
    start: float | None = None
    end: float | None = None
    language: str | None = None
    extra: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Published:
    """How many utterances of each label a corpus has.

    counts : label -> one figure, or one for each of `PARTS` where the corpus has an official split
    source : where the figures are from
    """

    counts: Mapping[str, tuple[int, ...]]
    source: str

    def total(self, label: str) -> int:
        """Utterances of `label` in all parts.

        >>> Published({"joy": (1743, 163, 402)}, "Poria et al. 2019").total("joy")
        2308
        """
        return sum(self.counts.get(label, (0,)))


@dataclass
class Reading:
    """What a folder holds.

    utterances : in the order of their names
    problems   : files that are none of the corpus's, contradictions: one line each
    notes      : what was left out by rule, and how often
    """

    utterances: list[Utterance] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


class Corpus(ABC):
    """A corpus in the folder structure of its distribution.

    name     : as `data=<name>` has it
    title    : as its authors call it
    citation : the paper that presents it
    licence  : what its distributors allow, in a few words; the corpus itself is never part of Emofuse
    layout   : the files that are expected, for the message when there are none
    variants : name -> published counts (None: unknown); the first one is the default
    extra    : the columns beyond those of every manifest, in their order
    notice   : what a reader of any result on this corpus must know
    scripted : whether the same sentences run through speakers and emotions
    train    : arguments of `emofuse train` that suit it
    """

    name: ClassVar[str]
    title: ClassVar[str]
    citation: ClassVar[str]
    licence: ClassVar[str]
    layout: ClassVar[str]
    variants: ClassVar[Mapping[str, Published | None]]
    extra: ClassVar[tuple[str, ...]] = ()
    notice: ClassVar[str | None] = None
    scripted: ClassVar[bool] = False
    train: ClassVar[tuple[str, ...]] = ()

    def __init__(self, *, variant: str | None = None) -> None:
        known = list(self.variants)
        self.variant = known[0] if variant is None else str(variant)
        if self.variant not in known:
            near = difflib.get_close_matches(self.variant, known, n=1)
            raise InputError(
                f"variant: expected {' or '.join(known)} of {self.title}, got {self.variant!r}"
                + (f"; did you mean {near[0]!r}?" if near else "")
            )

    @property
    def published(self) -> Published | None:
        """The counts that this variant was published with; None where nobody gives them."""
        return self.variants[self.variant]

    @abstractmethod
    def read(self, root: Path) -> Reading:
        """Everything that the folder `root` holds of the corpus. Nothing found is no error here."""

    def frame(self, utterances: list[Utterance]) -> pd.DataFrame:
        """As a manifest's table: `COLUMNS`, then `extra`; `audio` holds `Path`s, what is missing is None."""
        columns = {name: [getattr(utterance, name) for utterance in utterances] for name in COLUMNS}
        extra = {name: [utterance.extra.get(name) for utterance in utterances] for name in self.extra}
        return pd.DataFrame(columns | extra, dtype=object)
