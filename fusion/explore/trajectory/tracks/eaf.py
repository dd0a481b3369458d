"""ELAN's annotation format (EAF 3.0): a tier a speaker, and one of changes, in milliseconds."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import quote
from xml.etree import ElementTree as ET

from fusion.explore.trajectory.names import plain
from fusion.explore.trajectory.result import Trajectory
from fusion.explore.trajectory.tracks.tiers import CHANGES, said_of, tiers_of

SHOWN_MS = 200  # of a change: ELAN has no points
NO_DATE = "1970-01-01T00:00:00+00:00"  # the same course gives the same file
_SCHEMA = (
    "{http://www.w3.org/2001/XMLSchema-instance}noNamespaceSchemaLocation",
    "http://www.mpi.nl/tools/elan/EAFv3.0.xsd",
)
_MIME = {".wav": "audio/x-wav", ".mp3": "audio/mpeg", ".flac": "audio/flac", ".ogg": "audio/ogg"}


def eaf(found: Trajectory, folder: Path) -> str:
    """XML; `folder` is where the file will lie, so that ELAN finds the recording beside it."""
    about = {"AUTHOR": "Emofuse", "DATE": NO_DATE, "FORMAT": "3.0", "VERSION": "3.0", _SCHEMA[0]: _SCHEMA[1]}
    root = ET.Element("ANNOTATION_DOCUMENT", about)
    header = ET.SubElement(root, "HEADER", {"MEDIA_FILE": "", "TIME_UNITS": "milliseconds"})
    if found.audio is not None:
        here = found.audio.resolve()
        media = {"MEDIA_URL": here.as_uri(), "MIME_TYPE": _MIME.get(here.suffix.lower(), "unknown")}
        if beside := relative_url(here, folder):
            media["RELATIVE_MEDIA_URL"] = beside
        ET.SubElement(header, "MEDIA_DESCRIPTOR", media)
    tiers = [
        (tier.name, [(_ms(run.start_s), _ms(run.end_s), plain(run.label)) for run in tier.runs])
        for tier in tiers_of(found)
    ]
    if found.changes:
        tiers.append((CHANGES, _changes(found)))
    spans = [span for _, spans in tiers for span in spans]
    moments = sorted({moment for start, stop, _ in spans for moment in (start, stop)})
    slots = {moment: f"ts{number}" for number, moment in enumerate(moments, 1)}
    order = ET.SubElement(root, "TIME_ORDER")
    for moment in moments:
        ET.SubElement(order, "TIME_SLOT", {"TIME_SLOT_ID": slots[moment], "TIME_VALUE": str(moment)})
    number = 0
    for name, own in tiers:
        tier = ET.SubElement(root, "TIER", {"LINGUISTIC_TYPE_REF": "default-lt", "TIER_ID": name})
        for start, stop, text in own:
            number += 1
            outer = ET.SubElement(tier, "ANNOTATION")
            between = {"TIME_SLOT_REF1": slots[start], "TIME_SLOT_REF2": slots[stop]}
            annotation = ET.SubElement(outer, "ALIGNABLE_ANNOTATION", {"ANNOTATION_ID": f"a{number}", **between})
            ET.SubElement(annotation, "ANNOTATION_VALUE").text = text
    kind = {"GRAPHIC_REFERENCES": "false", "LINGUISTIC_TYPE_ID": "default-lt", "TIME_ALIGNABLE": "true"}
    ET.SubElement(root, "LINGUISTIC_TYPE", kind)
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def relative_url(file: Path, folder: Path) -> str | None:
    """The way from `folder` to `file` as a URL; None where there is none, as between two drives.

    >>> relative_url(Path("/data/my call.wav"), Path("/data/runs"))
    '../my%20call.wav'
    """
    try:
        way = os.path.relpath(file, folder.resolve())
    except ValueError:
        return None
    way = way.replace(os.sep, "/")
    return quote(os.fsencode(way if way.startswith("../") else f"./{way}"))


def _changes(found: Trajectory) -> list[tuple[int, int, str]]:
    """Short stretches from each change on, none over another: a tier of ELAN's cannot hold two at once."""
    at: dict[int, list[str]] = {}
    for change in found.changes:
        at.setdefault(_ms(change.time_s), []).append(said_of(change))
    starts = sorted(at)
    ends = [*starts[1:], _ms(found.seconds) + SHOWN_MS]
    return [(a, min(a + SHOWN_MS, b), " | ".join(at[a])) for a, b in zip(starts, ends, strict=True)]


def _ms(seconds: float) -> int:
    return round(seconds * 1_000)
