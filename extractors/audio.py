"""Decode any clip to what the encoders hear: mono, 16 kHz, float32 in [-1, 1].

libsndfile decodes WAV, FLAC, OGG (Vorbis, Opus) and MP3, soxr resamples; no ffmpeg. Files are decoded, mixed down and
resampled in blocks, so memory follows the span that was asked for and not the file.
"""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from itertools import pairwise
from math import ceil, gcd, inf

import numpy as np
import soxr

from extractors.audio_info import AudioInfo, check_span, content_hash, probe
from extractors.decoder import LOSSY_SLACK, AudioError, Decoder, open_audio
from extractors.types import Float32

__all__ = [
    "HOP",
    "MIN_SAMPLES",
    "RESAMPLER",
    "SAMPLE_RATE",
    "AudioError",
    "AudioInfo",
    "check_span",
    "content_hash",
    "load_audio",
    "probe",
    "windows",
]

log = logging.getLogger(__name__)

SAMPLE_RATE = 16_000  # Hz
MIN_SAMPLES = 400  # 25 ms: what one frame of the speech encoders sees
HOP = 320  # samples, 20 ms: from one frame to the next
RESAMPLER = "soxr HQ"  # for fingerprints: another resampler gives other vectors

MARGIN = 0.1  # s; read before and after a span, so that the resampler's filter hears what the whole file has there
LARGEST_SAMPLE = 2.0**31  # float files on the scale of 32-bit integers exist; beyond that it is no audio


def load_audio(path: str | os.PathLike[str], start: float | None = None, end: float | None = None) -> Float32:
    """The clip `start` to `end` (seconds; None: the file's beginning, its end) as (samples,) float32, mono, 16 kHz.

    Channels are averaged. Silence is never trimmed. Only the span is read, with 0.1 s around it for the resampler (and
    what MP3 and Vorbis need to get going): it equals `load_audio(path)[round(start * 16_000):round(end * 16_000)]` to
    about 1e-6.

    Values lie in [-1, 1]. What a decoder or the resampler overshoots is clipped, as a player would. A *float* file
    whose span goes beyond ±1 is divided by the span's peak instead: that keeps the waveform's shape; its absolute
    level is lost, and the log says so.

    `end` may lie up to 0.1 s beyond the file (annotators round); the span then ends with the file.

    Raises `AudioError` with a one-line `.reason`: no such file, not audio, truncated (within what was read), NaN or
    infinite samples, under 25 ms, a span that is not in the file.

    >>> import soundfile, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     soundfile.write(f"{folder}/x.wav", np.full((44_100, 2), 0.5), 44_100)
    ...     clip = load_audio(f"{folder}/x.wav", start=0.25, end=0.75)
    >>> clip.shape, clip.dtype, round(float(clip[4_000]), 3)
    ((8000,), dtype('float32'), 0.5)
    """
    return decode(path, start, end).samples


@dataclass(frozen=True, slots=True)
class DecodedAudio:
    """What `load_audio` gives, and what it does not say.

    samples  : (samples,) float32 in [-1, 1], mono, 16 kHz
    duration : seconds of the file, up to the span's end where its header does not tell
    rescaled : the span of a float file went beyond ±1 and was divided by its peak
    """

    samples: Float32
    duration: float
    rescaled: bool


def decode(path: str | os.PathLike[str], start: float | None = None, end: float | None = None) -> DecodedAudio:
    """As `load_audio`, with the file's length and whether the level was changed."""
    with open_audio(path) as file:
        check_span(path, inf if file.length is None else file.length / file.samplerate, start, end)
        first = round((start or 0.0) * SAMPLE_RATE)
        last = None if end is None else round(end * SAMPLE_RATE)
        if last is not None and last - first < MIN_SAMPLES:
            raise AudioError(path, too_short(last - first))
        samples, peak = _read(path, file, first, last)
        rescaled = file.subtype in ("FLOAT", "DOUBLE") and peak > 1.0
        samples = _within_one(path, samples, peak, rescaled=rescaled)
    duration = (file.position if file.length is None else file.length) / file.samplerate
    if file.length is None:
        check_span(path, duration, start, end)
    if len(samples) < MIN_SAMPLES:
        raise AudioError(path, too_short(len(samples)))
    return DecodedAudio(samples, duration, rescaled)


def windows(num_samples: int, limit: int) -> list[tuple[int, int]]:
    """(start, stop) of windows of at most `limit` samples that an encoder of 50 frames a second can take one by one.

    The windows are about equally long and overlap by 80 samples (frames see 400 samples and come every 320), so that
    their frames, laid end to end, are as many as the whole clip would have, at the same times.

    >>> windows(80_000, 480_000)
    [(0, 80000)]
    >>> windows(1_000_000, 480_000)
    [(0, 333200), (333120, 666320), (666240, 1000000)]
    """
    if limit < MIN_SAMPLES:
        raise ValueError(f"a window needs at least {MIN_SAMPLES} samples, got limit={limit}")
    if num_samples <= limit:
        return [(0, num_samples)]
    frames = (num_samples - MIN_SAMPLES) // HOP + 1
    count = ceil(frames / ((limit - MIN_SAMPLES) // HOP + 1))
    edges = [i * frames // count for i in range(count + 1)]
    spans = [(a * HOP, (b - 1) * HOP + MIN_SAMPLES) for a, b in pairwise(edges)]
    spans[-1] = (spans[-1][0], min(num_samples, spans[-1][0] + limit))  # up to 319 samples that no frame sees
    return spans


def _read(path: str | os.PathLike[str], file: Decoder, first: int, last: int | None) -> tuple[Float32, float]:
    """Samples `first` to `last` at 16 kHz of an open file, and their peak before they were resampled."""
    rate = file.samplerate
    # The resampler's output grid meets the file's every `step` samples: from there, a span and the whole file agree.
    step = rate // gcd(rate, SAMPLE_RATE)
    begin = max(0, first * rate // SAMPLE_RATE - round(MARGIN * rate)) // step * step if first else 0
    stop = None if last is None else ceil(last * rate / SAMPLE_RATE) + round(MARGIN * rate)
    if file.length is not None:
        stop = file.length if stop is None else min(stop, file.length)
    # The span itself in the file's own samples: NaN in the margin is nobody's business.
    inner = slice(first * rate // SAMPLE_RATE, None if last is None else ceil(last * rate / SAMPLE_RATE))

    peak, read, parts = 0.0, begin, []
    stream = None if rate == SAMPLE_RATE else soxr.ResampleStream(rate, SAMPLE_RATE, 1, dtype="float32", quality="HQ")
    for block in file.blocks_between(begin, stop):
        mono = block[:, 0] if block.shape[1] == 1 else block.mean(axis=1)  # (samples,)
        own = mono[max(0, inner.start - read) : None if inner.stop is None else max(0, inner.stop - read)]
        height = float(max(own.max(initial=0.0), -own.min(initial=0.0)))  # NaN where a NaN is
        if not np.isfinite(height):
            raise AudioError(path, "holds NaN or infinite samples")
        peak, read = max(peak, height), read + len(mono)
        if stream is None:
            parts.append(np.ascontiguousarray(mono))
        else:
            parts.append(stream.resample_chunk(np.nan_to_num(mono, posinf=0.0, neginf=0.0)))
    slack = LOSSY_SLACK * rate if file.format in ("MP3", "MPEG", "OGG") else 0
    if file.length is not None and stop is not None and file.position < stop - slack:
        seconds = f"{stop / rate:.3f} s expected, {file.position / rate:.3f} s could be decoded"
        raise AudioError(path, f"is truncated: {seconds}")
    if stream is not None:
        parts.append(stream.resample_chunk(np.zeros(0, np.float32), last=True))
        # soxr may end one short of ceil(samples × 16,000 / rate), which is what librosa, and so FunASR, counts
        short = ceil((read - begin) * SAMPLE_RATE / rate) - sum(map(len, parts))
        parts.append(np.zeros(max(0, short), np.float32))
    offset = first - begin * SAMPLE_RATE // rate  # exact: begin is a multiple of step
    samples = np.concatenate([np.zeros(0, np.float32), *parts])[
        offset : None if last is None else offset + last - first
    ]
    return samples, peak


def _within_one(path: str | os.PathLike[str], samples: Float32, peak: float, *, rescaled: bool) -> Float32:
    if rescaled:
        if peak > LARGEST_SAMPLE:
            raise AudioError(path, f"holds samples of up to {peak:.3g}: no audio")
        log.info("%s: float samples up to %.4g, divided by that", path, peak)
        samples = samples / np.float32(peak)
    return np.clip(samples, -1.0, 1.0)


def too_short(samples: int) -> str:
    """Why a clip of so few samples at 16 kHz cannot be used."""
    return f"is too short: {samples / SAMPLE_RATE * 1e3:.1f} ms, at least {MIN_SAMPLES / SAMPLE_RATE * 1e3:.0f} needed"
