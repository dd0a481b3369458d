"""What can be wrong with the rows of a manifest, in columns at a time: a million rows take about a second."""

from __future__ import annotations

import numpy as np
import pandas as pd

from fusion.data.columns import SECONDS
from fusion.data.labels import label_problems
from fusion.data.problems import Positions, Problems

NAMES = ("id", "audio", "label", "speaker", "split", "group", "language")  # spaces around these mean nothing
PARTS = {"train": "train", "val": "val", "valid": "val", "validation": "val", "dev": "val", "test": "test"}


def tidy(frame: pd.DataFrame, problems: Problems) -> pd.DataFrame:
    """Spaces around names taken off, blank cells made missing, `start` and `end` as float64 seconds, `split` as in PARTS.

    What cannot be read as a number, or is no split, is noted in `problems`.
    """
    frame = frame.copy(deep=False)
    for name in (*NAMES, "text", *SECONDS):
        values = frame[name]
        if not isinstance(values.dtype, pd.StringDtype):
            problems.of_file.append(f"column {name!r} holds {values.dtype}; expected text or numbers")
            frame[name] = pd.Series(pd.array([None] * len(frame), dtype="str"), index=frame.index)
            continue
        stripped = values.str.strip()
        frame[name] = (values if name == "text" else stripped).mask(stripped == "")
    for name in SECONDS:
        frame[name] = _seconds(name, frame[name], problems)
    frame["split"] = _parts(frame["split"], problems)
    return frame


def check_rows(
    frame: pd.DataFrame, problems: Problems, rows: Positions, *, require_label: bool, known: set[str], complete: bool
) -> None:
    """Note every row of a tidy `frame` that cannot be used. Only the columns `known` to the file are asked for.

    `rows` are the numbers by which the user knows the rows. Where the frame is not `complete`, as some rows could not
    even be read, nothing is said of how often a label occurs.
    """
    silent = (frame["audio"].isna() & frame["text"].isna()).to_numpy()
    empty = silent & (frame["id"].isna() & frame["label"].isna()).to_numpy()
    problems.add_rows("is empty", empty)
    if "id" in known:
        problems.add_rows("no id", frame["id"].isna().to_numpy() & ~empty)
        _check_ids(frame["id"], rows, problems)
    if {"audio", "text"} & known and require_label:  # a row to predict that says nothing is answered with an error
        problems.add_rows("neither audio nor text", silent & ~empty)
    _check_times(frame, problems)
    if require_label and "label" in known and len(frame):
        problems.add_rows("no label", frame["label"].isna().to_numpy() & ~empty)
        label_problems(frame["label"], problems, complete=complete)


def _seconds(name: str, texts: pd.Series, problems: Problems) -> pd.Series:
    """(rows,) float64; NaN where nothing stands."""
    if texts.isna().all():
        return pd.Series(np.nan, index=texts.index, dtype="float64")
    numbers = pd.to_numeric(texts, errors="coerce").astype("float64")
    given = texts.notna()

    def shown(position: int) -> str:
        hint = ", not h:m:s" if ":" in texts.iloc[position] else ""
        return f"{name} is {texts.iloc[position]!r}; expected seconds{hint}"

    finite = numbers.abs() < np.inf
    problems.add_rows(f"{name} is not a number of seconds", (given & ~finite).to_numpy(), shown)
    problems.add_rows(
        f"{name} is negative",
        (finite & (numbers < 0)).to_numpy(),
        lambda position: f"{name} is negative: {numbers.iloc[position]:g} s",
    )
    return numbers.where(finite)


def _parts(values: pd.Series, problems: Problems) -> pd.Series:
    parts = values.str.lower().map(PARTS).astype("str")
    unknown = values.notna() & parts.isna()
    problems.add_rows(
        "split is not train, val or test",
        unknown.to_numpy(),
        lambda position: f"split is {values.iloc[position]!r}; expected train, val or test",
    )
    return parts


def _check_ids(ids: pd.Series, rows: Positions, problems: Problems) -> None:
    again = (ids.duplicated() & ids.notna()).to_numpy()

    def first(position: int) -> str:
        row = rows[int(np.argmax((ids == ids.iloc[position]).to_numpy()))]
        return f"id {ids.iloc[position]!r} is that of row {row} already"

    problems.add_rows("the id of another row", again, first)


def _check_times(frame: pd.DataFrame, problems: Problems) -> None:
    start, end = frame["start"], frame["end"]
    backwards = (end <= start.fillna(0.0)) & (end >= 0)
    problems.add_rows(
        "end before start",
        backwards.to_numpy(),
        lambda position: f"end before start: {start.fillna(0.0).iloc[position]:g} s to {end.iloc[position]:g} s",
    )
