"""Models side by side: rows joined by id, classes compared by name, and what does not fit."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fusion.data.posterior_files import WORDS, Outputs

ABOUT = ("label", "speaker", "text", "group")  # said of a clip, whatever the fold; fold and split are the row's own
SHOWN = 5  # ids that a message names


def class_problems(classes: Mapping[str, Sequence[str]]) -> list[str]:
    """In what the models' classes differ from the first one's."""
    (first, known), *others = classes.items() or [("", ())]
    return [line for name, found in others for line in difference(first, known, name, found)]


def difference(one: str, known: Sequence[str], other: str, found: Sequence[str]) -> list[str]:
    lacks = [f"{label!r}{near(label, found)}" for label in known if label not in found]
    more = [f"{label!r}{near(label, known)}" for label in found if label not in known]
    told = [f"only {one}: {', '.join(lacks)}"] if lacks else []
    return told + ([f"only {other}: {', '.join(more)}"] if more else [])


def near(name: str, among: Sequence[str]) -> str:
    by_case = {other.casefold(): other for other in among}
    close = difflib.get_close_matches(name.casefold(), list(by_case), n=1, cutoff=0.75)
    return f" ({by_case[close[0]]!r} there: write both one way)" if close and by_case[close[0]] != name else ""


def twice(name: str, rows: pd.DataFrame) -> list[str]:
    """Rows that a model has twice: in one part, or in two parts of a fold."""
    told = []
    for fold, part in rows.groupby("fold", dropna=False, sort=False):
        where = "" if pd.isna(fold) else f" in fold {fold!r}"
        again = part["id"][part.duplicated(["id", "split"])]
        if len(again):
            told.append(f"{name}: ids that stand more than once{where}: {some(again.unique())}")
        torn = part["id"][part.duplicated("id") & ~part.duplicated(["id", "split"])]
        if len(torn):
            told.append(f"{name}: ids in two of train, val and test{where}: {some(torn.unique())}")
    sides = rows[rows["fold"].notna() & (rows["split"].isna() | (rows["split"] == "test"))]
    often = sides["id"][sides.duplicated("id") & ~sides.duplicated(["fold", "id"])]
    return told + ([f"{name}: ids that more than one fold tests: {some(often.unique())}"] if len(often) else [])


def split_problems(read: Mapping[str, Outputs]) -> list[str]:
    """Rows that one model was trained on and another is tested on, in the same fold."""
    parts = [
        outputs.rows[["fold", "id", "split"]].assign(model=name) for name, outputs in read.items() if _folded(outputs)
    ]
    if len(parts) < 2:
        return []
    both = pd.concat(parts, ignore_index=True).fillna({"split": "test"})
    torn = both.groupby(["fold", "id"])["split"].nunique()
    torn = torn[torn > 1]
    if not len(torn):
        return []
    fold, id = torn.index[0]
    sides = both[(both["fold"] == fold) & (both["id"] == id)]
    said = ", ".join(f"{side} for {model}" for model, side in zip(sides["model"], sides["split"], strict=True))
    return [
        f"{len(torn):,} rows are on different sides of a fold for different models: {id!r} of fold {fold!r} is {said}"
    ]


def _folded(outputs: Outputs) -> bool:
    return bool(outputs.rows["fold"].notna().any())


def joined_rows(read: Mapping[str, Outputs]) -> pd.DataFrame:
    """fold, id and split of every row of the table: clip by fold where any model has folds, else clip."""
    folded = [outputs.rows for outputs in read.values() if _folded(outputs)]
    parts = folded or [outputs.rows for outputs in read.values()]
    rows = pd.concat(parts, ignore_index=True)[["fold", "id", "split"]]
    # whoever has folds and says no more has rows that were tested
    rows["split"] = rows["split"].where(rows["split"].notna() | rows["fold"].isna(), "test")
    rows = rows.sort_values("split", key=lambda column: column.isna(), kind="stable")  # who knows the part comes first
    return rows.drop_duplicates(["fold", "id"]).sort_index().reset_index(drop=True)


def places(own: pd.DataFrame, rows: pd.DataFrame) -> NDArray[np.int64]:
    """(rows,) int64, where each row of the table stands in a model's own, -1 where it does not."""
    names = ["fold", "id"] if own["fold"].notna().any() else ["id"]
    there, wanted = (pd.MultiIndex.from_frame(frame[names].fillna("")) for frame in (own, rows))
    return there.get_indexer(wanted).astype(np.int64)


def words_by_id(read: Sequence[tuple[str, Outputs]], problems: list[str]) -> dict[str, dict[str, str]]:
    """Word -> id -> what the files say, which must be the same wherever they say it."""
    found: dict[str, dict[str, str]] = {}
    for word in ABOUT:
        said = pd.concat([outputs.rows[["id", word]].assign(source=name) for name, outputs in read], ignore_index=True)
        said = said[said[word].notna()].drop_duplicates(["id", word])
        torn = said[said["id"].duplicated(keep=False)]
        if len(torn):
            id = torn["id"].iloc[0]
            first = torn[torn["id"] == id]
            both = ", ".join(f"{value!r} ({name})" for value, name in zip(first[word], first["source"], strict=True))
            problems.append(f"{torn['id'].nunique():,} ids have more than one {word}: {id!r} has {both}")
        found[word] = dict(zip(said["id"], said[word], strict=True))
    return found


def identified(rows: pd.DataFrame) -> pd.DataFrame:
    """The columns that every table has, and fold and label. Where a clip stands in several folds, the row that is tested
    keeps the clip's name.
    """
    rows = rows.copy()
    again = (rows["split"].isin(["train", "val"]) & rows["fold"].notna()).to_numpy()
    rows.loc[again, "id"] = rows["id"][again] + " in fold " + rows["fold"][again].astype(str)
    columns = ["id", *(word for word in WORDS if word not in ("id", "label")), "content", "label"]
    return rows[columns].astype(object).where(rows[columns].notna(), None)


def some(ids: Iterable[object]) -> str:
    """The first few, and how many more there are."""
    names = list(map(str, ids))
    return ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN:,} more" if len(names) > SHOWN else "")
