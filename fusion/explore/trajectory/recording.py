"""A recording that is read a few minutes at a time, and cut in the windows that an encoder would cut it in."""

from __future__ import annotations

import os
from collections.abc import Iterator
from math import ceil
from pathlib import Path
from typing import NamedTuple

import numpy as np

from extractors.audio import HOP, MIN_SAMPLES, SAMPLE_RATE, load_audio, probe
from extractors.emotion2vec.inputs import check_wave
from extractors.emotion2vec.windows import Cut, FindSpeech, cut_windows
from extractors.errors import InputError
from extractors.types import Float32
from fusion.explore.trajectory.names import plain

FRAME_RATE = SAMPLE_RATE // HOP  # Hz, 50
BLOCK_SECONDS = 300.0  # s decoded at a time, 19 MB; more where windows are so long that it would hold few of them
LEAST_WINDOWS = 4  # in a block


class Stretch(NamedTuple):
    """Samples of a recording from `start`, which lies on the 20 ms grid; `frames` is how many encoder frames they give."""

    start: int
    wave: Float32

    @property
    def first_frame(self) -> int:
        return self.start // HOP

    @property
    def frames(self) -> int:
        return frame_count(len(self.wave))


def frame_count(samples: int) -> int:
    """Frames of 25 ms, one every 20 ms, in so many samples at 16 kHz.

    >>> frame_count(16_000), frame_count(400), frame_count(399)
    (49, 1, 0)
    """
    return max(0, (samples - MIN_SAMPLES) // HOP + 1)


class Recording:
    """An audio file, or (samples,) float32 mono at 16 kHz, of any length; never held in memory as a whole where it is a file.

    Raises InputError (of a file `AudioError`) where it cannot be read, is shorter than 25 ms or not finite.

    >>> call = Recording(np.zeros(48_000, np.float32))
    >>> call.seconds, call.frames, [stretch.start for stretch in call.blocks(seconds=1.0)]
    (3.0, 149, [0, 16000, 32000])
    """

    def __init__(self, source: str | os.PathLike[str] | Float32) -> None:
        self._wave: Float32 | None = None
        self.path: Path | None = None
        if isinstance(source, np.ndarray):
            if problem := check_wave(source):
                raise InputError(f"the recording cannot be used: {problem}")
            self._wave, self.samples = source, len(source)
            return
        self.path = Path(source)
        info = probe(self.path)
        self.samples = ceil(info.frames * SAMPLE_RATE / info.sample_rate)
        if self.samples < MIN_SAMPLES:
            least = f"at least {MIN_SAMPLES / SAMPLE_RATE * 1e3:.0f} ms are needed"
            raise InputError(f"{self.path} is too short: {self.samples / SAMPLE_RATE * 1e3:.1f} ms; {least}")

    @property
    def name(self) -> str:
        return "recording" if self.path is None else plain(self.path.stem) or "recording"

    @property
    def seconds(self) -> float:
        return self.samples / SAMPLE_RATE

    @property
    def frames(self) -> int:
        return frame_count(self.samples)

    def read(self, start: int, stop: int) -> Float32:
        """Samples `start` to `stop`, as far as the recording goes."""
        if self._wave is not None:
            return self._wave[start:stop]
        whole = stop >= self.samples
        assert self.path is not None
        return load_audio(self.path, start / SAMPLE_RATE, None if whole else stop / SAMPLE_RATE)

    def blocks(self, *, seconds: float = BLOCK_SECONDS) -> Iterator[Stretch]:
        """Stretches of whole frames one after the other, without overlap; the last takes in what would be no frame."""
        size = max(1, round(seconds * FRAME_RATE)) * HOP
        start = 0
        while start < self.samples:
            stop = start + size
            if self.samples - stop < MIN_SAMPLES:
                stop = self.samples
            yield Stretch(start, self.read(start, stop))
            start = stop

    def windows(self, *, limit: int, cut: Cut = "quietest", find_speech: FindSpeech | None = None) -> Iterator[Stretch]:
        """Windows of at most `limit` samples as `cut_windows` makes them of the whole, from a few minutes at a time.

        A place to cut is final once so much lies behind it that the end of the recording has no say in it. So "quietest"
        gives the very windows of the whole. "fixed" divides each block evenly, not the whole.
        """
        size = max(round(BLOCK_SECONDS * SAMPLE_RATE), LEAST_WINDOWS * limit) // HOP * HOP
        start = 0
        while True:
            stop = min(start + size, self.samples)
            if self.samples - stop < limit:  # nothing worth a block of its own
                stop = self.samples
            wave = self.read(start, stop)
            spans = cut_windows(wave, limit=limit, cut=cut, find_speech=find_speech)
            if stop < self.samples:
                safe = len(wave) - limit - limit // 3 - MIN_SAMPLES
                spans = [span for span in spans if span[0] <= safe] if cut != "fixed" else spans[:-1]
            for begin, end in spans:
                yield Stretch(start + begin, wave[begin:end])
            if stop == self.samples:
                return
            # neighbours share 80 samples: the next begins where the frames of the last one end
            start += spans[-1][0] + frame_count(spans[-1][1] - spans[-1][0]) * HOP
