"""Google Meet's API: transcript entries with wall-clock times; speakers are resources, named where participants are given."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from fusion.meeting.transcripts.clean import clean
from fusion.meeting.transcripts.clock import moment
from fusion.meeting.transcripts.cue import Cue, Raw
from fusion.meeting.transcripts.fields import id_of, record, records, text_of
from fusion.meeting.transcripts.source import Source


def matches(source: Source) -> bool:
    """Whether its JSON holds transcript entries of conference records."""
    return any("participant" in entry and "startTime" in entry for entry in _entries(source.json)[:5])


def read(source: Source) -> Raw:
    """All entries; second 0 is the transcript's `startTime`, else its first entry's.

    Whether the recording began then too nobody says: check the offset.

    >>> from pathlib import Path
    >>> text = b'{"transcriptEntries": [{"participant": "p1", "text": "So.", "startTime": "2026-03-02T09:00:05.020Z",'
    >>> text += b' "endTime": "2026-03-02T09:00:06.300Z"}], "transcript": {"startTime": "2026-03-02T09:00:04.120Z"}}'
    >>> [(cue.start, cue.end, cue.speaker) for cue in read(Source(Path("a.json"), data=text)).cues]
    [(0.9, 2.18, 'p1')]
    """
    content = source.json
    entries = _entries(content)
    about = record(content.get("transcript")) if isinstance(content, dict) else {}
    starts = [found for entry in entries if (found := moment(entry.get("startTime")))]
    begun = moment(about.get("startTime")) or min(starts, default=None)
    ended = moment(about.get("endTime"))
    cues = [
        Cue(
            f"entry {place}", _since(entry.get("startTime"), begun), _since(entry.get("endTime"), begun),
            text_of(entry, "text"), id_of(entry.get("participant")), id_of(str(entry.get("name", "")).rpartition("/")[2]),
        )
        for place, entry in enumerate(entries, start=1)
    ]  # fmt: skip
    duration = (ended - begun).total_seconds() if begun and ended else None
    return Raw(cues, tool="meet", duration_s=duration, absolute_start=begun, speakers=_names(content))


def _entries(content: Any) -> list[dict[str, Any]]:
    if isinstance(content, dict):
        content = content.get("transcriptEntries", content.get("entries"))
    return records(content)


def _since(value: Any, begun: datetime | None) -> float | None:
    at = moment(value)
    return round((at - begun).total_seconds(), 6) if at and begun else None


def _names(content: Any) -> dict[str, str]:
    """What the participants' list calls them (signed in, anonymous or by telephone), else the end of their resource's name."""
    named = [str(entry["participant"]) for entry in _entries(content) if isinstance(entry.get("participant"), str)]
    names = {name: name.rpartition("/")[2] or name for name in named}
    for entry in records(content.get("participants")) if isinstance(content, dict) else []:
        users = [record(entry.get(kind)) for kind in ("signedinUser", "anonymousUser", "phoneUser")]
        shown = next((name for user in users if (name := clean(user.get("displayName")))), "")
        if shown and isinstance(entry.get("name"), str):
            names[entry["name"]] = shown
    return names
