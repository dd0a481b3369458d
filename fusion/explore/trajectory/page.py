"""The interactive page: one HTML file with everything in it, nothing fetched but the recording, and that only on a click."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from matplotlib.ticker import MaxNLocator

from extractors.types import Float32
from fusion.clock import TICK_STEPS, clock
from fusion.explore.colours import CYCLE, colours_of
from fusion.explore.trajectory.decimate import bucketed
from fusion.explore.trajectory.result import Float64, Trajectory
from fusion.explore.trajectory.said import CAUTION, UNIT, method, no_classes
from fusion.explore.trajectory.tables import per_speaker
from fusion.explore.trajectory.tracks.eaf import relative_url
from fusion.explore.trajectory.voices import per_step

MOST_ROWS = 400_000  # 2 h 13 min of frames; of longer recordings the page holds means, and says so
MOST_PATH = 1_000  # points
LEVELS = 250  # of a score: a byte each, so that an hour of nine classes is 2 MB
GAP = 255
MOST_SPEAKERS = 250
NO_SPEAKER = 255

_HERE = Path(__file__).parent


def page_of(found: Trajectory, folder: Path, *, shown: int = 8) -> str:
    """HTML; `folder` is where it will lie, so that it finds the recording from there."""
    script = (_HERE / "page.js").read_text(encoding="utf-8")
    environment = Environment(
        loader=FileSystemLoader(_HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    audio = None if found.audio is None else relative_url(found.audio.resolve(), folder) or found.audio.as_uri()
    return environment.get_template("page.html.jinja").render(
        found=found,
        audio=audio,
        data=Markup(_script_safe(_data(found, shown))),  # json with every < > & written as \u00..
        script=Markup(script),  # our own file
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        caution=CAUTION,
        method=method(found),
        no_classes=no_classes(found),
        clock=clock,
        speakers=per_speaker(found) if found.speakers else [],
        shown=shown,
    )


def _data(found: Trajectory, shown: int) -> dict[str, Any]:
    values: Float32 | Float64 = found.path.points[:, :3] if found.scores is None else found.scores
    buckets = bucketed(values, MOST_ROWS)
    rate = 1 / found.path.hop if found.scores is None else found.rate
    low, high = (0.0, 1.0) if found.scores is not None else _range(values)
    names = list(found.labels) or [f"component {i + 1}" for i in range(values.shape[1])]
    path = bucketed(found.path.points[:, :2], MOST_PATH)
    owner = per_step(found.speaker, found.rate, len(found.path.points), found.path.hop)
    speaker = np.where((found.speaker < 0) | (found.speaker >= MOST_SPEAKERS), NO_SPEAKER, found.speaker)
    return {
        "seconds": found.seconds,
        "rate": rate / buckets.rows,
        "pooled": buckets.rows,
        "rows": len(buckets.means),
        "ticks": TICK_STEPS,
        "heights": [0, 0.5, 1] if found.scores is not None else _rounds(low, high),
        "axis": "score (estimated)" if found.scores is not None else f"place in space ({UNIT})",
        "labels": names,
        "colours": [colours_of(names)[name] for name in names],
        "scores": _bytes(buckets.means, low, high),
        "low": low,
        "high": high,
        "stacked": found.scores is not None,
        "valence": None
        if found.valence is None
        else _bytes(bucketed(found.valence[:, None], MOST_ROWS).means, -1.0, 1.0),
        "speakers": list(found.speakers[:MOST_SPEAKERS]),
        "speakerColours": [CYCLE[i % len(CYCLE)] for i in range(min(len(found.speakers), MOST_SPEAKERS))],
        "speaker": _packed(speaker[:: buckets.rows].astype(np.uint8)) if found.speakers else None,
        "path": [[round(float(v), 3) for v in point] if np.isfinite(point[0]) else None for point in path.means],
        "pathOwner": owner[:: path.rows].tolist(),
        "hop": found.path.hop * path.rows,
        "explained": [round(float(share), 3) for share in found.path.explained[:2]],
        "changes": [[change.time_s, change.rank] for change in found.strongest(shown)],
    }


def _range(values: Float32 | Float64) -> tuple[float, float]:
    return float(np.nanmin(values)), float(np.nanmax(values))


def _rounds(low: float, high: float) -> list[float]:
    """Round values between two ends."""
    ticks = MaxNLocator(6, steps=[1, 2, 5, 10]).tick_values(low, high)
    return [round(float(tick), 6) for tick in ticks if low <= tick <= high]


def _bytes(values: Float32 | Float64, low: float, high: float) -> str:
    """(rows, columns) as base64 of a byte each: 0 to 250 from low to high, 255 for a gap."""
    span = max(high - low, 1e-9)
    known: Float64 = np.nan_to_num(values).astype(np.float64)
    scaled = np.rint(np.clip((known - low) / span, 0, 1) * LEVELS)
    return _packed(np.where(np.isfinite(values), scaled, GAP).astype(np.uint8))


def _packed(values: np.ndarray) -> str:
    return base64.b64encode(np.ascontiguousarray(values).tobytes()).decode()


def _script_safe(data: dict[str, Any]) -> str:
    """JSON that cannot end the script element it stands in."""
    text = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")
