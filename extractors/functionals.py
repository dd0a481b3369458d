"""From descriptors every 10 ms to one vector per clip: how each is spread, moves and drifts, and the clip's rhythm."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import label, uniform_filter1d

from extractors.descriptors import HOP, SPECTRAL, VOICE, Descriptors, Float64
from extractors.types import Float32

FRAME_RATE = 16_000 / HOP  # Hz
PEAK_RANGE = 25.0  # dB under the loudest moment within which a peak of energy counts as a syllable

FUNCTIONALS = ("mean", "std", "p20", "p80", "trend", "motion")
RHYTHM = (
    "pitch_rise",  # semitones per second, mean where the pitch rises
    "pitch_fall",
    "jitter",  # log of the median second difference of pitch, semitones
    "shimmer",  # dB, mean second difference of energy in voiced runs
    "log_speech_seconds",  # from the first to the last active frame
    "active_share",  # of that time
    "voiced_share",
    "voiced_runs_per_second",
    "voiced_run_mean",  # s
    "voiced_run_std",
    "energy_peaks_per_second",  # about the rate of syllables
)
FEATURE_NAMES: tuple[str, ...] = (
    *(f"{name}.{functional}" for functional in FUNCTIONALS for name in (*SPECTRAL, *VOICE)),
    *(f"rhythm.{name}" for name in RHYTHM),
)


def summarize(found: Descriptors) -> Float32:
    """(dim,) float32 in the order of `FEATURE_NAMES`; finite for every clip, 0 where nothing can be measured.

    SPECTRAL descriptors count where the clip is active, VOICE where it is voiced. `trend` is the least-squares change
    from the first to the last of those frames, `motion` the mean absolute change between neighbours.
    """
    spectral = _spread(np.stack([found.values[name] for name in SPECTRAL]), found.active)
    voice = _spread(np.stack([found.values[name] for name in VOICE]), found.voiced)
    vector = np.concatenate([np.concatenate([spectral, voice], axis=1).ravel(), _rhythm(found)])
    return vector.astype(np.float32)


def _spread(values: Float64, chosen: NDArray[np.bool_]) -> Float64:
    """(functionals, descriptors) of `values` (descriptors, frames) at the chosen frames."""
    if not chosen.any():
        return np.zeros((len(FUNCTIONALS), len(values)))
    kept = values[:, chosen]
    low, high = np.percentile(kept, (20, 80), axis=1)
    time = np.linspace(-0.5, 0.5, kept.shape[1]) if kept.shape[1] > 1 else np.zeros(1)
    neighbours = chosen[1:] & chosen[:-1]
    steps = np.abs(np.diff(values, axis=1))[:, neighbours]
    return np.stack(
        [
            kept.mean(axis=1),
            kept.std(axis=1),
            low,
            high,
            kept @ time / max(float(time @ time), 1e-9),
            steps.mean(axis=1) if steps.size else np.zeros(len(values)),
        ]
    )


def _rhythm(found: Descriptors) -> Float64:
    pitch, energy = found.values["pitch"], found.values["energy"]
    marks, count = label(found.voiced)
    runs = [np.flatnonzero(marks == run) for run in range(1, count + 1)]
    long = [run for run in runs if len(run) > 2]
    moves = np.concatenate([np.zeros(0), *(np.diff(uniform_filter1d(pitch[run], 3)) for run in long)]) * FRAME_RATE
    jitter = np.concatenate([np.zeros(0), *(np.abs(np.diff(pitch[run], 2)) for run in long)])
    shimmer = np.concatenate([np.zeros(0), *(np.abs(np.diff(energy[run], 2)) for run in long)])

    speech = np.flatnonzero(found.active)
    span = slice(speech[0], speech[-1] + 1)
    seconds = (speech[-1] + 1 - speech[0]) / FRAME_RATE
    lengths = np.array([len(run) for run in runs]) / FRAME_RATE
    smooth = uniform_filter1d(energy, 5)[span]
    peaks = (smooth[1:-1] > smooth[:-2]) & (smooth[1:-1] >= smooth[2:]) & (smooth[1:-1] > smooth.max() - PEAK_RANGE)
    return np.array(
        [
            _mean(moves[moves > 0]),
            _mean(moves[moves < 0]),
            np.log(np.median(jitter) + 1e-3) if jitter.size else 0.0,
            _mean(shimmer),
            np.log(seconds),
            found.active[span].mean(),
            found.voiced[span].mean(),
            count / seconds,
            _mean(lengths),
            lengths.std() if lengths.size else 0.0,
            peaks.sum() / seconds,
        ]
    )


def _mean(values: Float64) -> float:
    return float(values.mean()) if values.size else 0.0
