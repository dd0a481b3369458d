"""report.html: one file that people look at. No script is needed to read it, and nothing is loaded from elsewhere."""

from __future__ import annotations

import base64
import hashlib
import os
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined

from extractors.files import write_text
from fusion.clock import clock
from fusion.meeting.manners import AT_WORK, BANNER
from fusion.meeting.meeting import Meeting
from fusion.meeting.outputs.chart import chart_of, label_marks
from fusion.meeting.outputs.words import figure, not_found, percent, says, signed, whose

SURE = 0.6  # confidence from which a row is not drawn pale


def write_report(meeting: Meeting, path: Path) -> Path:
    """Write a published meeting as one HTML file.

    Every name and text is escaped; a Content-Security-Policy allows this file's own script and style, by their hashes,
    audio from where the report lies, and nothing else. With `meeting.audio`, a row plays its span.
    """
    return write_text(path, render(meeting, path.parent))


def render(meeting: Meeting, folder: Path) -> str:
    """The page of a report that lies in `folder`."""
    style, script = (_resource(f"report.{kind}") for kind in ("css", "js"))
    row_at = {e.utterance.id: f"u{number}" for number, e in enumerate(meeting.estimates, start=1)}
    environment = Environment(
        loader=PackageLoader("fusion.meeting.outputs", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
    )
    words = {"signed": signed, "percent": percent, "says": says, "not_found": not_found, "figure": figure}
    environment.filters |= {"clock": clock, **words}
    return environment.get_template("report.html.jinja").render(
        meeting=meeting,
        whose=whose,
        banner=BANNER,
        at_work=AT_WORK,
        style=style,
        script=script,
        policy=_policy(style, script),
        chart=chart_of(meeting, row_at),
        marks=label_marks(meeting.method.labels),
        row_at=row_at,
        audio=None if meeting.audio is None else audio_url(meeting.audio, folder),
        sure=SURE,
        speakers=sorted({e.utterance.speaker for e in meeting.estimates if e.utterance.speaker is not None}),
        labels=[label for label in meeting.method.labels if any(e.label == label for e in meeting.estimates)],
        alert_rows=[_rows_of(alert, row_at) for alert in meeting.alerts],
        alert_from=[_first_row(meeting, alert.start_s, row_at) for alert in meeting.alerts],
    )


def audio_url(audio: Path, folder: Path) -> str | None:
    """Where the report finds the recording: a relative path, so that both may move together. None across drives."""
    try:
        relative = os.path.relpath(Path(audio).absolute(), Path(folder).absolute())
    except ValueError:
        return None
    return quote(Path(relative).as_posix())


def _rows_of(alert: Any, row_at: dict[str, str]) -> list[tuple[Any, str | None]]:
    return [(quote_, row_at.get(quote_.id)) for quote_ in alert.quotes()]


def _first_row(meeting: Meeting, start: float, row_at: dict[str, str]) -> str | None:
    return next((row_at[e.utterance.id] for e in meeting.estimates if e.utterance.end_s > start), None)


def _resource(name: str) -> str:
    return (files("fusion.meeting.outputs") / name).read_text(encoding="utf-8")


def _policy(style: str, script: str) -> str:
    hashed = [
        f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'" for text in (style, script)
    ]
    return (
        f"default-src 'none'; style-src {hashed[0]}; script-src {hashed[1]}; media-src 'self' file:; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
