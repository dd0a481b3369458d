"""All the files of a published meeting, in one folder."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from importlib.resources import files
from pathlib import Path

from extractors.files import write_text
from fusion.meeting.meeting import Meeting, publish
from fusion.meeting.outputs.annotated import write_annotated
from fusion.meeting.outputs.captions import write_captions
from fusion.meeting.outputs.card import method_card
from fusion.meeting.outputs.data import SCHEMA, meeting_data
from fusion.meeting.outputs.report import write_report
from fusion.meeting.outputs.tables import write_alerts, write_utterances
from fusion.meeting.outputs.timeline import draw_timeline
from fusion.output_folder import check_output_folder

Writer = Callable[[Meeting, Path], Path]
MINUTES = "minutes.annotated.md"


def check_folder(folder: str | Path, inputs: Sequence[Path] = ()) -> None:
    """Whether `write_outputs` may write there, asked before hours of work. Raises InputError where the folder cannot be
    written to, holds somebody else's files of these names, or where an input would be overwritten.

    The files of an earlier meeting are replaced: its meeting.json says that they are ones.
    """
    folder = Path(folder)
    check_output_folder(folder, (*_WRITERS, MINUTES), ours=_is_ours(folder / "meeting.json"), inputs=inputs)


def _is_ours(path: Path) -> bool:
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            return f'"schema": "{SCHEMA.partition("/")[0]}/' in file.read(200)
    except OSError:
        return False


def write_outputs(meeting: Meeting, folder: str | Path) -> dict[str, Path]:
    """Write what `publish` leaves of a meeting, also of one that nobody published. Returns name -> path, the report first;
    each file is whole or not there."""
    meeting = publish(meeting)
    writers = dict(_WRITERS)
    if meeting.minutes is not None:
        writers[MINUTES] = write_annotated
    return {name: write(meeting, Path(folder) / name) for name, write in writers.items()}


def _json(meeting: Meeting, path: Path) -> Path:
    return write_text(path, json.dumps(meeting_data(meeting), ensure_ascii=False, indent=1, allow_nan=False) + "\n")


def _about(meeting: Meeting, path: Path) -> Path:
    """The banner and the method card, for the files that have no room for them."""
    title = " ".join(meeting.title.split())
    return write_text(path, f"# About these files\n\n{title}\n\n{method_card(meeting)}\n")


def _schema(meeting: Meeting, path: Path) -> Path:
    return write_text(path, (files(__package__) / "meeting.schema.json").read_text(encoding="utf-8"))


_WRITERS: dict[str, Writer] = {
    "report.html": write_report,
    "meeting.json": _json,
    "utterances.csv": write_utterances,
    "alerts.json": write_alerts,
    "captions.vtt": write_captions,
    "timeline.png": draw_timeline,
    "ABOUT.md": _about,
    "meeting.schema.json": _schema,
}
