"""How loud a clip is to the ear: integrated loudness, in LUFS, as broadcasting measures it.

ITU-R BS.1770-5 (2023), annex 1, for one channel at 16 kHz: K-weighting, mean square of 400 ms blocks that overlap by
75 %, and two gates, so that pauses do not count. Measured in pieces: memory does not grow with the clip.
"""

from __future__ import annotations

from math import log10, pi, tan

import numpy as np
from numpy.typing import NDArray
from scipy.signal import sosfilt

from extractors.audio import SAMPLE_RATE
from extractors.types import Float32

STEP = SAMPLE_RATE // 10  # samples, 100 ms: from one block to the next
BLOCK_STEPS = 4  # steps in a block of 400 ms
ABSOLUTE_GATE = -70.0  # LUFS; a quieter block is no sound
RELATIVE_GATE = -10.0  # LU from the loudness of what passed the absolute gate
OFFSET = -0.691  # dB, equation 2: takes back the gain of the K-weighting at 997 Hz
PIECE = 600 * STEP  # samples that are filtered at a time, 60 s


def integrated_loudness(wave: Float32) -> float | None:
    """Integrated loudness of a mono clip (samples,) at 16 kHz, in LUFS; None where nothing passes the gate of -70 LUFS.

    A sine of 997 Hz at full scale has -3.0 LUFS (at 48 kHz -3.01; meters are allowed 0.1). A clip under 400 ms is
    shorter than a block: it is taken as one block of its own length. Of longer ones, samples after the last whole step
    of 100 ms do not count, as the standard has it.

    >>> seconds = np.arange(32_000) / SAMPLE_RATE
    >>> round(integrated_loudness(np.sin(2 * np.pi * 997 * seconds).astype(np.float32)), 1)
    -3.0
    >>> print(integrated_loudness(np.zeros(16_000, np.float32)))
    None
    """
    blocks = _block_energies(wave)
    blocks = blocks[blocks > _energy(ABSOLUTE_GATE)]
    if not len(blocks):
        return None
    gate = _energy(_lufs(float(blocks.mean())) + RELATIVE_GATE)
    return _lufs(float(blocks[blocks > gate].mean()))


def k_weighting(rate: float) -> NDArray[np.float64]:
    """The two biquads of BS.1770 at `rate` Hz as second-order sections (2, 6).

    The standard lists coefficients for 48 kHz only. These are the analogue filters behind them, brought to other rates
    by the bilinear transform: a shelf of +4 dB above 1.7 kHz for the head, and a high pass at 38 Hz. At 48 kHz they
    are the standard's own.
    """
    shelf = _shelf(rate, frequency=1681.974450955533, gain=3.999843853973347, quality=0.7071752369554196)
    return np.stack([shelf, _high_pass(rate, frequency=38.13547087602444, quality=0.5003270373238773)])


def _block_energies(wave: Float32) -> NDArray[np.float64]:
    """(blocks,) mean square of the K-weighted blocks; one block where the clip is shorter than that."""
    sections = k_weighting(SAMPLE_RATE)
    state = np.zeros((len(sections), 2))
    steps, tail = [], 0.0
    for start in range(0, len(wave), PIECE):
        weighted, state = sosfilt(sections, wave[start : start + PIECE].astype(np.float64), zi=state)
        weighted *= weighted
        whole = len(weighted) // STEP * STEP
        steps.append(weighted[:whole].reshape(-1, STEP).sum(axis=1))
        tail = float(weighted[whole:].sum())
    sums = np.concatenate(steps)  # (steps,)
    if len(sums) < BLOCK_STEPS:
        return np.array([(sums.sum() + tail) / len(wave)])
    return np.convolve(sums, np.ones(BLOCK_STEPS), mode="valid") / (BLOCK_STEPS * STEP)


def _lufs(energy: float) -> float:
    return OFFSET + 10 * log10(energy)


def _energy(lufs: float) -> float:
    return float(10 ** ((lufs - OFFSET) / 10))


def _shelf(rate: float, frequency: float, gain: float, quality: float) -> NDArray[np.float64]:
    """Stage 1: raises what lies above `frequency` Hz by `gain` dB."""
    warped = tan(pi * frequency / rate)
    high = 10 ** (gain / 20)
    band = high**0.4996667741545416
    a0 = 1 + warped / quality + warped**2
    b = [high + band * warped / quality + warped**2, 2 * (warped**2 - high), high - band * warped / quality + warped**2]
    a = [a0, 2 * (warped**2 - 1), 1 - warped / quality + warped**2]
    return np.array([*b, *a]) / a0


def _high_pass(rate: float, frequency: float, quality: float) -> NDArray[np.float64]:
    """Stage 2: takes away what lies below `frequency` Hz. Its numerator is 1, -2, 1 at every rate, as in the standard."""
    warped = tan(pi * frequency / rate)
    a0 = 1 + warped / quality + warped**2
    return np.array([1.0, -2.0, 1.0, 1.0, 2 * (warped**2 - 1) / a0, (1 - warped / quality + warped**2) / a0])
