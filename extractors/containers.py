"""Is the end of an audio file missing? libsndfile reads a cut WAV or Ogg file in silence, as far as it goes."""

from __future__ import annotations

import os
from io import FileIO
from typing import Literal

OPEN_ENDED = (0, 0x7FFF_0000)  # bytes; sizes that a WAV written to a pipe carries: none, or (almost) the largest
MOST_CHUNKS = 1_000  # a real file has ten; one made of zeros would have a hundred million
LARGEST_OGG_PAGE = 65_307  # bytes; 27 of header, 255 of segment table, 255 segments of 255


def missing_bytes(file: FileIO) -> int:
    """How many bytes the container promises beyond the end of the file; 0 where it is whole, or cannot tell.

    Knows WAV (RIFF, RIFX, RF64, BW64), AIFF and Ogg. Moves the file's position.
    """
    size = os.fstat(file.fileno()).st_size
    magic = file.read(12)
    if magic[:4] in (b"RIFF", b"RIFX", b"FORM", b"RF64", b"BW64"):
        return _from_chunks(file, size, magic[:4])
    if magic[:4] == b"OggS":
        return _from_last_page(file, size)
    return 0


def _from_chunks(file: FileIO, size: int, magic: bytes) -> int:
    """RIFF as Microsoft's Multimedia Programming Interface (1991) has it, ds64 as EBU Tech 3306, AIFF alike."""
    order: Literal["big", "little"] = "big" if magic in (b"FORM", b"RIFX") else "little"
    wanted = b"SSND" if magic == b"FORM" else b"data"
    position, long_data = 12, None
    for _ in range(MOST_CHUNKS):
        if position + 8 > size:
            break
        file.seek(position)
        header = file.read(24)
        name, length = header[:4], int.from_bytes(header[4:8], order)
        if name == b"ds64":
            long_data = int.from_bytes(header[16:24], "little")
        if name == wanted:
            if long_data is not None and length == 0xFFFF_FFFF:
                length = long_data
            elif length == OPEN_ENDED[0] or length >= OPEN_ENDED[1]:
                return 0
            return max(0, position + 8 + length - size)
        position += 8 + length + length % 2  # chunks are padded to even sizes
    return 0


def _from_last_page(file: FileIO, size: int) -> int:
    """Ogg pages carry their own size (RFC 3533, section 6); the last one has to be whole."""
    file.seek(max(0, size - LARGEST_OGG_PAGE))
    tail = file.read(LARGEST_OGG_PAGE)
    start = tail.rfind(b"OggS\0")
    if start < 0:
        return 0
    if len(tail) < start + 27:
        return start + 27 - len(tail)
    segments = tail[start + 26]
    table = tail[start + 27 : start + 27 + segments]
    length = 27 + segments + sum(table)
    return max(0, length - (len(tail) - start))
