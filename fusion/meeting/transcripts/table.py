"""CSV and JSON Lines: the way in for everything else. Columns are known by their usual names, or by `columns`.

`columns` names them: start, end, duration, text, speaker, id, confidence, recording; and `unit`: "s" (as if not given)
or "ms". Times may also be clock times ("1:02:03.5").
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from extractors.errors import InputError
from fusion.meeting.transcripts.clock import clock_seconds, number
from fusion.meeting.transcripts.cue import Cue, Raw
from fusion.meeting.transcripts.fields import id_of, record
from fusion.meeting.transcripts.recordings import OTHER, chosen_recording
from fusion.meeting.transcripts.source import Source

USUAL = {
    "start": (
        "start",
        "start_s",
        "start_time",
        "starttime",
        "start_sec",
        "begin",
        "onset",
        "from",
        "start_ms",
        "begin_ms",
    ),
    "end": ("end", "end_s", "end_time", "endtime", "end_sec", "stop", "offset", "to", "end_ms", "stop_ms"),
    "duration": ("duration", "duration_s", "dur", "length", "duration_ms"),
    "text": ("text", "transcript", "transcription", "utterance", "sentence", "words", "content", "caption"),
    "speaker": ("speaker", "speaker_name", "speaker_label", "name", "who", "participant", "speaker_id", "spk"),
    "id": ("id", "utterance_id", "segment_id", "utt_id"),
    "confidence": ("confidence", "conf", "score", "probability"),
    "recording": ("recording", "recording_id", "session", "session_id"),
}
UNITS = {"s": 1.0, "ms": 1e-3}
DELIMITERS = ",;\t|"
LONGEST_FIELD = 2**20  # characters, as a line


def matches_lines(source: Source) -> bool:
    """Whether it is JSON Lines, or a JSON list, of records with times."""
    if source.columns is not None and isinstance(source.json, list):
        return True
    rows = _first_records(source)
    return bool(rows) and {"start", "text"} <= set(_chosen(list(rows[0]), None))


def matches_csv(source: Source) -> bool:
    """Whether its first line is a header that names a start and a text (or `columns` says so)."""
    if source.text.lstrip()[:1] in ("{", "["):
        return False
    header = _header(source)
    return source.columns is not None or {"start", "text"} <= set(_chosen(header, None))


def read_lines(source: Source) -> Raw:
    """All records.

    >>> from pathlib import Path
    >>> text = b'{"start": 93.94, "duration": 1.74, "text": "I am Krista", "speaker": "FEE042"}\\n'
    >>> [(cue.start, cue.end, cue.speaker, cue.text) for cue in read_lines(Source(Path("a.jsonl"), data=text)).cues]
    [(93.94, 95.68, 'FEE042', 'I am Krista')]
    """
    rows: list[tuple[str, dict[str, Any] | None]] = []
    if isinstance(source.json, list):
        rows = [
            (f"record {n}", entry if isinstance(entry, dict) else None) for n, entry in enumerate(source.json, start=1)
        ]
    else:
        for n, line in enumerate(source.lines, start=1):
            if line.strip():
                rows.append((f"line {n}", _record(line)))
    names = list(dict.fromkeys(key for _, row in rows for key in (row or {})))
    return _read(source, names, rows, "no JSON record")


def read_csv(source: Source) -> Raw:
    """All rows.

    >>> from pathlib import Path
    >>> text = "Begin;Stop;Text;Who\\n1,5;3;Nein; danke;Ann\\n2,0;4;\\"Ja; gern\\";Bob\\n"
    >>> read = read_csv(Source(Path("a.csv"), data=text.encode()))
    >>> [(cue.start, cue.end, cue.speaker, cue.text, cue.dropped) for cue in read.cues]
    [(None, None, None, '', '5 fields where the header has 4'), (2.0, 4.0, 'Bob', 'Ja; gern', None)]
    """
    source.lines  # noqa: B018 - checks their length
    header = _header(source)
    reader = csv.reader(io.StringIO(source.text, newline=""), delimiter=_delimiter(source), strict=False)
    rows: list[tuple[str, dict[str, Any] | None]] = []
    short: dict[str, str] = {}
    limit = csv.field_size_limit(LONGEST_FIELD)
    try:
        for values in reader:
            place = f"line {reader.line_num}"
            if not rows and not short and [value.strip() for value in values] == header:
                header = [value.strip() for value in values]
                continue
            if not any(value.strip() for value in values):
                continue
            if len(values) != len(header):
                short[place] = f"{len(values)} fields where the header has {len(header)}"
            rows.append((place, dict(zip(header, values, strict=True)) if len(values) == len(header) else None))
    except csv.Error as error:
        raise InputError(f"{source.name}: line {reader.line_num}: {error}", hint="Is a quote not closed?") from None
    finally:
        csv.field_size_limit(limit)
    raw = _read(source, header, rows, "")
    for cue in raw.cues:
        cue.dropped = short.get(cue.place, cue.dropped)
    return raw


def _read(source: Source, names: Sequence[str], rows: Sequence[tuple[str, dict[str, Any] | None]], broken: str) -> Raw:
    chosen = _chosen(names, source.columns, source.name)
    problems = [f"no column for {what}" for what in ("start", "text") if what not in chosen]
    if problems:
        raise InputError(
            f"{source.name}: its columns are {', '.join(map(repr, names[:20]))}", problems,
            hint='Name them, as columns={"start": "Begin", "end": "End", "text": "Words", "speaker": "Who", "unit": "ms"}.',
        )  # fmt: skip
    unit = (source.columns or {}).get("unit")
    scales = {
        what: UNITS[unit] if unit else 1e-3 if name.lower().endswith("ms") else 1.0 for what, name in chosen.items()
    }
    meant: str | None = None
    if "recording" in chosen:
        meant = chosen_recording(
            (str(row[chosen["recording"]]) for _, row in rows if row and chosen["recording"] in row),
            source.recording,
            source.name,
        )
    cues: list[Cue] = []
    for place, row in rows:
        if row is None:
            cues.append(Cue(place, None, None, "", dropped=broken or "not the header's fields"))
            continue
        values = {what: row.get(name) for what, name in chosen.items()}
        start = _seconds(values.get("start"), scales["start"])
        end = _seconds(values.get("end"), scales.get("end", 1.0))
        length = _seconds(values.get("duration"), scales.get("duration", 1.0))
        if end is None and start is not None and length is not None:
            end = round(start + length, 6)
        text, speaker = values.get("text"), values.get("speaker")
        cue = Cue(
            place, start, end, text if isinstance(text, str) else "", id_of(speaker), id_of(values.get("id")),
            confidence=number(values.get("confidence")),
        )  # fmt: skip
        if meant is not None and str(values.get("recording")) != meant:
            cue.dropped = OTHER
        cues.append(cue)
    return Raw(cues)


def _chosen(names: Sequence[str], columns: Mapping[str, str] | None, file: str = "") -> dict[str, str]:
    """What each column is: as `columns` says, else by its usual name. Raises InputError for columns that are not there."""
    lower = {re.sub(r"[\s()\[\]-]+", "_", name.strip().lower()).strip("_"): name for name in reversed(names)}
    chosen = {
        what: lower[usual[0]] for what, known in USUAL.items() if (usual := [name for name in known if name in lower])
    }
    problems = []
    for what, name in (columns or {}).items():
        if what == "unit":
            if name not in UNITS:
                problems.append(f"unit: {name!r}; it is one of {', '.join(UNITS)}")
        elif what not in USUAL:
            problems.append(f"{what!r} is no column that is read; those are {', '.join(USUAL)}, unit")
        elif name not in names:
            near = get_close_matches(name, names, 1)
            problems.append(f"{what}: there is no column {name!r}" + (f"; is it {near[0]!r}?" if near else ""))
        else:
            chosen[what] = name
    if problems:
        raise InputError(f"{file}: columns", problems, hint=f"The file has {', '.join(map(repr, names[:20]))}.")
    if columns and "end" not in columns and "duration" in columns:
        chosen.pop("end", None)
    return chosen


def _seconds(value: Any, scale: float) -> float | None:
    if isinstance(value, str):
        value = value.strip()
        if ":" in value:
            return clock_seconds(value)
        if re.fullmatch(r"-?\d{1,12},\d{1,9}", value):  # a decimal comma
            value = value.replace(",", ".")
    read = number(value)
    return None if read is None else read if scale == 1.0 else round(read * scale, 6)


def _header(source: Source) -> list[str]:
    first = source.text.lstrip("\n").partition("\n")[0][:20_000]
    row: Iterable[str] = next(csv.reader([first], delimiter=_delimiter(source)), [])
    return [name.strip() for name in row]


def _delimiter(source: Source) -> str:
    first = source.text.lstrip("\n").partition("\n")[0][:20_000]
    return max(DELIMITERS, key=first.count)


def _record(line: str) -> dict[str, Any] | None:
    try:
        return record(json.loads(line)) or None
    except (ValueError, RecursionError):
        return None


def _first_records(source: Source) -> list[dict[str, Any]]:
    if isinstance(source.json, list):
        return [entry for entry in source.json[:5] if isinstance(entry, dict)]
    if isinstance(source.json, dict):  # one record on one line
        return [source.json] if "\n" not in source.text.strip() else []
    lines = [line for line in source.text[:2_000_000].split("\n") if line.strip()][:5]
    return [row for line in lines if (row := _record(line))]
