"""The files of a comparison: Markdown, LaTeX, CSV, pictures, and one page that holds everything and fetches nothing."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from extractors.files import write_bytes, write_text
from fusion.comparison import plots
from fusion.comparison.cells import resampled
from fusion.comparison.compare import Comparison
from fusion.comparison.run import shown
from fusion.comparison.spreadsheets import spreadsheets
from fusion.comparison.table import latex, markdown
from fusion.comparison.views import all_tables
from fusion.evaluation.plots import png

CAPTIONS = {
    "risk-coverage": "What abstaining buys: accuracy when only the most confident rows are answered.",
}
INTERVALS_CAPTION = (
    "Bars are intervals over {}; they say nothing of other training seeds, whose own results are the small strokes where "
    "there are several."
)
GROUPS_CAPTION = "Hollow marks are groups too small to count for the gap."


def write_comparison(folder: Path | str, found: Comparison) -> list[Path]:
    """Write comparison.{md,tex,csv,html}, pairs.csv, groups.csv, one-checkpoint.csv and the pictures into `folder`.

    Returns the paths, the page first. What there is nothing to say of is not written, and taken away where an earlier
    comparison left it.
    """
    folder, tables = Path(folder), all_tables(found)
    figures = {"intervals": plots.intervals_figure(found), "risk-coverage": plots.risk_coverage_figure(found)}
    for breakdown in found.breakdowns:
        figures[f"by-{breakdown.column}"] = plots.groups_figure(found, breakdown)
    pictures = {name: png(figure) for name, figure in figures.items()}
    files: dict[str, bytes] = {f"{_file_name(name)}.png": content for name, content in pictures.items()}
    files |= {name: text.encode() for name, text in spreadsheets(found).items()}
    for stale in ("pairs.csv", "one-checkpoint.csv", "groups.csv"):
        if stale not in files:
            (folder / stale).unlink(missing_ok=True)
    for earlier in folder.glob("by-*.png"):
        if earlier.name not in files:
            earlier.unlink()
    page = (
        _environment()
        .get_template("report.html.jinja")
        .render(
            tables=tables,
            runs=[(row.name, [shown(run.folder) for run in row.runs], row.seeds) for row in found.rows],
            pictures={name: base64.b64encode(content).decode() for name, content in pictures.items()},
            captions=CAPTIONS
            | {"intervals": INTERVALS_CAPTION.format(resampled(found.rows))}
            | {f"by-{b.column}": GROUPS_CAPTION for b in found.breakdowns},
            written=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        )
    )
    first = write_text(folder / "comparison.html", page)
    texts = [
        write_text(folder / "comparison.md", markdown(tables)),
        write_text(folder / "comparison.tex", latex(tables)),
    ]
    return [first, *texts, *(write_bytes(folder / name, content) for name, content in files.items())]


def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,  # names, labels and speakers are the user's and may hold anything
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _file_name(name: str) -> str:
    """A column's name may hold what a file's may not."""
    return "".join(character if character.isalnum() or character in "-_." else "_" for character in name)
