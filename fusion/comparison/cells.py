"""How figures are written in the tables of a comparison."""

from __future__ import annotations

from collections.abc import Sequence

from fusion.comparison.rows import Estimate, Row
from fusion.comparison.table import Cell
from fusion.evaluation.tables import number, span

TITLES = {
    "wa": "WA", "ua": "UA", "macro_f1": "macro F1", "weighted_f1": "weighted F1", "ece": "ECE", "nll": "NLL",
    "brier": "Brier",
}  # fmt: skip
LEAKED = "†"
NONE = "–"


def marked(row: Row) -> str:
    """The row's name, with a dagger where a leak was let pass."""
    return f"{row.name} {LEAKED}" if row.leaked else row.name


def estimate(entry: Estimate, bold: bool = False) -> Cell:
    """The value, of several seeds with their deviation behind ±; the interval stands apart, as small print."""
    text = number(entry.value) if entry.sd is None else f"{number(entry.value)} ± {number(entry.sd)}"
    return Cell(text, span({"low": entry.low, "high": entry.high}), bold)


def p_text(p: float | None) -> str:
    """Three decimals, never zero.

    >>> p_text(0.0341), p_text(0.0001), p_text(None)
    ('0.034', '<0.001', '–')
    """
    return NONE if p is None else "<0.001" if p < 0.0005 else f"{p:.3f}"


def resampled(rows: Sequence[Row]) -> str:
    """What the intervals of the rows are over: "speakers", or "utterances" where speakers were too few."""
    return " or ".join(dict.fromkeys(f"{row.interval['unit']}s" for row in rows))


def percent(level: float) -> str:
    """`95 %`."""
    return f"{level:.0%}".replace("%", " %")


def sizes(counts: list[int]) -> str:
    """How many seeds or runs, where that may differ.

    >>> sizes([3, 3]), sizes([2, 5])
    ('n=3', 'n=2 to 5')
    """
    return f"n={min(counts)}" if min(counts) == max(counts) else f"n={min(counts)} to {max(counts)}"
