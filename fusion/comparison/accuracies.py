"""Accuracy taken apart: with one modality shown, and by the columns of the data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fusion.comparison.cells import NONE, TITLES, estimate, marked, percent, resampled, sizes
from fusion.comparison.compare import Comparison
from fusion.comparison.groups import ACCURACIES, Breakdown, Gap, Group
from fusion.comparison.table import Cell, Table
from fusion.evaluation.bootstrap import MIN_SPEAKERS
from fusion.evaluation.results import mean_and_deviation
from fusion.evaluation.tables import number, span

SHOWN_ALONE = {"both": "both", "all": "all", "speech": "speech only", "text": "text only"}
TOGETHER = ("both", "all")


def checkpoint_table(found: Comparison) -> Table | None:
    """Accuracy of the fusion checkpoint with only one modality shown; None where no run tells."""
    told = {
        row.name: [run.results["one_checkpoint"] for run in row.runs if run.results.get("one_checkpoint")]
        for row in found.rows
    }
    shown = [name for entries in told.values() for entry in entries for name in entry if entry[name]]
    order = sorted(dict.fromkeys(shown), key=lambda name: name in TOGETHER)
    if not order:
        return None
    lines = []
    for row in found.rows:
        entries = told[row.name]
        if len(entries) == len(row.runs):
            line = [_pooled(entries, name, metric) for name in order for metric in ("ua", "wa")]
        else:
            line = [Cell(NONE)] * (2 * len(order))
        lines.append([Cell(marked(row)), *line])
    columns = ["", *(f"{TITLES[metric]}, {SHOWN_ALONE.get(n, f'{n} only')}" for n in order for metric in ("ua", "wa"))]
    notes = ["One checkpoint, the fusion's, with only that modality shown; on the test rows that have all of them."]
    several = [len(row.runs) for row in found.rows if len(row.runs) > 1]
    if several:
        notes.append(
            f"mean ± sd (sample, {sizes(several)} runs of different seeds); else intervals over {resampled(found.rows)}."
        )
    if any(len(run.seeds) > 1 for row in found.rows for run in row.runs):
        notes.append("A run of several seeds is pooled over them.")
    missing = [row.name for row in found.rows if len(told[row.name]) < len(row.runs)]
    if missing:
        notes.append(f"{NONE}: not recorded by {', '.join(missing)}.")
    places = [*range(2, len(columns), 2), *range(1, len(columns) - 2, 2)]  # WA first; UA of both stays
    optional = [(place,) for place in places]
    return Table(
        "one-checkpoint", "One checkpoint with speech only, text only and both", columns, lines, notes, optional
    )


def groups_table(found: Comparison, breakdown: Breakdown) -> Table:
    """A line for each group, two columns for each row."""
    columns = [breakdown.column, "n", "speakers", "classes"]
    columns += [f"{TITLES[metric]}, {row.name}" for row in found.rows for metric in ACCURACIES]
    lines = []
    for value in breakdown.values:
        own = {name: _of(groups, value) for name, groups in breakdown.groups.items()}
        some = [group for group in own.values() if group]
        line = [Cell(value or "(none)")]
        line += [Cell(_range([getattr(group, key) for group in some])) for key in ("n", "speakers", "classes")]
        for row in found.rows:
            group = own[row.name]
            line += [estimate(group.metrics[metric]) if group else Cell(NONE) for metric in ACCURACIES]
        lines.append(line)
    notes = [
        f"Intervals, {percent(found.level)} over speakers, where a group has {MIN_SPEAKERS} speakers or more. UA is over "
        "the classes that a group has (column classes); groups of different classes are not alike in it."
    ]
    if any(len(row.seeds) > 1 for row in found.rows):
        notes.append("Rows of several seeds: mean over seeds, with the sample standard deviation after ±.")
    wa = tuple(range(5, len(columns), 2))
    optional = [(2, 3), wa, *((place,) for place in range(len(columns) - 2, 5, -2))]  # then the later rows
    return Table(f"by-{breakdown.column}", f"Accuracy by {breakdown.column}", columns, lines, notes, optional)


def gaps_table(found: Comparison, breakdown: Breakdown) -> Table:
    """A line for each row: how far apart its best and worst groups are."""
    columns = ["", *(text for metric in ACCURACIES for text in (f"{TITLES[metric]} gap", "best", "worst"))]
    texts = {metric: [_gap_text(breakdown.gaps[row.name][metric]) for row in found.rows] for metric in ACCURACIES}
    lines = [
        [Cell(marked(row)), *(cell for metric in ACCURACIES for cell in texts[metric][place])]
        for place, row in enumerate(found.rows)
    ]
    notes = [
        f"Greatest minus least among groups of {breakdown.min_rows} utterances or more. It is above zero even where all "
        "groups are alike, the more so the more there are and the smaller they are."
    ]
    return Table(f"gap-{breakdown.column}", f"Gap by {breakdown.column}", columns, lines, notes)


def _pooled(entries: list[Mapping[str, Any]], shown: str, metric: str) -> Cell:
    found = [entry[shown][metric] for entry in entries if entry.get(shown)]
    if len(found) < len(entries):
        return Cell(NONE)
    if len(found) == 1:
        return Cell(number(found[0]["value"]), span(found[0]))
    over_runs = mean_and_deviation([entry["value"] for entry in found])
    return Cell(f"{number(over_runs['mean'])} ± {number(over_runs['std_sample'])}")


def _of(groups: list[Group], value: str) -> Group | None:
    return next((group for group in groups if group.value == value), None)


def _range(values: list[int]) -> str:
    """One number, or from-to where the rows do not agree."""
    return f"{min(values):,}" if min(values) == max(values) else f"{min(values):,}–{max(values):,}"


def _gap_text(entry: Gap | None) -> list[Cell]:
    return [Cell(number(entry.value)), Cell(entry.best), Cell(entry.worst)] if entry else [Cell(NONE)] * 3
