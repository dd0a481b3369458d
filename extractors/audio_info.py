"""What an audio file is, said by its header: cheap enough to ask of a million files before anything is decoded."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from math import isfinite

from extractors.decoder import AudioError, Decoder, open_audio, open_regular

SPAN_TOLERANCE = 0.1  # s; annotators round, and MP3 tools disagree by the encoder's delay


@dataclass(frozen=True, slots=True)
class AudioInfo:
    """What the header says. `frames` are samples per channel at `sample_rate` Hz; `duration` is seconds."""

    frames: int
    sample_rate: int
    channels: int
    format: str  # as libsndfile calls it: WAV, FLAC, OGG, MP3 …
    subtype: str  # PCM_16, FLOAT, VORBIS, OPUS …

    @property
    def duration(self) -> float:
        return self.frames / self.sample_rate


def probe(path: str | os.PathLike[str]) -> AudioInfo:
    """Format, rate, channels and length of an audio file from its headers (0.1 to 1 ms; nothing is decoded).

    Raises `AudioError` for what can be seen without decoding: missing, a folder, unreadable, empty, not audio, no
    samples, a WAV, AIFF, Ogg or MP3 file cut short. A cut FLAC shows only when it is decoded.
    Only where a FLAC header leaves its length open are the samples counted, by decoding.

    >>> import soundfile, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     soundfile.write(f"{folder}/x.flac", [[0.0, 0.0]] * 44_100, 44_100)
    ...     probe(f"{folder}/x.flac")
    AudioInfo(frames=44100, sample_rate=44100, channels=2, format='FLAC', subtype='PCM_16')
    """
    with open_audio(path) as file:
        length = _counted(file) if file.length is None else file.length
        return AudioInfo(length, file.samplerate, file.channels, file.format, file.subtype)


def content_hash(path: str | os.PathLike[str]) -> str:
    """32 hex digits (BLAKE2b-128) of the file's bytes: the same wherever the file lies and whatever it is called.

    >>> import tempfile
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = Path(folder, "a").write_bytes(b"same"), Path(folder, "b").write_bytes(b"same")
    ...     content_hash(f"{folder}/a") == content_hash(f"{folder}/b")
    True
    """
    with open_regular(path) as file:
        try:
            return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
        except OSError as error:
            raise AudioError(path, f"cannot be read: {error.strerror}") from error


def check_span(path: str | os.PathLike[str], duration: float, start: float | None, end: float | None) -> None:
    """Raise `AudioError` where `start` to `end` (seconds) is no span of a file of `duration` seconds.

    `end` may exceed the duration by `SPAN_TOLERANCE`; the span then ends with the file.
    """
    if not all(isfinite(value) for value in (start, end) if value is not None):
        raise AudioError(path, f"start and end must be numbers of seconds, got start={start} end={end}")
    begin = 0.0 if start is None else start
    stop = duration if end is None else end
    if begin < 0:
        raise AudioError(path, f"start is before the file: {begin:g} s")
    if begin >= duration:
        raise AudioError(path, f"start is beyond the file: {begin:g} s of {duration:.3f} s")
    if stop <= begin:
        raise AudioError(path, f"end is not after start: {begin:g} s to {stop:g} s")
    if stop > duration + SPAN_TOLERANCE:
        raise AudioError(path, f"end is beyond the file: {stop:g} s of {duration:.3f} s")


def _counted(file: Decoder) -> int:
    return sum(len(block) for block in file.blocks_between(0, None))
