"""A table as text, whatever format it came in, and what its readers share."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from fusion.data.problems import Numbering, Positions


@dataclass(frozen=True)
class RawTable:
    """A table as it stands in its file.

    frame    : one `str` column per name; a missing cell is NaN (`isna`), never "" and never the text "NA".
               Columns of Parquet that are neither text nor numbers keep their type.
    rows     : (rows,) int64, the data row of each row of `frame`, from 1; broken rows are left out of `frame`
    lines    : (rows,) int64, the line of the file where the row begins, from 1; None where it is not known (yet)
    broken   : how many rows could not be read
    problems : sentences about these, about names that stand twice, and the like
    hints    : what to do about them
    """

    frame: pd.DataFrame
    rows: Positions
    lines: Positions | None = None
    broken: int = 0
    problems: list[str] = field(default_factory=list)
    hints: list[str] = field(default_factory=list)

    @property
    def numbering(self) -> Numbering:
        return Numbering(self.rows, self.lines)


def text_frame(columns: dict[str, list[str | None]], count: int) -> pd.DataFrame:
    """`count` rows of text as a frame of `str` columns; empty text is missing."""
    index = pd.RangeIndex(count)
    frame = pd.DataFrame({name: pd.array(values, dtype="str") for name, values in columns.items()}, index=index)
    return frame.mask(frame == "") if len(frame.columns) else frame


def unique_names(names: list[str]) -> tuple[list[int], list[str]]:
    """Positions of the first column of each name, and a problem per name that stands twice."""
    first: dict[str, int] = {}
    twice: dict[str, list[int]] = {}
    for position, name in enumerate(names):
        if name in first:
            twice.setdefault(name, [first[name] + 1]).append(position + 1)
        else:
            first[name] = position
    problems = [
        f"column {name!r} stands {len(where)} times: columns {', '.join(map(str, where))}"
        for name, where in twice.items()
    ]
    return list(first.values()), problems


def row_numbers(count: int) -> Positions:
    return np.arange(1, count + 1, dtype=np.int64)
