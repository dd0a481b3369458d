"""Whether a transcript is shifted against its recording, by how much, and when that cannot be told."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter1d
from scipy.signal import fftconvolve

from extractors.errors import InputError
from fusion.meeting.transcript import Transcript

FRAME = 0.1  # s
WITHIN = 0.8  # of the cues' seconds must lie in the recording for a shift to be thought of
ENOUGH = (
    0.4  # correlation; where speech has pauses right shifts reached 0.71 to 0.84, a wrong one on dense overlap 0.17
)
CLEAR = 0.1  # by how much the peak stands above every other
WIDTH = 3.0  # s around the peak that belong to it
SHORTEST = 10.0  # s of recording and of transcript; in less, chance correlates
FEWEST = 5  # cues
BRIDGED = 3  # frames: stops inside words are no pauses (real telephone speech: correlation 0.44 without, 0.54 with)
QUIET, LOUD = 10, 95  # percentiles of the recording's level: what is below or above says nothing of pauses


@dataclass(frozen=True, slots=True)
class OffsetEstimate:
    """What the correlation of loudness with cues says.

    seconds     : to add to the transcript's times; None: cannot be verified, `reason` says why
    correlation : at the best shift, -1 to 1
    peak        : that shift in seconds, even where it is not to be trusted
    runner_up   : the best correlation more than `WIDTH` away from the peak
    as_it_is    : the correlation without any shift
    """

    seconds: float | None
    correlation: float
    peak: float
    runner_up: float
    as_it_is: float
    reason: str = ""


def estimate_offset(
    transcript: Transcript, samples: NDArray[np.floating], *, sampling_rate: int = 16_000
) -> OffsetEstimate:
    """The shift at which the transcript's cues lie best over the recording's speech, or that none can be told.

    samples : (samples,) of the recording, one channel

    The recording's level in frames of 0.1 s is correlated with whether anybody speaks by the transcript, at every shift
    that leaves 80 % of the cues within the recording. A shift is reported only with a correlation of at least 0.4 and
    0.1 above any other: speech without pauses, or a transcript of another recording, gives none.

    Raises InputError for samples that are not one channel.

    >>> from fusion.meeting.transcript import Utterance
    >>> rng = np.random.default_rng(0)
    >>> starts = np.cumsum(rng.uniform(2, 6, 20))
    >>> said = tuple(Utterance(str(n), start, start + 1.5, "so") for n, start in enumerate(starts))
    >>> sound = 0.01 * rng.standard_normal(120 * 16_000)
    >>> for utterance in said:
    ...     sound[int((utterance.start_s + 7) * 16_000) : int((utterance.end_s + 7) * 16_000)] *= 30
    >>> found = estimate_offset(Transcript(said, "srt"), sound)
    >>> found.seconds, found.correlation > 0.8
    (7.0, True)
    """
    samples = np.asarray(samples)
    if samples.ndim != 1:
        raise InputError(f"one channel is expected, (samples,); got {samples.shape}")
    spoken = [(u.start_s, u.end_s) for u in transcript.utterances] + list(transcript.excluded_times)
    level = _level(samples, sampling_rate)
    cues, begin = _activity(spoken)
    if len(level) * FRAME < SHORTEST or len(cues) * FRAME < SHORTEST or len(spoken) < FEWEST:
        return OffsetEstimate(None, 0.0, 0.0, 0.0, 0.0, "too little speech to tell a shift from")
    if np.ptp(level) == 0 or np.ptp(cues) == 0:
        return OffsetEstimate(None, 0.0, 0.0, 0.0, 0.0, "no pauses in the recording or in the transcript")
    shifts, correlations = _correlate(level, cues, begin)
    if not len(shifts):
        return OffsetEstimate(None, 0.0, 0.0, 0.0, 0.0, "the transcript is longer than the recording")
    best = int(np.argmax(correlations))
    peak, correlation = round(float(shifts[best]) * FRAME, 3), float(correlations[best])
    elsewhere = correlations[np.abs(shifts - shifts[best]) > WIDTH / FRAME]
    runner_up = float(elsewhere.max()) if len(elsewhere) else -1.0
    unshifted = correlations[shifts == 0]
    as_it_is = float(unshifted[0]) if len(unshifted) else 0.0
    reason = ""
    if correlation < ENOUGH:
        reason = f"the best correlation is {correlation:.2f}, below {ENOUGH}"
    elif correlation - runner_up < CLEAR:
        reason = f"no clear peak: {correlation:.2f}, and {runner_up:.2f} at another shift"
    return OffsetEstimate(None if reason else peak, correlation, peak, runner_up, as_it_is, reason)


def _level(samples: NDArray[np.floating], sampling_rate: int) -> NDArray[np.float64]:
    """(frames,) from 0, quiet, to 1, loud: the level in dB between two percentiles of this recording."""
    size = round(FRAME * sampling_rate)
    frames = len(samples) // size
    power = np.empty(frames)
    for first in range(0, frames, 10_000):  # in parts: an hour in float64 at once would be half a gigabyte
        part = samples[first * size : min(first + 10_000, frames) * size].reshape(-1, size).astype(np.float64)
        power[first : first + len(part)] = np.mean(np.square(part), axis=1)
    decibels = 10 * np.log10(np.nan_to_num(power) + 1e-10)
    if not frames:
        return decibels
    decibels = maximum_filter1d(decibels, BRIDGED)
    low, high = np.percentile(decibels, [QUIET, LOUD])
    return np.clip((decibels - low) / (high - low), 0.0, 1.0) if high > low else np.zeros(frames)


def _activity(spoken: list[tuple[float, float]]) -> tuple[NDArray[np.float64], int]:
    """(frames,) the part of each frame, from the first cue to the last, in which a cue runs; and the first one's number."""
    if not spoken:
        return np.zeros(0), 0
    begin = int(min(start for start, _ in spoken) // FRAME)
    length = int(max(end for _, end in spoken) // FRAME) + 1 - begin
    if length > 10_000_000:  # eleven days
        return np.zeros(0), 0
    change = np.zeros(length + 1)
    for start, end in spoken:
        change[round(start / FRAME) - begin] += 1
        change[min(round(end / FRAME) - begin, length)] -= 1
    return (np.cumsum(change)[:-1] > 0).astype(np.float64), begin


def _correlate(
    level: NDArray[np.float64], cues: NDArray[np.float64], begin: int
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Shifts in frames, and Pearson's correlation at each over the frames where transcript and recording both are."""
    frames, length = len(level), len(cues)
    at = np.arange(-length + 1, frames)  # the recording's frame where the first cue would lie
    together = fftconvolve(level, cues[::-1])
    first, last = np.maximum(at, 0), np.minimum(at + length, frames)
    level_until, square_until = (np.concatenate([[0.0], np.cumsum(values)]) for values in (level, level**2))
    cues_until = np.concatenate([[0.0], np.cumsum(cues)])
    n = (last - first).astype(np.float64)
    of_level, of_square = level_until[last] - level_until[first], square_until[last] - square_until[first]
    of_cues = cues_until[last - at] - cues_until[first - at]  # zeros and ones: their squares are themselves
    covariance = together - of_level * of_cues / n
    spread = np.sqrt(np.maximum(of_square - of_level**2 / n, 0) * np.maximum(of_cues - of_cues**2 / n, 0))
    possible = (of_cues >= WITHIN * cues.sum()) & (n * FRAME >= SHORTEST) & (spread > 1e-9)
    return (at - begin)[possible], (covariance / np.where(spread > 1e-9, spread, 1.0))[possible]
