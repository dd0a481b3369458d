"""Validation rows out of training rows, for splits that are given no validation side."""

from __future__ import annotations

from collections.abc import Sequence

from extractors.errors import InputError
from fusion.data.folds import Index, groups_by, groups_by_words, known
from fusion.data.table import FeatureTable

SPEAKER_HINT = (
    "Add a `speaker` column (any name or number that tells people apart). Where the sides are given, use split=column; "
    "where rows belong together otherwise, a `group` column and split=group_kfold. split=random needs neither, and "
    "cannot show how the classifier does on new speakers."
)


def carve(
    table: FeatureTable, train: Index, val: float, seed: int | Sequence[int], *, by: str | None = None
) -> tuple[Index, Index, str]:
    """Validation rows out of the training rows, about the share `val` of them: in whole speakers; where that cannot be, in
    whole groups of the column `by`, or in whole sentences.

    Returns the rows that train, those that validate, and a sentence that says how. Raises InputError where the rows
    are of one speaker, group or sentence alone.
    """
    speakers = table.rows["speaker"].iloc[train] if known(table, "speaker") else None
    if speakers is not None and speakers.notna().all() and speakers.nunique() > 1:
        groups = groups_by(table, "speaker", train, hint=SPEAKER_HINT)
        how = "training speakers"
    elif by is not None:
        groups = groups_by(table, by, train, hint=SPEAKER_HINT)
        how = f"training {by}s"
    else:
        groups = groups_by_words(table, train)
        how = "training rows, whose speakers are not known,"
    if len(groups) < 2:
        raise InputError("there are no rows set apart to validate on, and the training rows are too few to spare any")
    part = groups.draw_sides((1 - val, val), seed)
    rows = groups.rows_of(part == 1)
    count = f"some {how}" if how.endswith(",") else f"{int((part == 1).sum())} of {len(groups)} {how}"
    note = f"{count} ({len(rows):,} rows) validate"
    return groups.rows_of(part == 0), rows, note
