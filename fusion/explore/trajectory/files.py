"""All that a course is written as, side by side in a folder."""

from __future__ import annotations

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
