"""Reading JSON from outside: what is not of the kind expected is as if it were not there."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from fusion.meeting.transcript import Word
from fusion.meeting.transcripts.clean import clean
from fusion.meeting.transcripts.clock import number

MACHINE_NAME = re.compile(r"-?\d{1,4}|[A-Z]")


def records(value: Any) -> list[dict[str, Any]]:
    """The list's records; what is no record becomes an empty one, so that places in the file still count.

    >>> records([{"a": 1}, "b"]), records(None)
    ([{'a': 1}, {}], [])
    """
    return [entry if isinstance(entry, dict) else {} for entry in value] if isinstance(value, list) else []


def record(value: Any) -> dict[str, Any]:
    """The record, else an empty one."""
    return value if isinstance(value, dict) else {}


def text_of(entry: dict[str, Any], *keys: str) -> str:
    """The first of these keys that holds text."""
    for key in keys:
        value = entry.get(key)
        if isinstance(value, str):
            return value
    return ""


def words_of(
    value: Any,
    text: tuple[str, ...],
    start: str,
    end: str,
    confidence: tuple[str, ...] = (),
    *,
    seconds: Callable[[Any], float | None] = number,
) -> tuple[Word, ...]:
    """Timed words of a list of records; words without both times are left out here (the cue's text has them)."""
    found: list[Word] = []
    for entry in records(value):
        begins, ends = seconds(entry.get(start)), seconds(entry.get(end))
        if begins is None or ends is None or ends < begins:
            continue
        said = clean(text_of(entry, *text))
        if said:
            found.append(Word(said, begins, ends, _first_number(entry, confidence)))
    return tuple(found)


def _first_number(entry: dict[str, Any], keys: tuple[str, ...]) -> float | None:
    for key in keys:
        if key in entry and (read := number(entry[key])) is not None:
            return read
    return None


def speaker_of(value: Any) -> str | None:
    """A speaker as readers may see it: numbers (0 is one) and single letters become "Speaker 0", "Speaker A".

    >>> speaker_of(0), speaker_of("spk_1"), speaker_of("A"), speaker_of(""), speaker_of(None), speaker_of(True)
    ('Speaker 0', 'spk_1', 'Speaker A', None, None, None)
    """
    if isinstance(value, bool) or not isinstance(value, str | int | float) or value != value:
        return None
    name = value.strip() if isinstance(value, str) else f"{value:g}"
    return f"Speaker {name}" if MACHINE_NAME.fullmatch(name) else name or None


def id_of(value: Any) -> str | None:
    """An id as text, where there is one: text, or a whole number.

    >>> id_of(0), id_of("a7"), id_of(None)
    ('0', 'a7', None)
    """
    if isinstance(value, str):
        return value.strip() or None
    return str(value) if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 10**15 else None
