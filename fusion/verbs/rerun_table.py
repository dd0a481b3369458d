"""How `emofuse rerun` shows what agrees and what does not."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from fusion.tracking.agreement import Figure, Rows, counts
from fusion.tracking.differences import Difference

COLORS = {"exact": "green", "within tolerance": "green", "differs": "red", "gone": "red", "new": "dim"}
MAIN = ("wa", "ua", "macro_f1", "weighted_f1", "ece")
OTHERS = 10  # further figures that are shown one by one


def rerun_view(
    figures: Sequence[Figure], rows: Rows, differences: Sequence[Difference], *, agree: bool, tolerance: float
) -> Group:
    """The main figures then and now, how the rest came out, what else is known to differ, and the verdict."""
    shown = [figure for figure in figures if _is_main(figure)]
    rest = [figure for figure in figures if not _is_main(figure)]
    wrong = [figure for figure in rest if figure.verdict in ("differs", "gone")]
    tally = ", ".join(f"{number:,} {verdict}" for verdict, number in counts(rest).items())
    parts: list[RenderableType] = [
        "",
        _figures([*shown, *wrong[:OTHERS]]),
        "",
        Text(f"{len(rest):,} further figures: {tally}."),
        Text(_rows(rows)),
    ]
    if differences:
        parts += ["", _known(differences)]
    return Group(*parts, "", _verdict(differences, agree=agree, tolerance=tolerance), "")


def _is_main(figure: Figure) -> bool:
    """`test.<system>.<metric>.value`."""
    parts = figure.name.split(".")
    return len(parts) == 4 and parts[0] == "test" and parts[3] == "value" and parts[2] in MAIN


def _figures(figures: Sequence[Figure]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold", pad_edge=False)
    for title, justify in (("", "left"), ("then", "right"), ("now", "right"), ("difference", "right"), ("", "left")):
        table.add_column(title, justify=justify, no_wrap=True)  # type: ignore[arg-type]
    for figure in figures:
        name = figure.name.removeprefix("test.").removesuffix(".value").replace(".", " ")
        difference = "" if not figure.difference else f"{figure.difference:+.2g}"
        table.add_row(
            Text(name),
            Text(_value(figure.then)),
            Text(_value(figure.now)),
            difference,
            Text(figure.verdict, COLORS[figure.verdict]),
        )
    return table


def _value(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.4f}"
    text = "–" if value is None else str(value)
    return text if len(text) <= 24 else text[:23] + "…"


def _rows(rows: Rows) -> str:
    alone = (
        f"; {rows.only_then:,} rows only then, {rows.only_now:,} only now" if rows.only_then or rows.only_now else ""
    )
    return (
        f"{rows.rows:,} test rows: {rows.changed:,} with another label, "
        f"largest difference of a probability {rows.largest:.1g}{alone}."
    )


def _known(differences: Sequence[Difference]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold", pad_edge=False)
    for title in ("known to differ", "then", "now"):
        table.add_column(title, overflow="fold")
    for difference in differences:
        table.add_row(*(Text(part) for part in difference))
    return table


def _verdict(differences: Sequence[Difference], *, agree: bool, tolerance: float) -> Text:
    if agree:
        return Text(f"The figures agree, to {tolerance:g}.", "bold green")
    if differences:
        return Text("The figures differ. What is known to differ besides may be why.", "bold red")
    return Text(
        "The figures differ, and nothing that was recorded explains it: the same code, settings, data, versions and "
        "machine. Work on a GPU, or an operation whose order is not fixed, can do that.",
        "bold red",
    )
