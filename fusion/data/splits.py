"""Who trains, who validates, who tests. The default keeps every speaker on one side.

What the folds then still share (words, files) is the business of `fusion.data.leakage`.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from extractors.errors import InputError
from fusion.data.carving import SPEAKER_HINT, carve
from fusion.data.column_split import ColumnSplit
from fusion.data.fold_names import file_names
from fusion.data.folds import (
    Fold,
    Groups,
    Index,
    Split,
    finished,
    groups_by,
    groups_by_words,
    known,
    labelled,
    require_every_class,
    require_groups,
    share,
)
from fusion.data.table import FeatureTable

__all__ = [
    "ColumnSplit",
    "Fold",
    "GroupKFold",
    "LeaveOneGroupOut",
    "LeaveOneSpeakerOut",
    "RandomSplit",
    "RepeatedGroupKFold",
    "SpeakerDisjoint",
    "Split",
]

log = logging.getLogger(__name__)

MANY_FOLDS = 50


class SpeakerDisjoint:
    """One fold; no speaker stands in two of training, validation and test.

    Args:
        test: share of the rows to test on; whole speakers come as near to it as they allow.
        val: share of the rows to validate on.
        seed: another seed, other speakers.
    """

    def __init__(self, *, test: float = 0.2, val: float = 0.15, seed: int = 1) -> None:
        self.shares = _three_shares(test, val)
        self.seed = seed

    def split(self, table: FeatureTable) -> list[Fold]:
        """One fold. Raises InputError without speakers, with fewer than three, or where one holds all of a class."""
        speakers = _speakers(table)
        return [_drawn(table, speakers, self.shares, self.seed, "speaker_disjoint")]


class LeaveOneSpeakerOut:
    """As many folds as speakers: each is tested once, on a model that never heard them.

    Args:
        val: share of the other speakers' rows to validate on, in whole speakers.
        seed: another seed, other validation speakers.
    """

    def __init__(self, *, val: float = 0.15, seed: int = 1) -> None:
        self.val, self.seed = share("val", val), seed

    def split(self, table: FeatureTable) -> list[Fold]:
        """Folds in the order of the speakers' names. Raises as `SpeakerDisjoint` does."""
        speakers = _speakers(table)
        if len(speakers) > MANY_FOLDS:
            log.warning("leave_one_speaker_out makes %d folds, each a training; group_kfold makes few.", len(speakers))
        return _one_part_out(table, speakers, np.arange(len(speakers)), speakers.names, self.val, self.seed)


class LeaveOneGroupOut:
    """As many folds as there are groups (sessions, sites, recordings): each is tested once.

    Args:
        column: of the table, that names the group of each row.
        val: share of the other groups' rows to validate on: in whole speakers where they are known, else in whole groups.
        seed: another seed, other validation rows.
    """

    def __init__(self, *, column: str = "group", val: float = 0.15, seed: int = 1) -> None:
        self.column, self.val, self.seed = column, share("val", val), seed

    def split(self, table: FeatureTable) -> list[Fold]:
        """Folds in the order of the groups' names. Raises InputError with fewer than two, or where one holds a class."""
        rows = labelled(table)
        groups = groups_by(table, self.column, rows, hint=f"Add a `{self.column}` column, or choose another split.")
        require_groups(groups, 2, self.column, "to train and to test")
        require_every_class(table, groups, self.column)
        folds = []
        for number, name in enumerate(file_names(groups.names)):
            test = groups.rows_of(np.arange(len(groups)) == number)
            train, val, note = carve(table, np.setdiff1d(rows, test), self.val, [self.seed, number], by=self.column)
            folds.append(finished(table, name, train, val, test, [note]))
        return folds


class GroupKFold:
    """`folds` folds over whole groups: the `group` column, or speakers where there is none.

    Args:
        folds: how many, 3 at least; every row is tested once.
        val: share of the other rows to validate on, in whole groups.
        seed: another seed, another division.
    """

    def __init__(self, *, folds: int = 5, val: float = 0.15, seed: int = 1) -> None:
        if folds < 3:
            raise InputError(f"expected 3 folds or more, to test, to validate and to train, got folds={folds}")
        self.folds, self.val, self.seed = int(folds), share("val", val), seed

    def split(self, table: FeatureTable) -> list[Fold]:
        """Raises InputError with fewer groups than folds, or where one group holds all of a class."""
        what = "group" if known(table, "group") else "speaker"
        groups = groups_by(table, what, labelled(table), hint=SPEAKER_HINT)
        require_groups(groups, self.folds, what, f"folds={self.folds}")
        require_every_class(table, groups, what)
        parts = groups.draw_folds(self.folds, self.seed)
        names = [str(number + 1) for number in range(self.folds)]
        return _one_part_out(table, groups, parts, names, self.val, self.seed)


class RepeatedGroupKFold:
    """`GroupKFold`, again and again by other divisions: every row is tested `repeats` times.

    Args:
        folds: of each repeat, 3 at least.
        repeats: how many divisions.
        val: share of the other rows to validate on, in whole groups.
        seed: another seed, other divisions.
    """

    def __init__(self, *, folds: int = 5, repeats: int = 3, val: float = 0.15, seed: int = 1) -> None:
        if repeats < 2:
            raise InputError(f"expected 2 repeats or more, got repeats={repeats}", hint="One is split=group_kfold.")
        self.seed = seed
        self.rounds = [GroupKFold(folds=folds, val=val, seed=seed + 1_000 * number) for number in range(int(repeats))]

    def split(self, table: FeatureTable) -> list[Fold]:
        """Folds `1-1`, `1-2`, … `repeats-folds`. Raises as `GroupKFold` does; warns where a division comes twice."""
        divisions = [division.split(table) for division in self.rounds]
        kinds = {frozenset(fold.test.tobytes() for fold in folds) for folds in divisions}
        if len(kinds) < len(divisions):
            log.warning(
                "split=repeated: %d repeats, but only %d different divisions: there are hardly more groups than folds. "
                "A repeat then differs in its validation rows at most; take fewer folds, or seeds=[1,2,3]",
                len(divisions),
                len(kinds),
            )
        return [
            replace(fold, name=f"{number}-{fold.name}")
            for number, folds in enumerate(divisions, start=1)
            for fold in folds
        ]


class RandomSplit:
    """One fold by rows, for tables that know no speakers; rows of the same words stay together.

    It cannot show how well the classifier does on speakers it never heard, and its fold says so.

    Args:
        test: share of the rows to test on.
        val: share of the rows to validate on.
        seed: another seed, other rows.
    """

    def __init__(self, *, test: float = 0.2, val: float = 0.15, seed: int = 1) -> None:
        self.shares = _three_shares(test, val)
        self.seed = seed

    def split(self, table: FeatureTable) -> list[Fold]:
        """One fold. Raises InputError where fewer than three different texts are said, or one holds all of a class."""
        groups = groups_by_words(table, labelled(table))
        if len(groups) < 3:
            raise InputError(
                f"expected at least 3 different texts to keep on one side each, got {len(groups)}",
                hint="Divide by speakers instead: split=speaker_disjoint.",
            )
        note = "rows were divided at random: this cannot show how the classifier does on new speakers"
        require_every_class(table, groups, "text")
        return [_drawn(table, groups, self.shares, self.seed, "random", note)]


def _three_shares(test: float, val: float) -> tuple[float, float, float]:
    """Shares of training, test and validation: the order in which a class may least be missing."""
    test, val = share("test", test), share("val", val)
    if test + val >= 1:
        raise InputError(f"test={test} and val={val} leave nothing to train on")
    return 1 - test - val, test, val


def _speakers(table: FeatureTable) -> Groups:
    speakers = groups_by(table, "speaker", labelled(table), hint=SPEAKER_HINT)
    require_groups(speakers, 3, "speaker", "to train, to validate and to test")
    require_every_class(table, speakers, "speaker")
    return speakers


def _drawn(
    table: FeatureTable, groups: Groups, shares: tuple[float, float, float], seed: int, name: str, *notes: str
) -> Fold:
    part = groups.draw_sides(shares, seed)
    train, test, val = (groups.rows_of(part == number) for number in range(3))
    return finished(table, name, train, val, test, notes)


def _one_part_out(
    table: FeatureTable, groups: Groups, parts: Index, names: Sequence[str], val: float, seed: int
) -> list[Fold]:
    """A fold for each part of the groups: it tests, the other groups train and validate."""
    folds = []
    for number, name in enumerate(file_names(names)):
        others = groups.take(parts != number)
        validates = others.draw_sides((1 - val, val), [seed, number]) == 1
        test = groups.rows_of(parts == number)
        folds.append(finished(table, name, others.rows_of(~validates), others.rows_of(validates), test))
    return folds
