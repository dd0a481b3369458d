"""A recording that is decoded once, and its spans, cut from memory."""

from __future__ import annotations

import os
from pathlib import Path

from extractors.audio import MIN_SAMPLES, SAMPLE_RATE, AudioError, check_span, decode, load_audio, too_short
from extractors.types import Float32


class DecodedFile:
    """The whole of an audio file, for work that needs all of it and many of its spans too.

    `samples` is (samples,) float32, mono, 16 kHz, 230 MB an hour; `duration` is in seconds. Raises `AudioError` as
    `load_audio` does.

    >>> import numpy as np, soundfile, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     soundfile.write(f"{folder}/x.wav", np.full(44_100, 0.5), 44_100)
    ...     recording = DecodedFile(f"{folder}/x.wav")
    >>> recording.duration, recording.span(0.25, 0.75).shape
    (1.0, (8000,))
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        whole = decode(path)
        self.samples, self.duration = whole.samples, whole.duration
        self._rescaled = whole.rescaled

    def span(self, start: float | None = None, end: float | None = None) -> Float32:
        """What `load_audio(path, start, end)` gives, to about 1e-6, and the same errors.

        A float file that goes beyond ±1 is decoded again: each of its spans has a level of its own.
        """
        if self._rescaled:
            return load_audio(self.path, start, end)
        check_span(self.path, self.duration, start, end)
        first = round((start or 0.0) * SAMPLE_RATE)
        samples = self.samples[first : None if end is None else round(end * SAMPLE_RATE)]
        if len(samples) < MIN_SAMPLES:
            raise AudioError(self.path, too_short(len(samples)))
        return samples
