"""What a comparison says, as tables with their footnotes."""

from __future__ import annotations

from fusion.comparison.accuracies import checkpoint_table, gaps_table, groups_table
from fusion.comparison.cells import LEAKED, NONE, TITLES, estimate, marked, p_text, percent, resampled, sizes
from fusion.comparison.compare import Comparison
from fusion.comparison.mcnemar import FEW
from fusion.comparison.pairs import Difference, Pair
from fusion.comparison.resample import least_p
from fusion.comparison.rows import Row
from fusion.comparison.run import METRICS
from fusion.comparison.table import Cell, Table, best_of
from fusion.evaluation.metrics import LOWER_IS_BETTER
from fusion.evaluation.tables import count, number, span

TESTED = ("ua", "wa", "macro_f1")  # in the table of pairs; pairs.csv has all
SIGNIFICANT = 0.05


def all_tables(found: Comparison) -> list[Table]:
    """The main table, the pairs, one checkpoint with either modality, and the breakdowns: those that there are."""
    tables = [results_table(found)]
    if found.pairs:
        tables.append(pairs_table(found))
    checkpoint = checkpoint_table(found)
    tables += [checkpoint] if checkpoint else []
    for breakdown in found.breakdowns:
        tables += [groups_table(found, breakdown), gaps_table(found, breakdown)]
    return tables


def results_table(found: Comparison) -> Table:
    """A line for each row: every metric with its interval, parameters, seconds, rows and seeds."""
    cells: dict[str, list[Cell]] = {"": [Cell(marked(row)) for row in found.rows]}
    for metric in METRICS:
        column = [row.metrics[metric] for row in found.rows]
        texts = [number(entry.value) for entry in column]
        best = [False] * len(texts)
        if found.comparable:
            best = best_of([entry.value for entry in column], texts, lower=metric in LOWER_IS_BETTER)
        cells[TITLES[metric]] = [estimate(entry, bold) for entry, bold in zip(column, best, strict=True)]
    for title, of in (("data", "data"), ("split", "split")):
        values = [getattr(row, of) for row in found.rows]
        if len(set(values)) > 1:
            cells[title] = [Cell(value or NONE) for value in values]
    cells["parameters"] = [Cell(f"{row.parameters:,}" if row.parameters else NONE) for row in found.rows]
    cells["seconds"] = [Cell(_seconds(row.seconds)) for row in found.rows]
    cells["n"] = [Cell(f"{len(row.ids):,}") for row in found.rows]
    cells["seeds"] = [Cell(str(len(row.seeds))) for row in found.rows]
    lines = [list(line) for line in zip(*cells.values(), strict=True)]
    spare = ["weighted F1", "Brier", "split", "data", "macro F1", "n", "NLL", "parameters", "seconds", "ECE"]
    columns = list(cells)
    optional = [(columns.index(title),) for title in spare if title in columns]
    return Table("comparison", _title(found), columns, lines, results_notes(found), optional)


def results_notes(found: Comparison) -> list[str]:
    """What the figures of the main table mean, and what to beware of."""
    rows = found.rows
    several = [row for row in rows if len(row.seeds) > 1]
    notes = [f"Intervals, low–high: {_intervals(rows)}"]
    if several:
        n = sizes([len(row.seeds) for row in several])
        notes.append(
            f"mean ± sd (sample, {n} seeds): the spread over training seeds; it is no interval and says nothing of "
            "other speakers. The interval beside it is that of the mean."
        )
    differ = [row.name for row in several if not row.same_rows_each_seed]
    if differ:
        notes.append(
            f"The split follows the seed ({', '.join(differ)}): each seed tested other rows, and the deviation holds both."
        )
    if len(rows) > 1 and found.comparable:
        notes.append("Bold: best of the column, which is no test. ECE, NLL and Brier: less is better.")
    else:
        notes.append("ECE, NLL and Brier: less is better.")
    if not found.comparable:
        notes.append("Nothing is bold: the rows were not all tested on the same utterances.")
    notes.append("seconds: training of one seed over all its folds; n: utterances tested.")
    notes += [f"{LEAKED} leakage was allowed: an upper bound for new material."] if any(r.leaked for r in rows) else []
    notes += _unit_notes(found)
    notes += list(
        dict.fromkeys(str(run.results["notice"]) for r in rows for run in r.runs if run.results.get("notice"))
    )
    return notes + found.notes


def pairs_table(found: Comparison) -> Table:
    """A line for each two rows: the differences with their intervals, and both tests, corrected."""
    columns = ["A − B", "rows"]
    for metric in TESTED:
        columns += [f"Δ {TITLES[metric]}", "p", "p Holm"]
    columns += ["A only : B only", "McNemar p", "p Holm"]
    lines = []
    for pair in found.pairs:
        line = [Cell(f"{pair.a} − {pair.b}"), Cell(_common(pair))]
        for metric in TESTED:
            line += _difference(pair.differences.get(metric))
        test, corrected = pair.mcnemar, pair.mcnemar_holm
        line += [Cell(f"{test.a_only:,} : {test.b_only:,}" if test else NONE)]
        line += [Cell(p_text(test.p if test else None)), Cell(p_text(corrected), bold=_clear(corrected))]
        lines.append(line)
    optional = [(8, 9, 10), (5, 6, 7), (1,), (11,), (3, 12)]  # UA and both tests, corrected, stay
    return Table("pairs", "Every two rows, paired", columns, lines, pairs_notes(found), optional)


def pairs_notes(found: Comparison) -> list[str]:
    """How the pairs were tested, and what their p-values do not say."""
    tested = [pair for pair in found.pairs if not pair.match.refused]
    notes = [f"Not paired: {pair.a} − {pair.b}: {pair.match.refused}." for pair in found.pairs if pair.match.refused]
    if not tested:
        return notes
    units = {(pair.units.total, pair.units.kind) for pair in tested if pair.units}
    over = " or ".join(sorted(count(total, kind) for total, kind in units))
    least = max(least_p(found.draws, pair.units.count) for pair in tested if pair.units and pair.units.count > 1)
    notes += [
        f"Differences A − B with {percent(found.level)} intervals of the paired bootstrap over {over} ({found.draws:,} "
        f"draws, the same for both). p: two-sided, of the same bootstrap; with so many units and draws it cannot be less "
        f"than {p_text(least)}.",
        "A only : B only: utterances that one is right on (with several seeds: more often) and the other is not. McNemar "
        f"1947: exact below {FEW} of them, else χ² with the correction of Edwards 1948. It treats utterances as "
        "independent; those of one speaker are not, so its p is optimistic for new speakers. Where the two tests "
        "disagree, believe the bootstrap.",
        f"p Holm: corrected for {count(len(tested), 'comparison')} in its column (Holm 1979); intervals are not corrected. "
        f"Bold: below {SIGNIFICANT}. All of it speaks of these trained models, not of another seed.",
    ]
    if any(pair.units and pair.units.kind == "utterance" for pair in tested):
        notes.append(
            "Beware: fewer than five speakers were tested in common, so that utterances were resampled: too optimistic."
        )
    matched = [pair for pair in tested if pair.match.seeds is not None and len(pair.match.seeds) > 1]
    if matched:
        notes.append("Where the split follows the seed, each seed is paired with the same seed of the other row.")
    partly = [pair for pair in tested if pair.match.common < pair.match.of]
    if partly:
        notes.append("rows: judgements in common; a difference on a part of them is not that of the table above.")
    return notes


def _title(found: Comparison) -> str:
    rows = found.rows
    data, splits = {row.data for row in rows}, {row.split for row in rows}
    where = "".join(
        f", {name} {next(iter(values))}"
        for name, values in (("data", data), ("split", splits))
        if len(values) == 1 and any(values)
    )
    amounts = {(len(row.ids), row.speakers) for row in rows}
    tested = ""
    if len(amounts) == 1:
        n, speakers = amounts.pop()
        tested = f": {count(n, 'utterance')}" + (f" of {count(speakers, 'speaker')}" if speakers else "")
    return f"Test results{where}{tested}"


def _intervals(rows: list[Row]) -> str:
    kinds = dict.fromkeys(
        f"{percent(how['level'])} bootstrap over {how['unit']}s ({how['draws']:,} draws)"
        for how in (row.interval for row in rows)
    )
    return (
        f"{' or '.join(kinds)}; they speak of other {resampled(rows)} for these models, not of another training seed."
    )


def _unit_notes(found: Comparison) -> list[str]:
    notes: dict[str, list[str]] = {}
    for row in found.rows:
        if row.interval.get("note"):
            notes.setdefault(str(row.interval["note"]), []).append(row.name)
    return [f"Beware ({', '.join(names)}): {note}." for note, names in notes.items()]


def _difference(entry: Difference | None) -> list[Cell]:
    if entry is None:
        return [Cell(NONE)] * 3
    low_high = span({"low": entry.low, "high": entry.high}, signed=True)
    return [
        Cell(number(entry.value, signed=True), low_high),
        Cell(p_text(entry.p)),
        Cell(p_text(entry.p_holm), bold=_clear(entry.p_holm)),
    ]


def _clear(p: float | None) -> bool:
    return p is not None and p < SIGNIFICANT


def _common(pair: Pair) -> str:
    match = pair.match
    if match.refused and not match.of:
        return NONE
    return f"{match.common:,}" if match.common == match.of else f"{match.common:,} of {match.of:,}"


def _seconds(value: float | None) -> str:
    return NONE if value is None else f"{value:.1f}" if value < 10 else f"{value:,.0f}"
