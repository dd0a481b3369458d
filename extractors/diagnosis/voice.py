"""A synthetic voice to try things with: deterministic, of speech's rhythm and band, the same at every sample rate."""

from __future__ import annotations

import numpy as np

from extractors.audio import SAMPLE_RATE
from extractors.types import Float32

PITCH, GLIDE = 140.0, 30.0  # Hz; the pitch glides by this much to both sides
GLIDES, SYLLABLES = 0.7, 4.0  # a second
HARMONICS = 20  # up to 3.4 kHz, so that 8 kHz files hold all of it
PEAK = 0.3


def voice_like(seconds: float, *, rate: int = SAMPLE_RATE) -> Float32:
    """(samples,) float32 at `rate` Hz, at least 8000: vowels without words, within ±0.3.

    >>> low, high = voice_like(1.0), voice_like(1.0, rate=32_000)
    >>> low.shape, bool(np.allclose(low, high[::2], atol=1e-6))
    ((16000,), True)
    """
    time = np.arange(round(seconds * rate)) / rate
    # the integral of a pitch that goes up and down
    phase = 2 * np.pi * PITCH * time - GLIDE / GLIDES * np.cos(2 * np.pi * GLIDES * time)
    wave = sum(np.sin(k * phase) / k for k in range(1, HARMONICS + 1)) / 2
    loudness = 0.5 - 0.5 * np.cos(2 * np.pi * SYLLABLES * time)
    return (PEAK * loudness * wave).clip(-PEAK, PEAK).astype(np.float32)
