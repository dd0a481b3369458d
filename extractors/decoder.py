"""Open audio files with libsndfile, and read exactly the samples that were asked for, whatever the format."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path
from typing import Any

import soundfile

from extractors.containers import missing_bytes
from extractors.errors import InputError
from extractors.mp3 import mp3_length
from extractors.types import Float32

BLOCK = 1 << 18  # samples per channel that are decoded at a time
UNKNOWN_FRAMES = 2**62  # libsndfile says 2**63 - 1 of a FLAC stream whose header leaves its length open
LOSSY_SLACK = 0.1  # s; tools disagree on an MP3's length by the encoder's delay, up to 52 ms
MP3_FROM_START = 60  # s; up to here the beginning is decoded too (60 ms), for a seek makes libmpg123 print warnings
MP3_PREROLL = 2  # s; a frame may use bits of up to 511 bytes before it: at 8 kbit/s, a second's frames
VORBIS_TAIL = 30  # s; libsndfile misjudges the last Ogg page, which ends early: up to 255 packets of it


class AudioError(InputError):
    """An audio file or span that cannot be used. `reason` is one line, fit for a table of failures.

    >>> error = AudioError("call.wav", "is a folder")
    >>> print(error, "|", error.reason)
    call.wav: is a folder | is a folder
    """

    def __init__(self, path: str | os.PathLike[str], reason: str) -> None:
        self.path, self.reason = Path(path), " ".join(reason.split())
        super().__init__(f"{self.path}: {self.reason}")

    def __reduce__(self) -> tuple[Any, ...]:  # so that it crosses processes whole
        return type(self), (str(self.path), self.reason)


class Decoder(soundfile.SoundFile):
    """A SoundFile that is read forwards. `length` is its samples per channel, None where the header leaves it open.

    soundfile seeks to where it already is after every read of a seekable file. For MP3 that drops the bits that the
    next frames refer to: read in blocks, 30 kbit/s speech came out with errors of up to 0.14 of full scale.
    """

    length: int | None
    position: int = 0  # samples per channel, up to which it was decoded

    def seekable(self) -> bool:
        return False

    def blocks_between(self, begin: int, stop: int | None) -> Iterator[Float32]:
        """(samples, channels) float32 blocks of the samples from `begin` to `stop` or the end; of a fresh file only."""
        self.position = self._safe_start(begin)
        if self.position:
            self.seek(self.position)
        skip = begin - self.position
        while stop is None or self.position < stop:
            frames = BLOCK if stop is None else min(BLOCK, stop - self.position)
            block = self.read(frames, dtype="float32", always_2d=True)
            self.position += len(block)
            if not len(block):
                return
            if skip < len(block):
                yield block[max(0, skip) :]
            skip -= len(block)

    def _safe_start(self, begin: int) -> int:
        """Where to seek to for the samples from `begin` on to come out as they do when the whole file is decoded."""
        if self.length is None:
            return 0
        if self.format in ("MP3", "MPEG"):
            near = begin < MP3_FROM_START * self.samplerate
            return 0 if near else max(0, begin - MP3_PREROLL * self.samplerate)
        if self.subtype == "VORBIS":
            return max(0, min(begin, self.frames - VORBIS_TAIL * self.samplerate))
        return begin


@contextmanager
def open_audio(path: str | os.PathLike[str]) -> Iterator[Decoder]:
    """The open file, its headers checked. libsndfile goes by content alone: it gets a descriptor and sees no suffix.

    Raises `AudioError`, also for what libsndfile says while the file is being read.
    """
    with open_regular(path) as raw:
        try:
            if os.fstat(raw.fileno()).st_size == 0:
                raise AudioError(path, "is empty (0 bytes)")
            missing = missing_bytes(raw)
            raw.seek(0)
            file = Decoder(raw.fileno(), closefd=False)
        except OSError as error:
            raise AudioError(path, f"cannot be read: {error.strerror}") from error
        except soundfile.LibsndfileError as error:
            raise AudioError(path, f"is not audio that libsndfile can read: {_its_words(error)}") from error
        with file:
            file.length = file.frames if file.frames < UNKNOWN_FRAMES else None
            if file.format in ("MP3", "MPEG"):
                missing = _settle_mp3(path, file)
            if missing:
                raise AudioError(path, f"is truncated: {missing:,} bytes that its header promises are missing")
            if file.length == 0:
                raise AudioError(path, "holds no samples")
            try:
                yield file
            except soundfile.LibsndfileError as error:
                raise AudioError(path, f"is damaged or truncated: {_its_words(error)}") from error


@contextmanager
def open_regular(path: str | os.PathLike[str]) -> Iterator[FileIO]:
    """The bytes of an ordinary file, or an `AudioError` that says why not."""
    try:
        mode = os.stat(path).st_mode  # noqa: PTH116 - a Path would cost as much as the call itself
        if stat.S_ISDIR(mode):
            raise AudioError(path, "is a folder")
        if not stat.S_ISREG(mode):  # opening a pipe would wait for its writer for ever
            raise AudioError(path, "is not a regular file")
        raw = FileIO(path)
    except FileNotFoundError:
        raise AudioError(path, "no such file") from None
    except PermissionError:
        raise AudioError(path, "permission denied") from None
    except (OSError, ValueError) as error:  # ValueError: a null byte in the name
        raise AudioError(path, f"cannot be opened: {getattr(error, 'strerror', None) or error}") from error
    with raw:
        yield raw


def _settle_mp3(path: str | os.PathLike[str], file: Decoder) -> int:
    """Set the true length of an MP3 file; the bytes it lacks."""
    with open_regular(path) as raw:  # its own descriptor: libsndfile's has a position to keep
        found = mp3_length(raw)
    if found.counted is not None:
        if found.counted > file.frames + LOSSY_SLACK * file.samplerate:
            seconds = (file.frames / file.samplerate, found.counted / file.samplerate)
            raise AudioError(
                path,
                "is an MP3 of variable bit rate without a Xing header, of which libsndfile reads "
                "{:.1f} s of {:.1f} s: rewrite it (ffmpeg -i in.mp3 -c copy out.mp3)".format(*seconds),
            )
        file.length = found.counted
    return found.missing


def _its_words(error: soundfile.LibsndfileError) -> str:
    return " ".join(error.error_string.removeprefix("Error :").split()).rstrip(".")
