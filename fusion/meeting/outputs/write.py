"""All the files of a published meeting, in one folder."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

from extractors.files import write_text
from fusion.meeting.meeting import Meeting
from fusion.meeting.outputs.annotated import write_annotated
from fusion.meeting.outputs.captions import write_captions
from fusion.meeting.outputs.card import method_card
from fusion.meeting.outputs.data import meeting_data
from fusion.meeting.outputs.report import write_report
from fusion.meeting.outputs.tables import write_alerts, write_utterances
from fusion.meeting.outputs.timeline import draw_timeline

Writer = Callable[[Meeting, Path], Path]


def write_outputs(meeting: Meeting, folder: str | Path) -> dict[str, Path]:
    """Write what `publish` left of a meeting. Returns name -> path, the report first; each file is whole or not there."""
    writers: dict[str, Writer] = {
        "report.html": write_report,
        "meeting.json": _json,
        "utterances.csv": write_utterances,
        "alerts.json": write_alerts,
        "captions.vtt": write_captions,
        "timeline.png": draw_timeline,
        "ABOUT.md": _about,
        "meeting.schema.json": _schema,
    }
    if meeting.minutes is not None:
        writers["minutes.annotated.md"] = write_annotated
    return {name: write(meeting, Path(folder) / name) for name, write in writers.items()}


def _json(meeting: Meeting, path: Path) -> Path:
    return write_text(path, json.dumps(meeting_data(meeting), ensure_ascii=False, indent=1, allow_nan=False) + "\n")


def _about(meeting: Meeting, path: Path) -> Path:
    """The banner and the method card, for the files that have no room for them."""
    title = " ".join(meeting.title.split())
    return write_text(path, f"# About these files\n\n{title}\n\n{method_card(meeting)}\n")


def _schema(meeting: Meeting, path: Path) -> Path:
    return write_text(path, (files(__package__) / "meeting.schema.json").read_text(encoding="utf-8"))
