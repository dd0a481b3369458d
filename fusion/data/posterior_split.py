"""Who teaches the fusion of given class outputs: rows that the models were not trained on, wherever there are any."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from extractors.errors import InputError
from fusion.data.fold_names import file_names
from fusion.data.folds import Fold, Index, finished, groups_by, known, labelled, share
from fusion.data.natural import natural
from fusion.data.table import FeatureTable


class PosteriorSplit:
    """The division that the class outputs came with: each fold's models are judged on the rows they test.

    A fold's fusion is taught by, in this order:

    - the fold's own `train` rows where the table has them (`learn_from=in_sample`): the protocol of most papers. The
      models knew these rows, are surer of them than of any new one, and the surest is trusted too much;
    - the fold's own `val` rows, on which its models were not trained;
    - the rows that the other folds test. Their models were not trained on them, though on rows of this fold's test:
      cross-fitted as in stacked generalisation (Wolpert 1992), not nested.

    Args:
        val: share of these rows, in whole speakers, that become validation rows.
        seed: another seed, other validation speakers.
    """

    def __init__(self, *, val: float = 0.15, seed: int = 1) -> None:
        self.val, self.seed = share("val", val), seed

    def split(self, table: FeatureTable) -> list[Fold]:
        """A fold for each of the table's, in the order of their names; one where only `split` is known.

        Raises InputError where neither is known, a fold tests nothing, or nothing is left to learn from.
        """
        if not known(table, "split"):
            raise InputError(
                "split=posteriors needs to know which rows each model tested, and the table does not say",
                hint="Name the folds in data.sources.*.files ({fold}, {split}) or give the columns. Where the models were "
                "trained on other data altogether, take any other split: split=speaker_disjoint.",
            )
        rows = labelled(table)
        part = table.rows["split"].iloc[rows].to_numpy(dtype=object)
        fold = _column(table, "fold", rows)
        clip = _column(table, "content", rows)
        names = sorted(set(fold), key=natural)
        folds = []
        for number, (name, file_name) in enumerate(
            zip(names, file_names([n or "posteriors" for n in names]), strict=True)
        ):
            here = fold == name
            test, val, taught = here & (part == "test"), here & (part == "val"), here & (part == "train")
            if not test.any():
                raise InputError(
                    f"fold {name!r} has no row to test on", hint="Its files must say which rows are `test`."
                )
            if not taught.any() and val.any():
                taught, val = val, np.zeros(len(rows), bool)
            elif not taught.any():  # nothing that is tested here may teach, in whichever fold it stands
                taught = ~here & (part == "test") & ~np.isin(clip, clip[test])
            if not taught.any():
                raise InputError(
                    f"fold {name!r} has no rows to learn the fusion from: none but those that it tests",
                    hint="Bring rows that the models were not trained on, or take those they were: data.learn_from=in_sample.",
                )
            train_rows, val_rows, notes = rows[taught], rows[val], []
            if not len(val_rows):
                train_rows, val_rows, note = self._carved(table, train_rows, number)
                notes.append(note)
            folds.append(finished(table, file_name, train_rows, val_rows, rows[test], notes))
        return folds

    def _carved(self, table: FeatureTable, pool: Index, number: int) -> tuple[Index, Index, str]:
        by = "speaker" if known(table, "speaker") else "content"
        groups = groups_by(table, by, pool, hint="Say who speaks: data.sources.NAME.speaker.")
        if len(groups) < 2:
            raise InputError(
                f"all rows that could teach are of one speaker, {groups.names[0]}; none is left to validate"
            )
        chosen = groups.draw_sides((1 - self.val, self.val), [self.seed, number]) == 1
        what = "speakers" if by == "speaker" else "rows, whose speakers are not known,"
        note = f"{int(chosen.sum())} of {len(groups)} {what} that teach the fusion validate it"
        return groups.rows_of(~chosen), groups.rows_of(chosen), note


def _column(table: FeatureTable, name: str, rows: Index) -> NDArray[np.object_]:
    """(rows,) text, "" where not known."""
    if name not in table.rows:
        return np.full(len(rows), "", dtype=object)
    values: pd.Series = table.rows[name].iloc[rows]
    return values.where(values.notna(), "").astype(str).to_numpy(dtype=object)
