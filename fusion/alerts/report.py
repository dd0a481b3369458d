"""alerts.json, alerts.csv and evidence.csv: what scripts can rely on.

alerts.json, schema version 2:
    schema_version, what, notice, model, calibrated, valence = {label: value or null} or null
    rules = {name: its settings}, left_out = sentences on rules that the model's labels cannot follow
    recordings = [{name, seconds, observations, skipped = {rule: {reason: count}}}], failed = {id: reason}
    alerts = [{rule, severity, recording, scope, scope_value, start_s, end_s, fired_s, signal, direction, on, smoothed_peak,
               peak_s, smoothed_mean, speech_s, utterances, episodes, calibrated, open,
               evidence = [{id, start_s, end_s, speech_s, value, scores, speaker, text, confidence}]}]

Times are seconds into the recording. `smoothed_peak` and `smoothed_mean` are both of the signal smoothed over the rule's
`tau_s`, which is what is held against `on` and `off`; an utterance's `value` is not smoothed. `fired_s`: when the
evidence was enough; `open`: it had not ended when the recording did. alerts.csv has a row an alert, with its strongest
evidence in words; evidence.csv a row for each supporting utterance.
A cell that a spreadsheet would take for a formula begins with an apostrophe in the CSV files.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from extractors.errors import InputError
from extractors.files import write_text
from fusion.alerts.alert import Alert, Evidence
from fusion.alerts.rule import Rule
from fusion.clock import clock
from fusion.valence import ValenceMap

SCHEMA_VERSION = 2
NOTICE = (
    "Automated estimates of expressed emotion, often wrong; not for employment, education, legal or medical decisions."
)
ALERT_COLUMNS = (
    "alert",
    "recording",
    "rule",
    "severity",
    "scope",
    "scope_value",
    "start_s",
    "end_s",
    "fired_s",
    "smoothed_peak",
    "smoothed_mean",
    "speech_s",
    "utterances",
    "calibrated",
    "open",
)
EVIDENCE_COLUMNS = ("id", "speaker", "start_s", "end_s", "speech_s", "value", "confidence", "text")
QUOTES = 3  # in the cell of alerts.csv


def alerts_json(
    alerts: Sequence[Alert],
    rules: Sequence[Rule],
    *,
    recordings: Sequence[Mapping[str, Any]] = (),
    model: str | None = None,
    calibrated: bool | None = None,
    valence: ValenceMap | None = None,
    left_out: Sequence[str] = (),
    failed: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """The content of alerts.json."""
    return {
        "schema_version": SCHEMA_VERSION,
        "what": "Emofuse alerts",
        "notice": NOTICE,
        "model": model,
        "calibrated": calibrated,
        "valence": None if valence is None else {"map": valence.name, "values": dict(valence.values)},
        "rules": {rule.name: rule.as_dict() for rule in rules},
        "left_out": list(left_out),
        "recordings": list(recordings),
        "failed": dict(failed or {}),
        "alerts": [alert.as_dict() for alert in alerts],
    }


def write_alerts(folder: Path, content: Mapping[str, Any], alerts: Sequence[Alert]) -> list[Path]:
    """The three files. `content` is that of alerts.json."""
    return [
        write_text(folder / "alerts.json", json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n"),
        write_text(folder / "alerts.csv", _table((*ALERT_COLUMNS, "evidence"), map(_alert_row, enumerate(alerts, 1)))),
        write_text(
            folder / "evidence.csv",
            _table(
                ("alert", "rule", "recording", *EVIDENCE_COLUMNS, *_labels(alerts)),
                (row for numbered in enumerate(alerts, 1) for row in _evidence_rows(*numbered, _labels(alerts))),
            ),
        ),
    ]


def read_alerts(path: str | Path) -> tuple[list[Alert], dict[str, Any]]:
    """Alerts, and all that alerts.json says. Raises InputError where the file is none, or of another version."""
    path = Path(path).expanduser()
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        version = content["schema_version"]
        if version != SCHEMA_VERSION:
            raise InputError(f"{path}: schema version {version}; this Emofuse reads {SCHEMA_VERSION}")
        alerts = [
            Alert(**{**one, "evidence": tuple(Evidence(**found) for found in one["evidence"])})
            for one in content["alerts"]
        ]
        for alert in alerts:
            if not all(isinstance(time, int | float) for time in (alert.start_s, alert.end_s, alert.fired_s)):
                raise ValueError(f"times of {alert.rule} that are no numbers")
        if unknown := {alert.rule for alert in alerts} - set(content["rules"]):
            raise ValueError(f"alerts of rules that are not in it: {', '.join(sorted(unknown))}")
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path} is no alerts.json as `emofuse watch` writes it: {error}") from error
    return alerts, content


def _quote(one: Evidence) -> str:
    when = f"{clock(one.start_s, tenths=True)}-{clock(one.end_s, tenths=True)}"
    return f"{when} {one.value:.2f} {one.text or one.id}"


def _alert_row(numbered: tuple[int, Alert]) -> list[Any]:
    number, alert = numbered
    plain = alert.as_dict() | {"alert": number}
    quotes = " | ".join(_quote(one) for one in alert.quotes(QUOTES))
    return [*(plain[name] for name in ALERT_COLUMNS), quotes]


def _evidence_rows(number: int, alert: Alert, labels: Sequence[str]) -> Iterable[list[Any]]:
    for one in alert.evidence:
        plain = one.as_dict()
        scores = plain["scores"]
        yield [
            number,
            alert.rule,
            alert.recording,
            *(plain[n] for n in EVIDENCE_COLUMNS),
            *(scores.get(n) for n in labels),
        ]


def _labels(alerts: Sequence[Alert]) -> list[str]:
    return list(dict.fromkeys(label for alert in alerts for one in alert.evidence for label in one.scores))


def _table(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([_safe(name) for name in header])
    writer.writerows([[_safe(cell) for cell in row] for row in rows])
    return out.getvalue()


def _safe(cell: Any) -> Any:
    """Text that is no formula.

    >>> _safe("=1+1"), _safe(-0.5), _safe(None)
    ("'=1+1", -0.5, '')
    """
    if cell is None:
        return ""
    return "'" + cell if isinstance(cell, str) and cell[:1] in ("=", "+", "-", "@", "\t", "\r") else cell
