"""What is wrong with the rows of a table, gathered as arrays and told in the user's own row numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Positions = NDArray[np.int64]

SHOWN_EACH = 5  # rows of one kind that get a line of their own
UNUSABLE_AUDIO = "audio that cannot be used"
SHOWN_RANGES = 20  # ranges of row numbers in the line that sums up the rest


@dataclass(frozen=True)
class Finding:
    """One kind of problem.

    what      : the problem in a few words, as it fits many rows ("no label")
    positions : (n,) int64, the rows of the frame that have it
    detail    : position -> the problem of that row; only asked for the rows that are shown
    """

    what: str
    positions: Positions
    detail: Callable[[int], str] | None = None


@dataclass(frozen=True)
class Numbering:
    """Positions in a frame -> what the user calls them: the data row, from 1, and the file's line where it differs."""

    rows: Positions
    lines: Positions | None = None

    def name(self, position: int) -> str:
        row = int(self.rows[position])
        if self.lines is None or int(self.lines[position]) == row:
            return f"row {row}"
        return f"row {row} (line {int(self.lines[position])})"


@dataclass
class Problems:
    """Everything found so far: whole sentences about the file, and findings about its rows."""

    of_file: list[str] = field(default_factory=list)
    of_rows: list[Finding] = field(default_factory=list)

    def add_rows(self, what: str, where: NDArray[np.bool_], detail: Callable[[int], str] | None = None) -> None:
        """Note `what` of the rows where `where`, (rows,) bool, is true; nothing where it is nowhere true."""
        positions = np.flatnonzero(np.asarray(where, dtype=bool))
        if len(positions):
            self.of_rows.append(Finding(what, positions, detail))

    @property
    def count(self) -> int:
        return len(self.of_file) + sum(len(finding.positions) for finding in self.of_rows)

    def tell(self, numbering: Numbering) -> list[str]:
        """One line a problem; beyond `SHOWN_EACH` of a kind, one line with the other row numbers.

        >>> problems = Problems(["no column 'label'"])
        >>> problems.add_rows("no id", np.arange(9) > 1)
        >>> print(*problems.tell(Numbering(np.arange(1, 10))), sep=chr(10))
        no column 'label'
        row 3: no id
        row 4: no id
        row 5: no id
        row 6: no id
        row 7: no id
        no id in 2 more rows: 8-9
        """
        lines = list(self.of_file)
        for finding in self.of_rows:
            shown = finding.positions if len(finding.positions) <= SHOWN_EACH + 1 else finding.positions[:SHOWN_EACH]
            for position in map(int, shown):
                what = finding.detail(position) if finding.detail else finding.what
                lines.append(f"{numbering.name(position)}: {what}")
            rest = finding.positions[len(shown) :]
            if len(rest):
                lines.append(f"{finding.what} in {len(rest):,} more rows: {ranges(numbering.rows[rest])}")
        return lines


def ranges(numbers: Iterable[int]) -> str:
    """Ascending whole numbers, neighbours joined; at most `SHOWN_RANGES` of them.

    >>> ranges([1, 2, 3, 7, 9, 10])
    '1-3, 7, 9-10'
    """
    values = np.fromiter(numbers, dtype=np.int64)
    breaks = np.flatnonzero(np.diff(values) != 1)
    firsts, lasts = values[np.r_[0, breaks + 1]], values[np.r_[breaks, len(values) - 1]]
    parts = [f"{a}" if a == b else f"{a}-{b}" for a, b in zip(firsts[:SHOWN_RANGES], lasts[:SHOWN_RANGES], strict=True)]
    return ", ".join(parts) + (", …" if len(firsts) > SHOWN_RANGES else "")
