"""A recording in, its course out."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from extractors.errors import InputError
from extractors.types import Float32
from fusion.explore.trajectory.activity import Silence, activity, check_silence, levels
from fusion.explore.trajectory.changes import SCORE_NOISE, Search, check_search
from fusion.explore.trajectory.heard import Heard, hear_frames
from fusion.explore.trajectory.judged import hear_bundle
from fusion.explore.trajectory.moments import Rows, Signal, changes_of, row_mask
from fusion.explore.trajectory.recording import FRAME_RATE, Recording
from fusion.explore.trajectory.result import Bools, Float64, Path2d, Trajectory
from fusion.explore.trajectory.runs import runs_of
from fusion.explore.trajectory.smoothing import smooth_spoken
from fusion.explore.trajectory.space import COMPONENTS, reduce
from fusion.explore.trajectory.voices import check_belongs, per_step, said_in, speakers_of
from fusion.explore.trajectory.windows import Grid
from fusion.meeting.transcript import Transcript
from fusion.predictor import Predictor
from fusion.valence import ValenceMap, load_valence

log = logging.getLogger(__name__)

WINDOW, BUNDLE_WINDOW = 1.0, 2.0  # s; bundles are trained on utterances and need more to go by

SignalName = Literal["auto", "scores", "space"]


def trajectory(
    audio: str | os.PathLike[str] | Float32,
    encoder: Any = None,
    *,
    bundle: Predictor | str | Path | None = None,
    transcript: Transcript | None = None,
    utterances_only: bool = False,
    window: float | None = None,
    smooth: float = 1.0,
    silence: Silence = "energy",
    valence: str | Path | ValenceMap | None = "default",
    signal: SignalName = "auto",
    changes: Search | None = Search(),  # noqa: B008  it is frozen
) -> Trajectory:
    """Scores, valence, path and changes over the course of a recording.

    audio : a file, or (samples,) float32 mono at 16 kHz; decoded a few minutes at a time
    encoder : of speech. One that classifies frames (Emotion2Vec+) gives scores 50 times a second; any other gives the path
        and the changes. None: Emotion2Vec+ large, or the bundle's own
    bundle : a folder or `Predictor` whose labels are wanted instead, for each window
    utterances_only : what lies in nobody's utterance is a gap; so is who was left out when the transcript was read
    window : seconds that each step of the path (and of a bundle's scores) is heard with; steps are half as long. None: 1,
        and 2 for a bundle
    transcript : who speaks when (and, for a bundle that reads, what). Changes are then looked for in each speaker's own
        speech, and the path shows how people move from their own mean
    smooth : seconds of the centred moving average over scores, of what is spoken in them; 0 for none
    silence : what is a gap, "energy", "vad" or "none": see `activity`
    valence : a map of `fusion.valence`, None for none
    signal : what changes are looked for in: the scores of the windows, or the `space` of their vectors (first six
        components); "auto" takes scores where there are any
    changes : how they are looked for, None for not at all

    Raises InputError where the recording cannot be read, is silent or shorter than a window, or settings do not fit;
    MissingExtraError, before anything is read, where what settings ask for is not installed.

    >>> from extractors.acoustic import AcousticExtractor
    >>> seconds = np.arange(8 * 16_000) / 16_000
    >>> noise = np.random.default_rng(0).normal(0, 0.01, len(seconds))
    >>> low, high = (0.3 * np.sin(2 * np.pi * hertz * seconds) + noise for hertz in (110, 250))
    >>> found = trajectory(np.concatenate([low, high]).astype(np.float32), AcousticExtractor())
    >>> [change.time_s for change in found.changes], found.path.points.shape
    ([8.0], (32, 6))
    """
    _check(smooth, signal)
    check_silence(silence)
    check_search(changes)
    recording = Recording(audio)
    check_belongs(transcript, recording.seconds)
    if window is None:
        window = WINDOW if bundle is None else BUNDLE_WINDOW
    grid = Grid(recording.seconds, window)
    hop = grid.hop
    level = levels(recording)
    spoken = activity(recording, level, silence=silence)
    if utterances_only:
        spoken = spoken & said_in(transcript, len(spoken))
    predictor = Predictor.from_bundle(bundle) if isinstance(bundle, str | Path) else bundle
    heard, encoder = _hear(encoder, predictor, recording, spoken, grid, transcript)
    if signal == "scores" and heard.scores is None:
        raise InputError(f"signal=scores: {encoder.name} gives no scores", hint="Set signal=space, or give a bundle.")

    # without scores a row is a step
    rows, rate = (grid.steps, 1 / hop) if heard.scores is None else (len(heard.scores), heard.rate)
    speech = row_mask(spoken, rows, rate)
    if heard.scores is not None:
        speech = speech & np.isfinite(heard.scores[:, 0])
    smoothed = (
        None if heard.scores is None else smooth_spoken(np.nan_to_num(heard.scores), speech, round(smooth * rate))
    )
    values = _valence(valence, heard.labels)
    curve = None if smoothed is None or values is None else values.of_rows(smoothed, heard.labels)
    names, owner = speakers_of(transcript, rows, rate)
    step_owner = per_step(owner, rate, grid.steps, hop)
    reduced = reduce(heard.vectors, step_owner)

    raw = None if heard.scores is None else np.where(speech[:, None], heard.scores, np.nan)
    raw_curve: Float64 | None = None if raw is None or values is None else values.of_rows(raw, heard.labels)
    by_scores = heard.step_scores is not None and signal != "space"
    looked = Signal(
        points=heard.step_scores if by_scores and heard.step_scores is not None else reduced.points,
        floor=SCORE_NOISE if by_scores else 0.0,
        owner=step_owner,
        standard=reduced.standard,
        names=heard.names,
    )
    found, segment = (
        changes_of(looked, Rows(rate, heard.labels, raw, raw_curve, owner), spoken, grid, changes or Search(), names)
        if changes is not None
        else ((), speech.astype(np.int64))
    )
    return Trajectory(
        name=recording.name,
        audio=recording.path,
        seconds=recording.seconds,
        rate=rate,
        labels=heard.labels,
        scores=smoothed,
        valence=curve,
        speech=speech,
        level=level,
        speakers=names,
        speaker=owner,
        segment=np.where(speech, segment, 0),
        path=Path2d(reduced.points, reduced.explained, hop),
        changes=found,
        runs=runs_of(rate, speech, smoothed, heard.labels, owner, names, segment),
        settings={
            "encoder": encoder.name,
            "fingerprint": encoder.fingerprint,
            "bundle": predictor is not None,
            "window_s": window,
            "step_s": hop,
            "smooth_s": smooth,
            "silence": silence,
            "valence": None if values is None else values.name,
            "signal": ("scores" if by_scores else f"space, {COMPONENTS} components") if changes else None,
            "penalty_bics": None if changes is None else changes.penalty,
            "min_seconds": None if changes is None else changes.min_seconds,
        },
    )


def _check(smooth: float, signal: str) -> None:
    problems = []
    if isinstance(smooth, bool) or not isinstance(smooth, int | float) or not 0 <= smooth < float("inf"):
        problems.append(f"smooth: expected seconds from 0, got {smooth!r}")
    if signal not in get_args(SignalName):
        problems.append(f"signal: expected one of {', '.join(get_args(SignalName))}, got {signal!r}")
    if problems:
        raise InputError("the course cannot be drawn like this", problems)


def _hear(
    encoder: Any,
    predictor: Predictor | None,
    recording: Recording,
    spoken: Bools,
    grid: Grid,
    transcript: Transcript | None,
) -> tuple[Heard, Any]:
    if predictor is not None:
        if encoder is not None:
            raise InputError("a bundle brings its own encoder: give one of the two")
        heard = hear_bundle(predictor, recording, spoken, grid, transcript)
        return heard, predictor.extractor("speech")
    if encoder is None:
        from extractors.emotion2vec.extractor import Emotion2vecExtractor

        encoder = Emotion2vecExtractor()
    if getattr(encoder, "modality", None) != "speech" or getattr(encoder, "frame_rate", None) != FRAME_RATE:
        raise InputError(
            f"{getattr(encoder, 'name', encoder)} does not hear audio, so it cannot follow a recording",
            hint="Take speech=acoustic, an Emotion2Vec+ model, or a bundle.",
        )
    return hear_frames(encoder, recording, spoken, grid), encoder


def _valence(source: str | Path | ValenceMap | None, labels: tuple[str, ...]) -> ValenceMap | None:
    """The map, None where there is nothing to map; labels of one's own that the default map does not know are no mistake."""
    if source is None or not labels:
        return None
    if isinstance(source, ValenceMap):
        return source
    try:
        return load_valence(source, labels=labels)
    except InputError as error:
        if source != "default":
            raise
        log.warning("%s; no valence is drawn", error.summary)
        return None
