"""The interactive map: one HTML file with everything in it, nothing fetched but a clip that is clicked on."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from fusion.explore.clusters.figure import colour_of_cluster
from fusion.explore.clusters.result import Clusters
from fusion.explore.clusters.rows import Ints
from fusion.explore.clusters.said import CAUTION, firmness, how_found, notes_on
from fusion.explore.clusters.tables import labels_said, scores_said
from fusion.explore.trajectory.tracks.eaf import relative_url

MOST_POINTS = 20_000  # a canvas draws so many in a few hundredths of a second
LONGEST_TEXT = 200  # characters
_HERE = Path(__file__).parent


def page_of(found: Clusters, folder: Path, *, most: int = MOST_POINTS) -> str:
    """HTML; `folder` is where it will lie, so that it finds the clips from there.

    Of more than `most` clips so many are drawn, the nearest of every cluster always. Every name and text is escaped; the
    page's policy allows its own script and style, by their hashes, sound from files, and nothing else.
    """
    shown = _shown(found, most)
    style, script = ((_HERE / f"page.{kind}").read_text(encoding="utf-8") for kind in ("css", "js"))
    environment = Environment(
        loader=FileSystemLoader(_HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    place = {int(row): number for number, row in enumerate(shown)}
    return environment.get_template("page.html.jinja").render(
        found=found,
        title=how_found(found),
        firmness=firmness(found),
        notes=notes_on(found),
        caution=CAUTION,
        shown=len(shown),
        place=place,
        colour=colour_of_cluster,
        labels_said=labels_said,
        scores_said=scores_said,
        data=Markup(_script_safe(_data(found, shown, Path(folder)))),  # json with every < > & written as \u00..
        style=Markup(style),  # our own files
        script=Markup(script),
        policy=_policy(style, script),
    )


def _shown(found: Clusters, most: int) -> Ints:
    rows = len(found.collection)
    if rows <= most:
        return np.arange(rows)
    kept = np.array([row for cluster in found.clusters for row in cluster.nearest], np.int64)
    others = np.setdiff1d(np.arange(rows), kept)
    drawn = np.random.default_rng(0).choice(others, max(0, most - len(kept)), replace=False)
    return np.sort(np.concatenate([kept, drawn]))


def _data(found: Clusters, shown: Ints, folder: Path) -> dict[str, Any]:
    clips = found.collection.take(shown)
    points = found.map.points[shown].astype(float)
    low, high = points.min(axis=0), points.max(axis=0)
    scaled = (points - low) / np.maximum((high - low).max() if found.map.kind == "pca" else high - low, 1e-9)
    texts = [None if text is None else _cut(str(text)) for text in clips.column("text")]
    files, of = _files(clips.column("audio"), folder)
    return {
        "ids": list(clips.ids),
        "cluster": found.numbers[shown].tolist(),
        "x": [round(float(value), 4) for value in scaled[:, 0]],
        "y": [round(float(value), 4) for value in scaled[:, 1]],
        "texts": texts if any(texts) else None,
        "labels": _coded(clips.column("label")),
        "speakers": _coded(clips.column("speaker")),
        "files": files,
        "file": of if files else None,
        "start": [_number(value) for value in clips.column("start")] if files else None,
        "end": [_number(value) for value in clips.column("end")] if files else None,
        "colours": {str(number): colour_of_cluster(number) for number in [-1, *range(1, len(found) + 1)]},
        "clusters": len(found),
        "keepShape": found.map.kind == "pca",
    }


def _files(audio: list[Any], folder: Path) -> tuple[list[str], list[int | None]]:
    """URLs of the files that are there, each once; and of each clip the number of its file."""
    numbers: dict[str, int | None] = {}
    urls: list[str] = []
    for value in audio:
        name = None if value is None else str(value)
        if name is None or name in numbers:
            continue
        path = Path(name).expanduser()
        numbers[name] = None
        if path.is_file():
            numbers[name] = len(urls)
            urls.append(relative_url(path.resolve(), folder) or path.resolve().as_uri())
    return urls, [None if value is None else numbers[str(value)] for value in audio]


def _coded(values: list[Any]) -> dict[str, Any] | None:
    """{"names", "of"}: each different value once, and each clip's number, −1 for none."""
    names = sorted({str(value) for value in values if value is not None})
    place = {name: number for number, name in enumerate(names)}
    return {"names": names, "of": [-1 if value is None else place[str(value)] for value in values]} if names else None


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_TEXT else text[: LONGEST_TEXT - 1] + "…"


def _number(value: Any) -> float | None:
    return None if value is None else round(float(value), 3)


def _script_safe(data: dict[str, Any]) -> str:
    """JSON that cannot end the script element it stands in."""
    text = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def _policy(style: str, script: str) -> str:
    hashed = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in (style, script)]
    return (
        f"default-src 'none'; style-src 'sha256-{hashed[0]}'; script-src 'sha256-{hashed[1]}'; media-src 'self' file:; "
        "base-uri 'none'; form-action 'none'"
    )
