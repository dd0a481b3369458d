"""What a voice does in each 10 ms: loudness, spectrum, pitch. The frame-level half of the acoustic baseline.

The choice follows eGeMAPS (Eyben et al., IEEE Trans. Affective Computing 7(2), 2016) where librosa and a few lines of
numpy reach: no formants. librosa.yin gives pitch at some 200 times real time, librosa.pyin at 6 and with seconds of
compilation; what yin lacks, the decision whether a frame is voiced, comes from the correlation at its period.
"""

from __future__ import annotations

from dataclasses import dataclass

import librosa
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_opening

from extractors.audio import SAMPLE_RATE
from extractors.types import Float32

Float64 = NDArray[np.float64]

HOP = 160  # samples, 10 ms
WINDOW = 400  # samples, 25 ms
FFT = 512
PITCH_WINDOW = 1_024  # samples, 64 ms: two periods of 31 Hz
CHUNK = 3_000  # frames, 30 s: memory stays flat, and the arrays in the cache
FLOOR = 1e-10  # of full-scale power: -100 dB
QUIET = -90.0  # dB; below, a clip is silent whatever its loudest frame
ACTIVE_RANGE, VOICED_RANGE = 35.0, 30.0  # dB under the loud frames (95th percentile) that still count
PERIODIC = 0.6  # correlation at the pitch period from which on a frame is voiced
MELS, MFCCS = 26, 13

HANN = librosa.filters.get_window("hann", WINDOW)
TO_DBFS = 2 / (FFT * float(np.sum(HANN**2)))  # sum of |STFT|² over the bins -> mean square
FREQUENCIES = np.fft.rfftfreq(FFT, 1 / SAMPLE_RATE)  # (bins,) Hz
MEL = librosa.filters.mel(sr=SAMPLE_RATE, n_fft=FFT, n_mels=MELS, fmin=60, fmax=8_000)  # (mels, bins)

SPECTRAL = (
    "energy",  # dBFS
    "loudness",  # sum over mel bands of power^0.23 (as in PLP)
    *(f"mfcc{i}" for i in range(1, MFCCS + 1)),
    "centroid",  # Hz
    "rolloff",  # Hz; 85 % of the power lies below
    "flatness",  # dB, geometric over arithmetic mean of the spectrum
    "alpha_ratio",  # dB, 50-1,000 Hz over 1-5 kHz
    "hammarberg",  # dB, highest peak under 2 kHz over highest of 2-5 kHz
    "slope_0_500",  # dB per kHz
    "slope_500_1500",
    "flux",  # change of the normalised mel spectrum since the last frame
    "onset",  # dB, mean rise of the mel bands since the last frame
    "zero_crossings",  # share of samples
)
VOICE = (
    "pitch",  # semitones over 27.5 Hz
    "harmonicity",  # dB, periodic over aperiodic power
    "h1_h2",  # dB, first over second harmonic: breathy is high, pressed is low
    "h1_a3",  # dB, first harmonic over the highest peak of 2-3.5 kHz
)


@dataclass(frozen=True)
class Descriptors:
    """Frame-level descriptors of a clip, one row every 10 ms: frames = samples // 160 + 1.

    values : name (of SPECTRAL and VOICE) -> (frames,) float64, finite
    active : (frames,) bool, loud enough to be speech; all True where the whole clip is silent
    voiced : (frames,) bool, where VOICE means something
    """

    values: dict[str, Float64]
    active: NDArray[np.bool_]
    voiced: NDArray[np.bool_]


def describe_frames(samples: Float32, *, pitch_min: float, pitch_max: float) -> Descriptors:
    """Descriptors of `samples`, (samples,) float32 mono at 16 kHz, at least one; pitch is sought within Hz limits.

    >>> second = 0.3 * np.sin(2 * np.pi * 220 * np.arange(16_000) / 16_000, dtype=np.float32)
    >>> found = describe_frames(second, pitch_min=60, pitch_max=500)
    >>> round(float(np.median(found.values["pitch"])), 1), round(float(np.median(found.values["energy"])), 1)
    (36.0, -13.5)
    """
    frames = len(samples) // HOP + 1
    centred = np.pad(samples - samples.mean(), PITCH_WINDOW // 2)  # frame i is the window around sample 160 i
    parts = [
        _chunk(centred[first * HOP : (min(first + CHUNK, frames) - 1) * HOP + PITCH_WINDOW], pitch_min, pitch_max)
        for first in range(0, frames, CHUNK)
    ]
    values = {name: np.concatenate([part[name] for part in parts], axis=-1).astype(np.float64) for name in parts[0]}
    mel, periodicity = values.pop("mel"), values.pop("periodicity")
    shape = np.sqrt(mel / mel.sum(axis=0))
    values["flux"] = np.sqrt((np.diff(shape, axis=1, prepend=shape[:, :1]) ** 2).sum(axis=0))
    in_db = 10 * np.log10(mel)
    values["onset"] = np.diff(in_db, axis=1, prepend=in_db[:, :1]).clip(min=0).mean(axis=0)

    energy = values["energy"]
    loud = float(np.percentile(energy, 95))
    active = energy > max(loud - ACTIVE_RANGE, QUIET)
    voiced = (periodicity > PERIODIC) & (energy > max(loud - VOICED_RANGE, QUIET))
    return Descriptors(
        values=values,
        active=active if active.any() else np.ones_like(active),
        voiced=binary_opening(voiced, np.ones(3)) if frames > 3 else voiced,  # a voice lasts 30 ms
    )


def _chunk(samples: Float32, pitch_min: float, pitch_max: float) -> dict[str, NDArray]:
    """Descriptors of frames that stand every HOP from PITCH_WINDOW / 2 on, and "mel" (mels, frames)."""
    edge = (PITCH_WINDOW - FFT) // 2
    inner = samples[edge : len(samples) - edge]
    stft = librosa.stft(inner, n_fft=FFT, hop_length=HOP, win_length=WINDOW, center=False)
    power = (stft.real**2 + stft.imag**2) * np.float32(TO_DBFS) + np.float32(FLOOR / FFT)  # (bins, frames)
    in_db = 10 * np.log10(power)
    mel = MEL @ power
    total = power.sum(axis=0)
    values = {
        "mel": mel,
        "energy": 10 * np.log10(total),
        "loudness": (mel**0.23).sum(axis=0),
        "centroid": FREQUENCIES @ power / total,
        "rolloff": FREQUENCIES[(np.cumsum(power, axis=0) < 0.85 * total).sum(axis=0).clip(max=FFT // 2)],
        "flatness": in_db.mean(axis=0) - 10 * np.log10(total / len(power)),
        "alpha_ratio": 10 * np.log10(power[_band(50, 1_000)].sum(axis=0) / power[_band(1_000, 5_000)].sum(axis=0)),
        "hammarberg": in_db[_band(0, 2_000)].max(axis=0) - in_db[_band(2_000, 5_000)].max(axis=0),
        "slope_0_500": _slope(in_db, 0, 500),
        "slope_500_1500": _slope(in_db, 500, 1_500),
    }
    mfcc = librosa.feature.mfcc(S=10 * np.log10(mel), n_mfcc=MFCCS + 1)
    values |= {f"mfcc{i}": mfcc[i] for i in range(1, MFCCS + 1)}
    windows = np.lib.stride_tricks.sliding_window_view(samples, PITCH_WINDOW)[::HOP]  # (frames, PITCH_WINDOW)
    middle = windows[:, (PITCH_WINDOW - WINDOW) // 2 :][:, :WINDOW]
    values["zero_crossings"] = np.mean(np.signbit(middle[:, 1:]) != np.signbit(middle[:, :-1]), axis=1)
    return values | _voice(samples, windows, in_db, pitch_min, pitch_max)


def _voice(
    samples: Float32, windows: Float32, in_db: Float32, pitch_min: float, pitch_max: float
) -> dict[str, NDArray]:
    pitch = librosa.yin(
        samples,
        fmin=pitch_min,
        fmax=pitch_max,
        sr=SAMPLE_RATE,
        frame_length=PITCH_WINDOW,
        hop_length=HOP,
        center=False,
    ).clip(pitch_min, pitch_max)
    # normalised correlation of 25 ms with the 25 ms one period later, the pair in the middle of the window
    lag = np.round(SAMPLE_RATE / pitch).astype(np.int64)
    frame = np.arange(len(windows))
    pairs = np.lib.stride_tricks.sliding_window_view(windows, WINDOW, axis=1)  # (frames, starts, WINDOW)
    start = (PITCH_WINDOW - WINDOW - lag) // 2
    now, later = pairs[frame, start], pairs[frame, start + lag]  # (frames, WINDOW)
    norm = np.sqrt(np.einsum("ij,ij->i", now, now) * np.einsum("ij,ij->i", later, later))
    periodicity = np.einsum("ij,ij->i", now, later) / (norm + WINDOW * FLOOR)
    bounded = periodicity.clip(1e-3, 1 - 1e-3)

    def harmonic(number: int) -> Float64:
        nearest = np.round(number * pitch * FFT / SAMPLE_RATE).astype(np.int64).clip(1, FFT // 2 - 1)
        return np.maximum.reduce([in_db[nearest + step, frame] for step in (-1, 0, 1)])

    first = harmonic(1)
    return {
        "pitch": 12 * np.log2(pitch / 27.5),
        "harmonicity": 10 * np.log10(bounded / (1 - bounded)),
        "h1_h2": first - harmonic(2),
        "h1_a3": first - in_db[_band(2_000, 3_500)].max(axis=0),
        "periodicity": periodicity,
    }


def _band(low: float, high: float) -> slice:
    """The bins of `low` to `high` Hz."""
    first, last = np.searchsorted(FREQUENCIES, (low, high))
    return slice(int(first), int(last))


def _slope(in_db: Float32, low: float, high: float) -> Float64:
    """Least-squares slope of the spectrum between two frequencies, dB per kHz: (frames,)."""
    band = _band(low, high)
    centred = FREQUENCIES[band] - FREQUENCIES[band].mean()
    return centred @ in_db[band] / (centred @ centred) * 1_000
