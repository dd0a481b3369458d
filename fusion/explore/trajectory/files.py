"""All that a course is written as, side by side in a folder."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from extractors.files import write_bytes, write_text
from fusion.evaluation.plots import png
from fusion.explore.trajectory.figure import course_figure
from fusion.explore.trajectory.page import page_of
from fusion.explore.trajectory.result import Trajectory
from fusion.explore.trajectory.tables import changes_table, path_table, rows_table, summary
from fusion.explore.trajectory.tracks.eaf import eaf
from fusion.explore.trajectory.tracks.rttm import rttm
from fusion.explore.trajectory.tracks.textgrid import textgrid
from fusion.output_folder import check_output_folder

ABOUT = "trajectory.json"
NAMES = (
    *("trajectory.png", "trajectory.html", "trajectory.csv", "path.csv", "changes.csv", ABOUT),
    *("trajectory.TextGrid", "trajectory.eaf", "trajectory.rttm"),
)


def check_folder(folder: Path, inputs: Sequence[Path] = ()) -> str | None:
    """Whether `write_all` may write there, asked before the long work. Returns whose earlier course it will replace, if any.

    Raises InputError where the folder cannot be written to, holds files of these names that are of no earlier course, or
    where an input would be written over.
    """
    earlier = _course_in(folder)
    check_output_folder(folder, NAMES, ours=earlier is not None, inputs=inputs)
    return earlier


def _course_in(folder: Path) -> str | None:
    """The name of the recording whose course lies there, as its own trajectory.json says."""
    try:
        about = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    ours = isinstance(about, dict) and {"format", "name", "rows_per_second", "settings"} <= about.keys()
    return str(about["name"]) if ours else None


def write_all(folder: Path, found: Trajectory, *, shown: int = 8) -> list[Path]:
    """trajectory.png, .html, .csv, .json, .TextGrid, .eaf and .rttm, path.csv and changes.csv. Returns their paths."""
    folder = Path(folder)
    return [
        write_bytes(folder / "trajectory.png", png(course_figure(found, shown=shown))),
        write_text(folder / "trajectory.html", page_of(found, folder, shown=shown)),
        write_text(folder / "trajectory.csv", rows_table(found)),
        write_text(folder / "path.csv", path_table(found)),
        write_text(folder / "changes.csv", changes_table(found)),
        write_text(folder / "trajectory.json", summary(found)),
        write_text(folder / "trajectory.TextGrid", textgrid(found)),
        write_text(folder / "trajectory.eaf", eaf(found, folder)),
        write_text(folder / "trajectory.rttm", rttm(found)),
    ]
