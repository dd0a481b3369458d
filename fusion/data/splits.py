"""Who trains, who validates, who tests. The default keeps every speaker on one side.

What the folds then still share (words, files) is the business of `fusion.data.leakage`.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence

import numpy as np

from extractors.errors import InputError
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

__all__ = ["ColumnSplit", "Fold", "GroupKFold", "LeaveOneSpeakerOut", "RandomSplit", "SpeakerDisjoint", "Split"]

log = logging.getLogger(__name__)

SPEAKER_HINT = (
    "Add a `speaker` column (any name or number that tells people apart). Where the sides are given, use split=column; "
    "where rows belong together otherwise, a `group` column and split=group_kfold. split=random needs neither, and "
    "cannot show how the classifier does on new speakers."
)
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


class ColumnSplit:
    """The table's own `split` column: train, val, test. Rows without an entry are left out.

    Args:
        val: where the column has no val, this share of its training rows, in whole speakers if they are known.
        seed: another seed, other validation rows.
    """

    def __init__(self, *, val: float = 0.15, seed: int = 1) -> None:
        self.val, self.seed = share("val", val), seed

    def split(self, table: FeatureTable) -> list[Fold]:
        """One fold. Raises InputError without such a column, or where it has no train or no test."""
        if not known(table, "split"):
            raise InputError(
                "split=column needs a `split` column that says train, val or test, and the table has none",
                hint="Or let Emofuse divide by speakers: split=speaker_disjoint.",
            )
        rows = labelled(table)
        says = table.rows["split"].iloc[rows]
        part = {name: rows[(says == name).to_numpy()] for name in ("train", "val", "test")}
        unknown = sorted(set(map(str, says.dropna().unique())) - set(part))
        empty = [name for name in ("train", "test") if not len(part[name])]
        if unknown or empty:
            problems = [f"no row is {name}" for name in empty] + [f"{name!r} is none of these" for name in unknown]
            raise InputError("the split column: expected train, test and perhaps val", problems)
        notes = []
        if left_out := int(says.isna().sum()):
            notes.append(f"rows left out, as their split is empty: {left_out:,}")
        if not len(part["val"]):
            part["train"], part["val"], note = _carve(table, part["train"], self.val, self.seed)
            notes.append(note)
        return [finished(table, "column", part["train"], part["val"], part["test"], notes)]


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
    for number, name in enumerate(_file_names(names)):
        others = groups.take(parts != number)
        validates = others.draw_sides((1 - val, val), [seed, number]) == 1
        test = groups.rows_of(parts == number)
        folds.append(finished(table, name, others.rows_of(~validates), others.rows_of(validates), test))
    return folds


def _file_names(names: Sequence[str]) -> list[str]:
    """Names that may stand in a path, for a fold has a folder of its own; still distinct."""
    plain = [re.sub(r"[^\w.-]|^\.", "_", name) or "_" for name in names]
    return [f"{name}-{number}" if plain.count(name) > 1 else name for number, name in enumerate(plain)]


def _carve(table: FeatureTable, train: Index, val: float, seed: int) -> tuple[Index, Index, str]:
    """Validation rows out of the training rows: in whole speakers, or where that cannot be, in whole sentences."""
    speakers = table.rows["speaker"].iloc[train] if known(table, "speaker") else None
    if speakers is not None and speakers.notna().all() and speakers.nunique() > 1:
        groups = groups_by(table, "speaker", train, hint=SPEAKER_HINT)
        how = "training speakers"
    else:
        groups = groups_by_words(table, train)
        how = "training rows, whose speakers are not known,"
    if len(groups) < 2:
        raise InputError("the split column has no val, and the training rows are too few to spare any")
    part = groups.draw_sides((1 - val, val), seed)
    rows = groups.rows_of(part == 1)
    count = f"{int((part == 1).sum())} of {len(groups)} {how}" if how == "training speakers" else f"some {how}"
    note = f"no row is val: {count} ({len(rows):,} rows) validate instead"
    return groups.rows_of(part == 0), rows, note
