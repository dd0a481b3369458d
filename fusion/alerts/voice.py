"""Audio as the engine hears it: where somebody speaks, and a model's scores of that, by frames or by windows."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from extractors.audio import HOP, MIN_SAMPLES, SAMPLE_RATE, load_audio
from extractors.errors import InputError
from extractors.types import Clip, Float32
from fusion.alerts.observation import Observation
from fusion.alerts.recording import Recording

log = logging.getLogger(__name__)

FRAME_S = HOP / SAMPLE_RATE  # s, 0.02
GROUP = 32  # stretches of speech that are encoded together, so that memory does not grow with the recording
PAUSE_S = 0.3  # a shorter one does not part two utterances
QUIETEST = -60.0  # dB of full scale; what is quieter is silence
BELOW_LOUD = 30.0  # dB below the loud frames of the recording that are still speech

Finder = Literal["auto", "vad", "energy"]


@dataclass(frozen=True, slots=True)
class Stretch:
    """Speech without a longer pause, in seconds."""

    id: str
    start_s: float
    end_s: float

    @property
    def seconds(self) -> float:
        return self.end_s - self.start_s


def find_stretches(wave: Float32, *, by: Finder = "auto", pause_s: float = PAUSE_S) -> list[Stretch]:
    """Where in a clip (samples,) at 16 kHz somebody speaks; empty where nobody does.

    by : "vad", Silero VAD, which knows speech (the extra `vad`); "energy", frames within 30 dB of the loud ones and
        above -60 dB of full scale, which knows only silence; "auto", the former where it is installed
    """
    if by not in get_args(Finder):
        raise InputError(f"speech_by: expected {', '.join(get_args(Finder))}, got {by!r}")
    if by == "auto":
        by = "vad" if find_spec("silero_vad") else "energy"
    if by == "vad":
        from extractors.vad import speech_detector

        spans = [(start / SAMPLE_RATE, stop / SAMPLE_RATE) for start, stop in speech_detector().speech(wave)]
    else:
        spans = _loud(wave)
    joined: list[list[float]] = []
    for start, end in spans:
        if joined and start - joined[-1][1] < pause_s:
            joined[-1][1] = end
        else:
            joined.append([start, end])
    least = MIN_SAMPLES / SAMPLE_RATE
    kept = [(start, end) for start, end in joined if end - start >= least]
    return [Stretch(str(number), start, end) for number, (start, end) in enumerate(kept, 1)]


def frame_scores(
    path: str | Path, extractor: Any, *, smooth_s: float = 0.5, speech_by: Finder = "auto", name: str | None = None
) -> Recording:
    """Scores of every 20 ms of speech, by the encoder's own class head. Each stretch of speech is encoded by itself.

    extractor : one with `frame_scores`, such as Emotion2vecExtractor
    smooth_s  : moving average over the scores of a stretch, s: those of single frames jump
    """
    labels = class_labels(extractor)
    wave = load_audio(path)
    stretches = find_stretches(wave, by=speech_by)
    _tell(path, stretches, wave)

    def observations() -> Iterator[Observation]:
        for first in range(0, len(stretches), GROUP):
            group = stretches[first : first + GROUP]
            found = extractor.extract([_cut(wave, one) for one in group], frames=True)
            for stretch, embedding in zip(group, found, strict=True):
                scores = extractor.frame_scores(embedding.frames, smooth=smooth_s).astype(float)
                begin = stretch.start_s + embedding.start
                yield from frames(scores, labels, begin=begin, id=stretch.id)

    return Recording(name or str(path), len(wave) / SAMPLE_RATE, observations())


def frames(scores: np.ndarray, labels: Sequence[str], *, begin: float, id: str, **known: Any) -> Iterator[Observation]:
    """(frames, classes) as observations of 20 ms each, parts of the utterance `id`."""
    length = len(scores) * FRAME_S
    for number, row in enumerate(scores.tolist()):
        start = begin + number * FRAME_S
        yield Observation(
            start,
            begin + (number + 1) * FRAME_S,
            dict(zip(labels, row, strict=True)),
            id=id,
            utterance_s=length,
            **known,
        )


def window_clips(
    path: str | Path, *, window_s: float = 5.0, speech_by: Finder = "auto"
) -> tuple[list[Clip], list[Stretch], float]:
    """The speech of a file in windows of at most `window_s` seconds, of which stretch each is, and the file's length."""
    if not window_s >= 1:
        raise InputError(f"window_s: expected seconds from 1, got {window_s}")
    wave = load_audio(path)
    stretches = find_stretches(wave, by=speech_by)
    _tell(path, stretches, wave)
    clips, of = [], []
    for stretch in stretches:
        count = max(1, int(np.ceil(stretch.seconds / window_s)))
        edges = np.linspace(stretch.start_s, stretch.end_s, count + 1).tolist()
        for number, (start, end) in enumerate(pairwise(edges), 1):
            clips.append(Clip(f"{stretch.id}.{number}", audio=Path(path), start=start, end=end))
            of.append(stretch)
    return clips, of, len(wave) / SAMPLE_RATE


def class_labels(extractor: Any) -> tuple[str, ...]:
    """The classes of an encoder that has scores of its own."""
    labels = tuple(getattr(extractor, "labels", ()))
    if not labels or not hasattr(extractor, "frame_scores"):
        raise InputError(
            f"{extractor.name} has no classes of its own, so there is nothing to watch",
            hint="Take speech=emotion2vec_plus_large, or a model that you trained: bundle=runs/…/bundle",
        )
    return labels


def _cut(wave: Float32, stretch: Stretch) -> Float32:
    return wave[round(stretch.start_s * SAMPLE_RATE) : round(stretch.end_s * SAMPLE_RATE)]


def _loud(wave: Float32) -> list[tuple[float, float]]:
    """Spans of frames of 20 ms that are loud enough to be speech."""
    count = len(wave) // HOP
    power = np.square(wave[: count * HOP].reshape(count, HOP), dtype=np.float64).mean(axis=1)
    level = 10 * np.log10(np.maximum(power, 1e-12))
    loud = level > max(QUIETEST, float(np.percentile(level, 95)) - BELOW_LOUD) if count else np.zeros(0, bool)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], loud.astype(np.int8), [0]])))
    return [(start * FRAME_S, stop * FRAME_S) for start, stop in edges.reshape(-1, 2).tolist()]


def _tell(path: str | Path, stretches: Sequence[Stretch], wave: Float32) -> None:
    spoken = sum(stretch.seconds for stretch in stretches)
    total = len(wave) / SAMPLE_RATE
    if not stretches:
        log.warning("%s: nobody speaks in its %.1f s, so no rule can alert", path, total)
    else:
        log.info("%s: %.1f s of speech in %.1f s, %d stretches", path, spoken, total, len(stretches))
