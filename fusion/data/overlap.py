"""What two sides of a split have in common: speakers, words, files by content."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from rich.table import Table

from fusion.data.folds import Fold
from fusion.data.table import FeatureTable
from fusion.data.transcripts import transcript_codes

Index = NDArray[np.int64]

PAIRS = (("train", "test"), ("train", "val"), ("val", "test"))
KINDS = ("speakers", "transcripts", "files")
COUNTED = ("speakers", "transcripts", "files by content")
UNKNOWN = "not known"


@dataclass(frozen=True)
class Overlap:
    """How many different speakers, transcripts and files stand in both parts of a fold; None: the table does not say."""

    fold: str
    parts: str
    speakers: int | None
    transcripts: int | None
    files: int | None

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


class Identities:
    """What each row says, whose it is and which audio it is, as numbers: (rows,) int64 each, -1 where not known."""

    def __init__(self, table: FeatureTable) -> None:
        self.speakers = _codes(table, "speaker")
        self.transcripts = (
            transcript_codes(table.rows["text"]) if "text" in table.rows else np.full(len(table), -1, dtype=np.int64)
        )
        self.files = _codes(table, "content")

    def known(self, kind: str) -> bool:
        return bool((self.of(kind) >= 0).any())

    def of(self, kind: str) -> Index:
        """Codes of one of `KINDS`."""
        codes: Index = getattr(self, kind)
        return codes

    def shared(self, kind: str, one: Index, other: Index) -> Index:
        """Different codes of `kind` that stand both in rows `one` and rows `other`."""
        return np.flatnonzero(self._stands(kind, one) & self._stands(kind, other))

    def standing_in(self, kind: str, rows: Index, others: Index) -> NDArray[np.bool_]:
        """(len(rows),) bool: which of `rows` share their code with one of `others`."""
        return self._stands(kind, others)[self.of(kind)[rows]]

    def _stands(self, kind: str, rows: Index) -> NDArray[np.bool_]:
        """(codes + 1,) bool: which codes stand in `rows`. The last place is that of -1, which is nobody's."""
        codes = self.of(kind)
        there = np.zeros(codes.max(initial=-1) + 2, dtype=bool)
        there[codes[rows]] = True
        there[-1] = False
        return there


def overlaps(identities: Identities, folds: list[Fold]) -> list[Overlap]:
    """Three lines a fold: train-test, train-val, val-test."""
    found = []
    for fold in folds:
        for one, other in PAIRS:
            counts = {
                kind: len(identities.shared(kind, getattr(fold, one), getattr(fold, other)))
                if identities.known(kind)
                else None
                for kind in KINDS
            }
            found.append(Overlap(fold.name, f"{one}-{other}", **counts))
    return found


def overlap_table(before: list[Overlap], after: list[Overlap]) -> Table:
    """The overlap for people to read: "3 → 0" where shared rows were taken out, a range over several folds."""
    table = Table(title="What the sides of the split share", title_justify="left")
    folds = len(before) // len(PAIRS)
    for heading in ("fold", "sides", *COUNTED):
        table.add_column(heading, justify="left" if heading in ("fold", "sides") else "right")
    if folds > 1:
        for number, (one, other) in enumerate(PAIRS):
            first, last = before[number :: len(PAIRS)], after[number :: len(PAIRS)]
            cells = [_change(_span(first, kind), _span(last, kind)) for kind in KINDS]
            table.add_row(f"each of {folds}", f"{one}-{other}", *cells)
    else:
        for was, now in zip(before, after, strict=True):
            cells = [_change(_span([was], kind), _span([now], kind)) for kind in KINDS]
            table.add_row(was.fold, was.parts, *cells)
    return table


def overlap_lines(before: list[Overlap]) -> list[str]:
    """The same in a few words, for a message: a line for each pair of sides, a range over several folds."""
    told = []
    for number, (one, other) in enumerate(PAIRS):
        lines = before[number :: len(PAIRS)]
        counts = [f"{name} {_span(lines, kind)}" for kind, name in zip(KINDS, COUNTED, strict=True)]
        told.append(f"{one} and {other} share: {', '.join(counts)}")
    return told


def _span(lines: list[Overlap], kind: str) -> str:
    values = [getattr(line, kind) for line in lines]
    if None in values:
        return UNKNOWN
    low, high = min(values), max(values)
    return f"{low}" if low == high else f"{low} to {high}"


def _change(was: str, now: str) -> str:
    return was if was == now else f"{was} → {now}"


def _codes(table: FeatureTable, column: str) -> Index:
    if column not in table.rows:
        return np.full(len(table), -1, dtype=np.int64)
    return pd.factorize(table.rows[column])[0].astype(np.int64)
