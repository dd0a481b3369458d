"""Columns of a table that came as text, and all that is wrong with them, row by row."""

from __future__ import annotations

import difflib
import math
from collections.abc import Collection, Sequence
from pathlib import Path

import pandas as pd

from extractors.errors import InputError
from fusion.data.problems import Positions


class Columns:
    """A table of text, asked for numbers and names. Problems gather until `raise_problems`."""

    def __init__(self, path: Path, frame: pd.DataFrame, *, rows: Positions, problems: list[str]) -> None:
        self.path, self.frame, self.problems = path, frame, problems
        self._rows = rows

    def need(self, *names: str) -> None:
        """These must be there."""
        there = list(map(str, self.frame.columns))
        for name in names:
            if name not in there:
                near = difflib.get_close_matches(name, there, n=1, cutoff=0.5)
                self.problems.append(f"no column {name!r}" + (f" (is it {near[0]!r}?)" if near else ""))

    def refuse_others(self, known: Collection[str]) -> None:
        """A column that nothing reads is most likely a misspelt name."""
        for name in map(str, self.frame.columns):
            if name not in known:
                near = difflib.get_close_matches(name, sorted(known), n=1, cutoff=0.5)
                self.problems.append(f"unknown column {name!r}" + (f"; did you mean {near[0]!r}?" if near else ""))

    def tell(self, row: int, problem: str) -> None:
        self.problems.append(f"row {self._rows[row]}: {problem}")

    def texts(self, name: str) -> list[str | None]:
        """The column's cells; None where a cell is empty, or there is no such column."""
        if name not in self.frame:
            return [None] * len(self.frame)
        column = self.frame[name]
        return [None if empty else str(value) for value, empty in zip(column, column.isna(), strict=True)]

    def numbers(self, name: str, *, low: float, high: float, what: str, empty: float | None = None) -> list[float]:
        """The column as numbers from `low` to `high`; what is not is told, an empty cell too unless `empty` stands in."""
        parsed = pd.to_numeric(self.frame[name], errors="coerce").to_numpy(float)
        missing = self.frame[name].isna().to_numpy()
        out = []
        for row, (value, is_empty) in enumerate(zip(parsed, missing, strict=True)):
            if is_empty and empty is not None:
                out.append(empty)
                continue
            if not low <= value <= high or math.isinf(value):
                came = "nothing" if is_empty else repr(self.frame[name].iloc[row])
                self.tell(row, f"{name}: expected {what}, got {came}")
            out.append(float(value))
        return out

    def spans(self) -> tuple[list[float], list[float]]:
        """`start` and `end` in seconds, each end after its start."""
        starts = self.numbers("start", low=0.0, high=math.inf, what="seconds from 0")
        ends = self.numbers("end", low=0.0, high=math.inf, what="seconds from 0")
        for row, (start, end) in enumerate(zip(starts, ends, strict=True)):
            if end < start:
                self.tell(row, f"ends at {end:g} s, before it starts at {start:g} s")
        return starts, ends

    def raise_problems(self, hint: str | None = None) -> None:
        """InputError with all of them, where there are any."""
        if self.problems:
            plural = "s" if len(self.problems) > 1 else ""
            raise InputError(f"{self.path}: {len(self.problems)} problem{plural}", _sorted(self.problems), hint=hint)


def _sorted(problems: Sequence[str]) -> list[str]:
    """Those of the file first, then by row."""

    def place(problem: str) -> int:
        number = problem.removeprefix("row ").split(":")[0]
        return int(number) if problem.startswith("row ") and number.isdigit() else 0

    return sorted(problems, key=place)
