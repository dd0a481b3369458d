"""How long an MP3 stream is, by its own headers: libsndfile guesses where no Xing or VBRI header says so.

The guess is the file's size over the first frame's bit rate: seconds too long for a plain recording with a picture in
its tags, any number for a variable bit rate. Frame headers as in ISO/IEC 11172-3 (section 2.4.1.3) and 13818-3.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from io import FileIO

KILOBITS = {  # per second, by the header's index; 0 (free format) and 15 are not walked
    1: (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 0),
    2: (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160, 0),
}
RATES = {3: (44_100, 48_000, 32_000, 0), 2: (22_050, 24_000, 16_000, 0), 0: (11_025, 12_000, 8_000, 0)}  # Hz
TAGS = (b"TAG", b"APETAGEX", b"ID3", b"LYRICSBEGIN", b"\0\0\0\0")  # what may follow the last frame
SEARCHED = 65_536  # bytes after the tags, in which the first frame has to begin
SLACK = 4_096  # bytes; writers of Xing headers disagree on whether it counts itself


@dataclass(frozen=True, slots=True)
class Mp3Length:
    """`counted` samples per channel where the frames had to be walked; `missing` bytes that are promised, not there."""

    counted: int | None = None
    missing: int = 0


def mp3_length(file: FileIO) -> Mp3Length:
    """What the headers of an open MP3 file say of its length. Empty where they cannot be understood.

    Where a Xing, Info or VBRI header is there, libsndfile reads it: only the bytes it promises are checked. Else every
    frame header is walked (an hour: 0.1 s).
    """
    file.seek(0)
    data = file.read(10)
    begin = 0
    if data[:3] == b"ID3":  # the size holds seven bits a byte
        begin = 10 + sum((byte & 0x7F) << shift for byte, shift in zip(data[6:10], (21, 14, 7, 0), strict=False))
    file.seek(begin)
    data = file.read(2 * SEARCHED)
    first = data.find(b"\xff", 0, SEARCHED)
    while first >= 0 and not _chained(data, first):
        first = data.find(b"\xff", first + 1, SEARCHED)
    if first < 0:
        return Mp3Length()
    promised = _promised_bytes(data[first : first + _frame(data, first)[0]])
    if promised is None:
        return _walk(data + file.readall(), first)
    missing = promised - (os.fstat(file.fileno()).st_size - begin - first)
    return Mp3Length(missing=missing if missing > max(SLACK, promised // 100) else 0)


def _promised_bytes(frame: bytes) -> int | None:
    """The size of the stream that a Xing, Info or VBRI header in the first frame states (0: none); None without one."""
    if (at := frame.find(b"VBRI", 0, 64)) >= 0:
        return int.from_bytes(frame[at + 10 : at + 14], "big")
    at = max(frame.find(b"Xing", 0, 64), frame.find(b"Info", 0, 64))
    if at < 0:
        return None
    flags = frame[at + 7]  # 1: the number of frames is there, 2: the number of bytes is
    field = at + 8 + 4 * (flags & 1)
    return int.from_bytes(frame[field : field + 4], "big") if flags & 2 else 0


def _frame(data: bytes, at: int) -> tuple[int, int]:
    """(bytes, samples) of the layer III frame whose header is at `at`; zeros where there is none."""
    if at + 4 > len(data) or data[at] != 0xFF or data[at + 1] & 0xE6 != 0xE2:
        return 0, 0
    version = data[at + 1] >> 3 & 3
    rate = RATES.get(version, (0, 0, 0, 0))[data[at + 2] >> 2 & 3]
    kilobits = KILOBITS[1 if version == 3 else 2][data[at + 2] >> 4]
    if not rate or not kilobits:
        return 0, 0
    samples = 1_152 if version == 3 else 576
    return samples // 8 * kilobits * 1_000 // rate + (data[at + 2] >> 1 & 1), samples


def _chained(data: bytes, at: int) -> bool:
    """One frame, and another right after it (or the end): chance makes one, not two."""
    size, _ = _frame(data, at)
    return size > 0 and (at + size >= len(data) or _frame(data, at + size)[0] > 0)


def _walk(data: bytes, at: int) -> Mp3Length:
    total = 0
    while at < len(data):
        size, samples = _frame(data, at)
        if not size:
            return Mp3Length(counted=total) if data.startswith(TAGS, at) else Mp3Length()
        if at + size > len(data):
            return Mp3Length(counted=total, missing=at + size - len(data))
        at, total = at + size, total + samples
    return Mp3Length(counted=total)
