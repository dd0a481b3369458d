"""From run folders to everything that is shown of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from extractors.errors import InputError
from fusion.comparison.folders import find_runs
from fusion.comparison.groups import Breakdown, break_down
from fusion.comparison.pairs import Pair, compare_pairs
from fusion.comparison.rows import Row, build_rows
from fusion.comparison.run import read_runs
from fusion.evaluation.bootstrap import DRAWS, LEVEL

LEAST_DRAWS = 200


@dataclass(frozen=True)
class Comparison:
    """Rows, every two of them, and the breakdowns asked for; `notes` on what the reader must know of the choice."""

    rows: list[Row]
    pairs: list[Pair]
    breakdowns: list[Breakdown]
    notes: list[str]
    draws: int
    level: float

    @property
    def comparable(self) -> bool:
        """Whether all rows were tested on the same utterances, so that the best may be called so."""
        tested = [{part.seed: part.tested for part in row.replicates} for row in self.rows]
        same = len({tests for row in tested for tests in row.values()}) == 1 or all(row == tested[0] for row in tested)
        return same and not any(pair.match.refused for pair in self.pairs)


def compare(
    runs: Sequence[str | Path],
    *,
    by: Sequence[str] = (),
    draws: int = DRAWS,
    level: float = LEVEL,
    seed: int = 0,
    min_common: float = 0.5,
    min_rows: int = 20,
    unfinished: str = "refuse",
) -> Comparison:
    """Read finished runs and set them side by side.

    Args:
        runs: run folders, folders above them (a sweep), or patterns.
        by: columns to break accuracy down by: speaker, fold, label, or any that the manifest had.
        draws: bootstrap draws.
        level: of the intervals.
        seed: of the draws.
        min_common: the least share of test rows that two runs must have in common to be paired.
        min_rows: utterances that a group needs to count for the gap.
        unfinished: "refuse" runs that are not finished, or "skip" them.

    Raises InputError with everything wrong with the runs or these settings.
    """
    _check(draws, level, min_common, min_rows)
    folders, notes = find_runs(runs, unfinished=unfinished)
    rows, more = build_rows(read_runs(folders), draws=draws, seed=seed, level=level)
    return Comparison(
        rows=rows,
        breakdowns=break_down(
            rows, list(dict.fromkeys(by)), min_rows=min_rows, draws=draws, seed=seed, level=level
        ),  # before the pairs: a misspelt column is told at once
        pairs=compare_pairs(rows, draws=draws, seed=seed, level=level, min_common=min_common),
        notes=notes + more,
        draws=draws,
        level=level,
    )


def _check(draws: int, level: float, min_common: float, min_rows: int) -> None:
    problems = []
    if draws < LEAST_DRAWS:
        problems.append(f"draws: expected {LEAST_DRAWS} or more, got {draws}")
    if not 0 < level < 1:
        problems.append(f"level: expected a share between 0 and 1, got {level}")
    if not 0 < min_common <= 1:
        problems.append(f"min_common: expected a share above 0 and up to 1, got {min_common}")
    if min_rows < 1:
        problems.append(f"min_rows: expected 1 or more, got {min_rows}")
    if problems:
        raise InputError("settings of the comparison", problems)
