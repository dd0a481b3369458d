"""Minutes of any of the formats, told by their content."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from extractors.errors import InputError
from fusion.meeting.minutes.build import MOST_LINES, TOO_MUCH
from fusion.meeting.minutes.highlights import Unit, find_highlights, parse_highlights
from fusion.meeting.minutes.lines import find_lines
from fusion.meeting.minutes.markdown import parse_markdown
from fusion.meeting.minutes.plain import parse_plain
from fusion.meeting.minutes.types import Minutes
from fusion.meeting.minutes.zoom import find_summary, parse_zoom

Format = Literal["markdown", "text", "zoom", "highlights"]
FORMATS: tuple[Format, ...] = ("markdown", "text", "zoom", "highlights")
LARGEST = 20 * 2**20  # bytes
_MARKDOWN = re.compile(
    r"^(?:#{1,6}[ \t]|[ \t]*[-*+][ \t]|[ \t]*\|?[ \t]*:?-{3,}:?[ \t]*\||\*\*[^*\n]+\*\*|```|> )", re.MULTILINE
)
_BINARY = {
    b"PK\x03\x04": "a Word, OpenDocument or zip file", b"%PDF": "a PDF", b"{\\rtf": "an RTF file",
    b"RIFF": "a recording", b"OggS": "a recording", b"fLaC": "a recording", b"ID3": "a recording",
}  # fmt: skip
_CAPTIONS = re.compile(r"^[ \t]*(?:\d+:)?\d+:\d+[.,]\d+[ \t]*-->", re.MULTILINE)


def read_minutes(path: str | Path, *, format: Format | None = None, unit: Unit | None = None) -> Minutes:
    """Minutes from a file. `source` is the file's text, character for character, and `encoding` writes it back the same.

    Raises InputError where the file cannot be read as text, is empty, too large, or has nothing that could be an item.
    """
    path = Path(path)
    try:
        size = path.stat().st_size
        if size > LARGEST:
            raise InputError(f"minutes of {size / 2**20:.0f} MiB; at most {LARGEST // 2**20} are read: {path.name}")
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"cannot read the minutes: {path}", [str(error.strerror or error)]) from error
    text, encoding = _decode(content, path.name)
    if format is None and path.suffix.lower() in (".md", ".markdown"):
        format = "markdown"
    return replace(parse_minutes(text, format=format, unit=unit), encoding=encoding)


def parse_minutes(text: str, *, format: Format | None = None, unit: Unit | None = None) -> Minutes:
    """Minutes from a text; the format is told by the content where it is not given. `unit` is that of highlights' times.

    JSON of Zoom's AI Companion and JSON with timed texts get a Markdown text of their own (`rendered`). HTML anywhere is
    text. Raises InputError as `read_minutes`.

    >>> parse_minutes("## Notes\\n- prices go up\\n").format, parse_minutes('{"next_steps": ["call Ann"]}').format
    ('markdown', 'zoom')
    """
    if format is not None and format not in FORMATS:
        raise InputError(f"unknown format of minutes: {format}", hint=f"one of {', '.join(FORMATS)}")
    if not text.strip("\ufeff \t\r\n"):
        raise InputError("the minutes are empty", hint="without minutes= topics are made from the transcript")
    if len(_CAPTIONS.findall(text)) > 1:
        raise InputError("expected minutes, got captions", hint=TOO_MUCH)
    if len(find_lines(text)) > MOST_LINES and text.lstrip("\ufeff \t\r\n")[0] not in "{[":
        raise InputError(f"expected minutes, got {len(find_lines(text)):,} lines", hint=TOO_MUCH)
    if format in ("zoom", "highlights") or (format is None and text.lstrip("\ufeff \t\r\n")[0] in "{["):
        content = _load(text, required=format is not None)
        if content is not None:
            return _parse_json(content, format, unit)
    if format == "markdown" or (format is None and _MARKDOWN.search(text)):
        return parse_markdown(text)
    return parse_plain(text)


def _parse_json(content: Any, format: Format | None, unit: Unit | None) -> Minutes:
    summary = find_summary(content) if format != "highlights" else None
    if summary is not None:
        return parse_zoom(summary)
    groups = find_highlights(content) if format != "zoom" else []
    if groups:
        return parse_highlights(groups, unit)
    raise InputError(
        "JSON that holds no minutes",
        hint="expected Zoom's meeting summary (summary_overview, summary_details, next_steps), or a list of objects with"
        " a text and a start",
    )


def _load(text: str, *, required: bool) -> Any:
    try:
        return json.loads(text.lstrip("\ufeff"))
    except (ValueError, RecursionError) as error:
        if required or text.lstrip("\ufeff \t\r\n")[0] == "{":
            raise InputError("the minutes look like JSON and cannot be read", [str(error)[:200]]) from error
        return None  # a text that begins with a bracket, as "[00:18] Ann: …"


def _decode(content: bytes, name: str) -> tuple[str, str]:
    for magic, kind in _BINARY.items():
        if content.startswith(magic):
            raise InputError(f"{name} is {kind}", hint="save the minutes as Markdown or plain text")
    encoding = "utf-16" if content.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8"
    if encoding == "utf-16":  # with a named order the mark stays in the text, so that a copy keeps it
        encoding = "utf-16-le" if content.startswith(b"\xff\xfe") else "utf-16-be"
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        raise InputError(f"{name} is not {encoding.upper()} text", [str(error)], "save the minutes as UTF-8") from error
    if "\0" in text:
        raise InputError(f"{name} is no text: it has zero bytes", hint="save the minutes as UTF-8")
    return text, encoding
