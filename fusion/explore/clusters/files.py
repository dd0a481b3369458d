"""All that clusters are written as, side by side in a folder."""

from __future__ import annotations

import json
from pathlib import Path

from extractors.files import write_bytes, write_text
from fusion.evaluation.plots import png
from fusion.explore.clusters.figure import clusters_figure
from fusion.explore.clusters.page import page_of
from fusion.explore.clusters.result import Clusters
from fusion.explore.clusters.tables import summary


def write_all(folder: Path, found: Clusters) -> list[Path]:
    """clusters.json, assignments.csv, profiles.csv where speakers are known, clusters.png and .html. Returns their paths."""
    folder = Path(folder)
    text = json.dumps(summary(found), indent=2, ensure_ascii=False, allow_nan=False)
    paths = [
        write_text(folder / "clusters.json", text + "\n"),
        write_text(folder / "assignments.csv", found.assignments.to_csv(index=False, float_format="%.6f")),
    ]
    if not found.profiles.empty:
        paths.append(write_text(folder / "profiles.csv", found.profiles.to_csv(index=False, float_format="%.6g")))
    return [
        *paths,
        write_bytes(folder / "clusters.png", png(clusters_figure(found))),
        write_text(folder / "clusters.html", page_of(found, folder)),
    ]
