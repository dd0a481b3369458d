"""The division that the table brings along: its sides, or its official folds."""

from __future__ import annotations

import pandas as pd

from extractors.errors import InputError
from fusion.data.carving import carve
from fusion.data.fold_names import file_names
from fusion.data.folds import Fold, Index, finished, known, labelled, share
from fusion.data.manifest_checks import PARTS
from fusion.data.natural import natural
from fusion.data.table import FeatureTable


class ColumnSplit:
    """The table's own division, as one of its columns says. Rows without an entry are left out.

    Where the column says train, val and test, it is one fold. Otherwise its values are the official folds: each is
    tested once, on a model of the others.

    Args:
        column: of the table.
        val: where the column has no val, this share of the training rows, in whole speakers if they are known.
        seed: another seed, other validation rows.
    """

    def __init__(self, *, column: str = "split", val: float = 0.15, seed: int = 1) -> None:
        self.column, self.val, self.seed = column, share("val", val), seed

    def split(self, table: FeatureTable) -> list[Fold]:
        """One fold, or as many as the column has values. Raises InputError without such a column, or a side of it."""
        if not known(table, self.column):
            raise InputError(
                f"split=column needs a `{self.column}` column that says train, val or test, or the fold that tests a row; "
                "the table has none",
                hint="split.column=NAME takes another column (declare it: data.extra_columns=[NAME]). Or let Emofuse divide "
                "by speakers: split=speaker_disjoint.",
            )
        rows = labelled(table)
        says = table.rows[self.column].iloc[rows].astype(object)
        sides = says.astype("str").str.lower().map(PARTS)
        if set(sides.dropna()) & {"train", "test"}:
            return self._sides(table, rows, sides.where(sides.notna(), says))
        values = sorted(map(str, says.dropna().unique()), key=natural)
        if len(values) < 2:
            raise InputError(f"the column `{self.column}` has one value, {values[0]!r}; expected two folds or more")
        notes = _left_out(says, self.column)
        folds = []
        for number, (name, value) in enumerate(zip(file_names(values), values, strict=True)):
            tested = (says.astype(str) == value).to_numpy() & says.notna().to_numpy()
            others = rows[~tested & says.notna().to_numpy()]
            train, val, note = carve(table, others, self.val, [self.seed, number])
            folds.append(finished(table, name, train, val, rows[tested], [*notes, note]))
        return folds

    def _sides(self, table: FeatureTable, rows: Index, says: pd.Series) -> list[Fold]:
        part = {name: rows[(says == name).to_numpy()] for name in ("train", "val", "test")}
        unknown = sorted(set(map(str, says.dropna().unique())) - set(part))
        empty = [name for name in ("train", "test") if not len(part[name])]
        if unknown or empty:
            problems = [f"no row is {name}" for name in empty] + [f"{name!r} is none of these" for name in unknown]
            raise InputError(f"the {self.column} column: expected train, test and perhaps val", problems)
        notes = _left_out(says, self.column)
        if not len(part["val"]):
            part["train"], part["val"], note = carve(table, part["train"], self.val, self.seed)
            notes.append(f"no row is val: {note} instead")
        return [finished(table, "column", part["train"], part["val"], part["test"], notes)]


def _left_out(says: pd.Series, column: str) -> list[str]:
    count = int(says.isna().sum())
    return [f"rows left out, as their {column} is empty: {count:,}"] if count else []
