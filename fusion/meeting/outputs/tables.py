"""utterances.csv and alerts.json, for spreadsheets and other programs."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd

from extractors.files import atomic_path, write_text
from fusion.meeting.manners import BANNER
from fusion.meeting.meeting import Meeting
from fusion.meeting.outputs.data import utterance_data

ALERTS_SCHEMA = "emofuse.meeting.alerts/2"
FORMULA = ("=", "+", "-", "@", "\t", "\r")  # a spreadsheet runs a cell that begins with one of these


def write_utterances(meeting: Meeting, path: Path) -> Path:
    """A line an utterance: times, speaker, words, and where they may be shown the probabilities. UTF-8.

    Words that a spreadsheet would take for a formula begin with an apostrophe.
    """
    rows = []
    for estimate in meeting.estimates:
        row = utterance_data(estimate)
        row["flags"] = " ".join(row["flags"])
        probabilities = row.pop("probabilities") or {}
        rows.append(row | {f"p_{label}": probabilities.get(label) for label in meeting.method.labels})
    frame = pd.DataFrame([{name: _harmless(value) for name, value in row.items()} for row in rows])
    with atomic_path(path) as draft:
        frame.to_csv(draft, index=False, lineterminator="\n")
    return path


def write_alerts(meeting: Meeting, path: Path) -> Path:
    """The alerts with their evidence, as JSON."""
    content = {
        "schema": ALERTS_SCHEMA,
        "banner": BANNER,
        "title": meeting.title,
        "purpose": meeting.manners.purpose.name,
        "alerts": [alert.as_dict() for alert in meeting.alerts],
    }
    return write_text(path, json.dumps(content, ensure_ascii=False, indent=2, allow_nan=False) + "\n")


def _harmless(value: object) -> object:
    """
    >>> _harmless("=HYPERLINK(1)"), _harmless("well, no"), _harmless(None)
    ("'=HYPERLINK(1)", 'well, no', None)
    """
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value
