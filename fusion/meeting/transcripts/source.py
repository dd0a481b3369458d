"""A transcript's file, read once within bounds: bytes to text, whatever the encoding, and JSON where it is JSON."""

from __future__ import annotations

import codecs
import gzip
import json
import logging
import os
import re
import zlib
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from extractors.errors import InputError

log = logging.getLogger(__name__)

LARGEST = 256 * 2**20  # bytes; a day of word-timed JSON is some 100 MiB
LONGEST_LINE = 2**20  # characters of a line of text; JSON of one line is no text of lines
CHUNK = 2**20  # bytes
BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # begins with UTF-16's mark: looked for first
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
LINE_ENDS = re.compile("\r\n?|\u2028|\u2029|\u0085")
NO_TEXT = {
    b"RIFF": "a recording (WAV)", b"OggS": "a recording (Ogg)", b"fLaC": "a recording (FLAC)", b"ID3": "a recording (MP3)",
    b"PK\x03\x04": "a Word document or an archive", b"%PDF": "a PDF", b"\x7fELF": "a program",
}  # fmt: skip
GIVE = "Give a transcript: WebVTT, SRT, JSON, CSV, …; Word and PDF can be exported as one of those."
COMMON_HAN = re.compile("[\u4e00-\u9fa5，。！？：、]")


class Source:
    """One file (or, for Kaldi, a folder), its text and its JSON read when first asked for.

    Raises InputError for what is missing, empty, too large, binary, or of a line too long to be a cue.

    >>> Source(Path("call.vtt"), data=b"\\xef\\xbb\\xbfWEBVTT\\r\\n").text
    'WEBVTT\\n'
    """

    def __init__(
        self,
        path: Path,
        *,
        encoding: str | None = None,
        data: bytes | None = None,
        columns: Mapping[str, str] | None = None,
        recording: str | None = None,
    ) -> None:
        self.path, self._encoding = path, encoding
        self.columns, self.recording = columns, recording  # of tables; of files that hold several recordings
        self.folder = data is None and path.is_dir()
        self._data = data

    @property
    def name(self) -> str:
        return self.path.name

    @cached_property
    def text(self) -> str:
        """All of it, line ends as "\\n", without a byte-order mark."""
        data = self._read()
        what = next((what for magic, what in NO_TEXT.items() if data.startswith(magic)), None)
        if what is not None:
            raise InputError(f"{self.name}: this is {what}, no transcript", hint=GIVE)
        text = _decode(data, self._encoding, self.name)
        if "\x00" in text[:1000]:
            raise InputError(f"{self.name}: this is no text", hint=GIVE)
        return LINE_ENDS.sub("\n", text)

    @cached_property
    def lines(self) -> list[str]:
        """The lines of a format made of lines. Raises InputError where one is longer than any cue."""
        text = self.text
        self.check_lines(text)
        return text.split("\n")

    def check_lines(self, text: str) -> None:
        """Raises InputError where a line of `text` is longer than any cue: no pattern is let loose on it."""
        begin, number = 0, 1
        while begin < len(text):
            end = text.find("\n", begin)
            end = len(text) if end < 0 else end
            if end - begin > LONGEST_LINE:
                raise InputError(
                    f"{self.name}: line {number} has {end - begin:,} characters; at most {LONGEST_LINE:,} can be read",
                    hint="No cue is that long: the file is damaged, lost its line ends, or is no transcript.",
                )
            begin, number = end + 1, number + 1

    @cached_property
    def json(self) -> Any:
        """What the JSON says; None where the file is no JSON. Raises InputError where it begins as JSON and is broken."""
        if self.folder or self.text.lstrip()[:1] not in ("{", "["):
            return None
        try:
            return json.loads(self.text)
        except RecursionError:
            raise InputError(f"{self.name}: JSON nested too deeply to be a transcript") from None
        except ValueError as error:
            if self._looks_like_lines_of_json() or self.text.lstrip()[0] == "[":  # JSON Lines; "[00:00:01] Name: text"
                return None
            raise InputError(f"{self.name}: broken JSON: {str(error)[:200]}", hint="Is the file complete?") from None

    def _looks_like_lines_of_json(self) -> bool:
        first, _, rest = self.text.strip().partition("\n")
        try:
            return isinstance(json.loads(first), dict) and bool(rest)
        except (ValueError, RecursionError):
            return False

    def _read(self) -> bytes:
        if self._data is not None:
            return self._data
        try:
            with self.path.open("rb") as opened:
                zipped = opened.read(2) == b"\x1f\x8b"
            with gzip.open(self.path) if zipped else self.path.open("rb") as file:
                data = file.read(LARGEST + 1)
        except FileNotFoundError:
            raise InputError(f"{self.path}: no such transcript", hint=_neighbours(self.path)) from None
        except (OSError, EOFError, zlib.error) as error:
            raise InputError(f"{self.path}: cannot be read: {error}") from None
        if len(data) > LARGEST:
            raise InputError(f"{self.name}: larger than {LARGEST / 2**20:.0f} MiB; no transcript is")
        if not data.strip():
            raise InputError(f"{self.name}: the file is empty")
        return data


def _decode(data: bytes, encoding: str | None, name: str) -> str:
    if encoding is None:
        encoding = _guess(data, name)
        if encoding not in ("utf-8", "utf-8-sig"):
            log.info("%s: read as %s", name, encoding)
    try:
        return data.decode(encoding).lstrip("\ufeff")
    except (UnicodeDecodeError, LookupError) as error:
        raise InputError(f"{name}: cannot be read as {encoding}: {error}", hint="Give its `encoding`.") from None


def _guess(data: bytes, name: str) -> str:
    """UTF-8 wherever that fits; else by byte-order mark, zeros (UTF-16), Chinese (GB 18030), or Western."""
    for mark, encoding in BYTE_ORDER_MARKS:
        if data.startswith(mark):
            return encoding
    head = data[:4096]
    if head.count(0) > len(head) // 4:  # every second byte of ASCII in UTF-16
        encoding = "utf-16-be" if head[::2].count(0) > head[1::2].count(0) else "utf-16-le"
        try:
            data.decode(encoding)
        except UnicodeDecodeError:
            raise InputError(f"{name}: this is no text", hint=GIVE) from None
        return encoding
    try:
        data.decode("utf-8")
        return "utf-8"
    except UnicodeDecodeError:
        pass
    try:
        foreign = [sign for sign in data.decode("gb18030") if sign > "\x7f"]
        if foreign and sum(map(bool, map(COMMON_HAN.match, foreign))) >= 0.9 * len(foreign) and _in_pairs(data):
            return "gb18030"
    except UnicodeDecodeError:
        pass
    try:
        data.decode("cp1252")
        return "cp1252"
    except UnicodeDecodeError:
        return "latin-1"


def _in_pairs(data: bytes) -> bool:
    """Whether bytes above ASCII stand in runs, as Chinese does; in Western text they stand alone."""
    runs = re.findall(rb"[\x80-\xff]+", data)
    return sum(map(len, runs)) > 2 * len(runs)


def _neighbours(path: Path) -> str | None:
    try:
        beside = sorted(entry.name for entry in os.scandir(path.parent) if entry.is_file())[:8]
    except OSError:
        return f"There is no folder {path.parent} either."
    return f"Beside it: {', '.join(beside)}" if beside else None
