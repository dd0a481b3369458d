"""Timed highlights: JSON lists of texts with a start, as chapters, key moments and clips come from many services."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from fusion.clock import clock
from fusion.meeting.minutes.citations import seconds
from fusion.meeting.minutes.render import Draft, render
from fusion.meeting.minutes.types import Citation, Minutes

TEXTS = ("text", "summary", "highlight", "description", "content", "headline", "title", "gist", "label", "name")
STARTS = (
    "start_s",
    "start",
    "start_time",
    "startTime",
    "timestamp",
    "time",
    "begin",
    "start_ms",
    "startMs",
    "BeginOffsetMillis",
    "offset",
)
ENDS = ("end_s", "end", "end_time", "endTime", "stop", "end_ms", "endMs", "EndOffsetMillis")
Unit = Literal["s", "ms"]
MANY = 1_000.0  # seconds; highlights that all last longer are in milliseconds
DEEPEST = 6


@dataclass(frozen=True, slots=True)
class Highlight:
    text: str
    start: float
    end: float | None
    unit: Unit | None  # where a key says so, or the time is written as a clock


def find_highlights(content: Any, depth: int = 0) -> list[tuple[str, list[Highlight]]]:
    """Every list of timed texts in a JSON document, by the key that it stands under."""
    if depth > DEEPEST:
        return []
    if isinstance(content, list):
        found = [highlight for entry in content if (highlight := _highlight(entry))]
        if found and len(found) * 2 >= len(content):
            return [("Highlights", found)]
        return [group for entry in content for group in find_highlights(entry, depth + 1)]
    if isinstance(content, Mapping):
        groups = []
        for key, value in content.items():
            if key not in ("words", "utterances", "segments"):  # that is a transcript
                named = str(key).replace("_", " ").strip().capitalize()
                groups += [
                    (named if name == "Highlights" else name, found)
                    for name, found in find_highlights(value, depth + 1)
                ]
        return groups
    return []


def parse_highlights(groups: list[tuple[str, list[Highlight]]], unit: Unit | None = None) -> Minutes:
    """Minutes with a time for each item. Times are seconds, or milliseconds where the key says so ("start_ms",
    "BeginOffsetMillis"), or where every highlight would else last longer than a quarter of an hour; `unit` decides.

    >>> minutes = parse_highlights(find_highlights({"chapters": [{"summary": "Prices", "start": 18000, "end": 65000}]}))
    >>> minutes.items[0].citations[0].start_s, minutes.items[0].section
    (18.0, ('Chapters',))
    """
    found = [highlight for _, group in groups for highlight in group]
    guess: Unit = unit or _unit([highlight for highlight in found if highlight.unit is None])
    notes = ["times of the highlights are taken as milliseconds"] if guess == "ms" and unit is None else []
    return render(_drafts(groups, guess), "highlights", notes)


def _drafts(groups: list[tuple[str, list[Highlight]]], guess: Unit) -> Iterator[Draft]:
    for name, group in groups:
        yield Draft(name, 2)
        for highlight in group:
            scale = 1e-3 if (highlight.unit or guess) == "ms" else 1.0
            start_s = highlight.start * scale
            end_s = None if highlight.end is None or highlight.end <= highlight.start else highlight.end * scale
            # cut, not rounded: what is cited must not begin after what was said
            text = "–".join(clock(math.floor(at)) for at in (start_s, end_s) if at is not None)
            yield Draft(highlight.text, citations=(Citation("time", text, start_s, end_s),))


def _unit(found: list[Highlight]) -> Unit:
    lengths = [highlight.end - highlight.start for highlight in found if highlight.end is not None]
    if lengths:
        return "ms" if min(lengths) >= MANY else "s"
    return "ms" if found and max(highlight.start for highlight in found) > 86_400 else "s"  # beyond a day


def _highlight(entry: Any) -> Highlight | None:
    if not isinstance(entry, Mapping):
        return None
    text = next((entry[key] for key in TEXTS if isinstance(entry.get(key), str) and entry[key].strip()), None)
    name = next((key for key in STARTS if _number(entry.get(key)) is not None), None)
    if text is None or name is None:
        return None
    start = _number(entry[name])
    assert start is not None
    end = next((number for key in ENDS if (number := _number(entry.get(key))) is not None), None)
    lowered = name.lower()
    unit: Unit | None = "ms" if "ms" in lowered or "milli" in lowered else None
    if name == "start_s" or isinstance(entry[name], str):
        unit = unit or "s"
    return Highlight(text, start, end, unit)


def _number(value: Any) -> float | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        try:
            value = seconds(value.strip()) if ":" in value else float(value.strip().removesuffix("s"))
        except ValueError:
            return None
    return float(value) if isinstance(value, int | float) and math.isfinite(value) and 0 <= value < 1e12 else None
