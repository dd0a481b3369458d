"""Keeps what is tested out of what is trained, counts what that took, and refuses where it would take too much."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import reduce
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from extractors.errors import InputError
from extractors.types import Modality
from fusion.data.folds import Fold
from fusion.data.overlap import Identities, Index, Overlap, overlap_lines, overlap_table, overlaps
from fusion.data.table import FeatureTable

MOST_TAKEN = 0.5  # of the training (or validation) rows; above that the words are a script and no coincidence
SHOWN = 4  # folds, ids, speakers that a message names

SCRIPT_HINT = (
    "These are scripts that run through the speakers. The text model would be tested on sentences it was trained on, so "
    "its figure, and that of the fusion, cannot show what text does for words it has not seen. Train on the voice alone "
    "(modalities=[speech]), bring a split whose sides share no sentences (split=column), or accept it with "
    "allow_leakage=true: the rows then stay, and every report says so."
)
FILE_HINT = (
    "The same audio stands in many rows. Keep one row of each, or accept it with allow_leakage=true; every report then "
    "says so."
)
SPEAKER_HINT = (
    "A classifier that heard the speakers of its test does better there than on anyone new. Use split=speaker_disjoint, "
    "or accept it with allow_leakage=true, and the report says so."
)
SCRIPT_WARNING = (
    "The same sentences stand in training and test (allow_leakage=true). The figures of text and of the fusion cannot "
    "show what text does for words that were not seen in training."
)
FILE_WARNING = "The same audio stands on both sides of the split (allow_leakage=true)."
SPOKEN_SCRIPT = (
    "The same sentences stand on both sides. Only the voice is used, so nothing was taken out, but the figures hold for "
    "these sentences: a speech encoder also hears words."
)


@dataclass(frozen=True)
class Taken:
    """Rows taken out of a fold: of training what stands in validation or test, of validation what stands in test."""

    fold: str
    train_transcripts: int = 0
    train_files: int = 0
    val_transcripts: int = 0
    val_files: int = 0


@dataclass(frozen=True)
class LeakReport:
    """What the sides of each fold shared (`before`), what was taken out, what they share now (`after`), and warnings."""

    before: list[Overlap]
    after: list[Overlap]
    taken: list[Taken]
    warnings: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)  # of the split itself: what it left out, what a side lacks
    allowed: bool = False  # whether a leak was let pass because of allow_leakage

    def table(self) -> Table:
        """The overlap table, for rich to print."""
        return overlap_table(self.before, self.after)

    def sentences(self) -> list[str]:
        """What was taken out, in words, then the warnings."""
        told = []
        for part, name in (("train", "training"), ("val", "validation")):
            for kind, what in (("transcripts", "their words"), ("files", "their audio files")):
                counts = [getattr(taken, f"{part}_{kind}") for taken in self.taken]
                if sum(counts):
                    often = f", over {len(counts)} folds" if len(counts) > 1 else ""
                    stand = "validation or test" if part == "train" else "test"
                    told.append(f"Rows taken out of {name}, as {what} also stand in {stand}: {sum(counts):,}{often}.")
        return [*told, *self.notes, *self.warnings]

    def print(self, console: Console | None = None) -> None:
        """The overlap table, what was taken out and the warnings; to standard output unless told otherwise."""
        console = console or Console()
        console.print(self.table())
        for sentence in self.sentences():
            console.print(sentence, style="yellow" if sentence in self.warnings else None, markup=False)

    def as_dict(self) -> dict[str, Any]:
        """Plain data, for results.json."""
        return {
            "overlap": [line.as_dict() for line in self.before],
            "overlap_used": [line.as_dict() for line in self.after],
            "taken_out": [asdict(taken) for taken in self.taken],
            "leakage_allowed": self.allowed,
            "warnings": list(self.warnings),
            "notes": list(self.notes),
        }


def resolve_leakage(
    table: FeatureTable,
    folds: Sequence[Fold],
    *,
    allow_leakage: bool = False,
    modalities: Sequence[Modality] | None = None,
) -> tuple[list[Fold], LeakReport]:
    """The folds with nothing on two sides, and a report of what that took.

    A few shared utterances ("okay") are taken out: of training what stands in validation or test, of validation what
    stands in test. The test rows are never touched. Where that would take more than half of a part's rows, or all of a
    class in training, the words are a script, and the split is refused; so it is where speakers stand both in the test
    and elsewhere. `allow_leakage` lets such a split pass as it is, with a warning.

    Words only matter where text is used: with speech alone shared sentences are reported and stay.

    Args:
        table: all rows; `rows` has speaker, text and content as far as they are known.
        folds: as a split made them.
        allow_leakage: accept what would be refused.
        modalities: what will be trained on; by default all of the table's.

    Raises:
        InputError: a leak that cannot be mended, in all folds that have it.
    """
    identities = Identities(table)
    folds = list(folds)
    uses_text = "text" in (table.features if modalities is None else modalities)
    before = overlaps(identities, folds)
    warnings: list[str] = []
    refusals: list[str] = []
    hints: list[str] = []

    shared_speakers = _shared_speakers(table, identities, folds)
    if shared_speakers:
        refusals += shared_speakers
        hints.append(SPEAKER_HINT)
    if not shared_speakers and any(line.parts == "train-val" and line.speakers for line in before):
        warnings.append("Validation shares speakers with training: the choice of the epoch favours known speakers.")

    found = {kind: _shared_rows(identities, kind, folds) for kind in ("files", "transcripts")}
    if not uses_text and _excess(table, folds, {"transcripts": found["transcripts"]}):
        warnings.append(SPOKEN_SCRIPT)
    kinds = ("files", "transcripts") if uses_text else ("files",)
    removed = {kind: found[kind] for kind in kinds}
    if excess := _excess(table, folds, removed):
        refusals += excess
        # files alone explain it where even without the words too much would go
        blames_files = not uses_text or bool(_excess(table, folds, {"files": found["files"]}))
        hints.append(FILE_HINT if blames_files else SCRIPT_HINT)
        warnings += [FILE_WARNING if blames_files else SCRIPT_WARNING] if allow_leakage else []
        removed = {}  # where a leak is let pass, it is let pass in all folds alike
    if refusals and not allow_leakage:
        raise InputError(
            "this split leaks: what is tested would also be trained on",
            [*refusals, *overlap_lines(before)],
            "\n".join(hints),
        )
    if shared_speakers:
        warnings.append("Speakers of the test also stand in training or validation (allow_leakage=true).")

    if uses_text and not identities.known("transcripts"):
        warnings.append("No transcripts are given: whether the same words stand on both sides is not known.")
    if not identities.known("speakers"):
        warnings.append("No speakers are given: whether the same people stand on both sides is not known.")
    warnings += _two_labels(table, identities)
    clean, taken = _without(folds, removed)
    notes = [f"Fold {fold.name!r}: {note}." for fold in folds for note in fold.notes]
    report = LeakReport(before, overlaps(identities, clean), taken, warnings, notes, allowed=bool(refusals))
    return clean, report


@dataclass(frozen=True)
class _Shared:
    """Which rows of one fold share something with a later part."""

    train: NDArray[np.bool_]  # of fold.train
    val: NDArray[np.bool_]  # of fold.val

    @property
    def any(self) -> bool:
        return bool(self.train.any() or self.val.any())

    def or_(self, other: _Shared) -> _Shared:
        return _Shared(self.train | other.train, self.val | other.val)


def _shared_rows(identities: Identities, kind: str, folds: list[Fold]) -> list[_Shared]:
    return [
        _Shared(
            identities.standing_in(kind, fold.train, np.concatenate([fold.val, fold.test])),
            identities.standing_in(kind, fold.val, fold.test),
        )
        for fold in folds
    ]


def _excess(table: FeatureTable, folds: list[Fold], removed: Mapping[str, list[_Shared]]) -> list[str]:
    """For each fold that would lose too much, what and how much."""
    what = {"files": "the audio", "transcripts": "the words"}
    told = []
    for fold, shared in zip(folds, zip(*removed.values(), strict=True), strict=True):
        those = " or ".join(what[kind] for kind, one in zip(removed, shared, strict=True) if one.any)
        both = reduce(_Shared.or_, shared)
        had, left = (
            np.bincount(table.targets[rows], minlength=len(table.labels))
            for rows in (fold.train, fold.train[~both.train])
        )
        gone = [label for number, label in enumerate(table.labels) if had[number] and not left[number]]
        train, val = int(both.train.sum()), int(both.val.sum())
        if train > MOST_TAKEN * len(fold.train):
            say = f"{those} of {train:,} of {len(fold.train):,} training rows also stand in validation or test"
        elif val > MOST_TAKEN * len(fold.val):
            say = f"{those} of {val:,} of {len(fold.val):,} validation rows also stand in test"
        elif gone:
            names = ", ".join(map(repr, gone))
            say = f"{those} of every training row of {names} also stand in validation or test"
        else:
            continue
        told.append(f"fold {fold.name!r}: {say}")
    return _first(told, "folds")


def _without(folds: list[Fold], removed: Mapping[str, list[_Shared]]) -> tuple[list[Fold], list[Taken]]:
    clean, taken = [], []
    for number, fold in enumerate(folds):
        keep = {"train": np.ones(len(fold.train), bool), "val": np.ones(len(fold.val), bool)}
        counts = {}
        for kind in removed:  # files first: a row that shares both counts as a file
            shared = removed[kind][number]
            for part, gone in (("train", shared.train), ("val", shared.val)):
                counts[f"{part}_{kind}"] = int((gone & keep[part]).sum())
                keep[part] &= ~gone
        clean.append(replace(fold, train=fold.train[keep["train"]], val=fold.val[keep["val"]]))
        taken.append(Taken(fold.name, **counts))
    return clean, taken


def _shared_speakers(table: FeatureTable, identities: Identities, folds: list[Fold]) -> list[str]:
    problems = []
    for fold in folds:
        for part, name in (("train", "training"), ("val", "validation")):
            rows: Index = getattr(fold, part)
            shared = identities.shared("speakers", rows, fold.test)
            if len(shared):
                first = [int(np.argmax(identities.speakers == code)) for code in shared[:SHOWN]]
                names = ", ".join(str(table.rows["speaker"].iloc[row]) for row in first)
                more = ", …" if len(shared) > SHOWN else ""
                plural = "s stand" if len(shared) > 1 else " stands"
                problems.append(f"fold {fold.name!r}: {len(shared)} speaker{plural} in {name} and test: {names}{more}")
    return _first(problems, "such cases")


def _two_labels(table: FeatureTable, identities: Identities) -> list[str]:
    """The same audio under two labels: no classifier can get both right."""
    if not identities.known("files"):
        return []
    rows = pd.DataFrame({"file": identities.files, "label": table.targets, "id": table.rows["id"].to_numpy()})
    rows = rows[(rows["file"] >= 0) & (rows["label"] >= 0)]
    torn = rows[rows.groupby("file")["label"].transform("nunique") > 1].sort_values("file", kind="stable")
    if not len(torn):
        return []
    some = ", ".join(map(str, torn["id"].head(SHOWN))) + (", …" if len(torn) > SHOWN else "")
    return [f"{torn['file'].nunique():,} audio clips stand under more than one label, in {len(torn):,} rows: {some}"]


def _first(problems: list[str], what: str) -> list[str]:
    if len(problems) <= SHOWN + 1:
        return problems
    return [*problems[:SHOWN], f"and {len(problems) - SHOWN} more {what}"]
