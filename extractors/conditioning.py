"""What may be done to a clip between decoding and an encoder: one gain, and silence taken off its ends. Off by default.

Part of the speech extractors, so that bundles carry it and fingerprints cover it, on as well as off.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from extractors.audio import HOP, SAMPLE_RATE
from extractors.errors import InputError
from extractors.loudness import integrated_loudness
from extractors.types import Float32
from extractors.vad import speech_detector

LOUDNESS_RANGE = (-60.0, -5.0)  # LUFS; broadcasting has -23 (EBU R 128) and -24, streaming -14 to -16
MARGIN = 0.1  # s; kept before and after speech: breath, and consonants that the detector hears late
VERSION = 1  # of what is done; goes up when it gives other samples, so that stored vectors are not reused

NO_SPEECH = "holds no speech (Silero VAD), and trim_silence leaves nothing of it"


class NoSpeechError(InputError):
    """A clip of which trimming would leave nothing. `reason` is one line, fit for a table of failures."""

    def __init__(self) -> None:
        self.reason = NO_SPEECH
        super().__init__(f"a clip {NO_SPEECH}", hint="Set trim_silence=false to take such clips as they are.")


@dataclass(frozen=True, slots=True)
class Treatment:
    """What becomes of one clip: samples `start` to `stop` of it, times `gain`."""

    start: int
    stop: int
    gain: float

    def apply(self, wave: Float32) -> Float32:
        """wave (samples,) -> (stop - start,) float32; a view where the gain is 1."""
        kept = wave[self.start : self.stop]
        return kept if self.gain == 1.0 else kept * np.float32(self.gain)


class Conditioning:
    """Loudness and silence of the clips that an extractor hears.

    loudness : LUFS to which each clip is brought by one gain, None for as it is. Measured by ITU-R BS.1770, gated, over the
        whole mono clip. A clip without a block above -70 LUFS stays as it is. The gain ends where the clip's peak
        reaches full scale: above about -20 LUFS many clips stay below the target, rather than being clipped.
    trim_silence : take off what lies more than 0.1 s before the first and after the last speech that Silero VAD hears, after
        the gain (some whispers and faint recordings are no speech to it; with `loudness`, fewer). Pauses between stay.
        Needs the extra `vad`.

    Raises InputError for settings that cannot be, MissingExtraError without the extra.

    >>> quiet = (0.01 * np.sin(2 * np.pi * 997 * np.arange(16_000) / SAMPLE_RATE)).astype(np.float32)  # -43 LUFS
    >>> louder = Conditioning(loudness=-23.0)
    >>> round(integrated_loudness(louder.plan(quiet).apply(quiet)), 1), louder.settings()
    (-23.0, {'conditioning': 1, 'loudness': -23.0})
    """

    def __init__(self, *, loudness: float | None = None, trim_silence: bool = False) -> None:
        if problems := conditioning_problems(loudness, trim_silence):
            raise InputError("clips cannot be prepared like this", problems)
        self.loudness = None if loudness is None else float(loudness)
        self.trim_silence = trim_silence
        self._detector = speech_detector() if trim_silence else None

    def settings(self) -> dict[str, Any]:
        """What fingerprints have to cover; empty where nothing is done, so that those are as if there were no such step."""
        settings: dict[str, Any] = {}
        if self.loudness is not None:
            settings["loudness"] = self.loudness
        if self._detector is not None:
            settings["trim_silence"] = {**self._detector.settings(), "margin": MARGIN}
        return {"conditioning": VERSION, **settings} if settings else {}

    def plan(self, wave: Float32) -> Treatment:
        """What to do to a clip (samples,), mono, 16 kHz. The start lies on the 20 ms grid of the encoders' frames.

        Raises NoSpeechError where trimming would leave nothing.
        """
        gain = 1.0 if self.loudness is None else self._gain(wave, self.loudness)
        if self._detector is None:
            return Treatment(0, len(wave), gain)
        speech = self._detector.speech(wave, gain=gain)
        if not speech:
            raise NoSpeechError
        margin = round(MARGIN * SAMPLE_RATE)
        start = max(0, speech[0][0] - margin) // HOP * HOP
        return Treatment(start, min(len(wave), speech[-1][1] + margin), gain)

    def _gain(self, wave: Float32, target: float) -> float:
        loudness = integrated_loudness(wave)
        if loudness is None:
            return 1.0
        peak = max(float(wave.max()), -float(wave.min()))
        return min(10 ** ((target - loudness) / 20), 1.0 / peak)


def conditioning_problems(loudness: Any, trim_silence: Any) -> list[str]:
    """What is wrong with these settings; empty where nothing is.

    >>> conditioning_problems(-23, False), conditioning_problems(23, "no")
    ([], ['loudness: expected null or LUFS from -60 to -5, got 23', "trim_silence: expected true or false, got 'no'"])
    """
    problems = []
    low, high = LOUDNESS_RANGE
    number = isinstance(loudness, int | float) and not isinstance(loudness, bool)
    if loudness is not None and not (number and low <= loudness <= high):
        problems.append(f"loudness: expected null or LUFS from {low:g} to {high:g}, got {loudness!r}")
    if not isinstance(trim_silence, bool):
        problems.append(f"trim_silence: expected true or false, got {trim_silence!r}")
    return problems
