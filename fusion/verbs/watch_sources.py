"""What `watch` and `backtest` may be asked about: one file, a manifest, or scores that others wrote."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from extractors.errors import InputError
from extractors.types import Float32
from fusion.alerts.observation import Observation
from fusion.alerts.recording import Recording
from fusion.alerts.rows import frame_recordings, place_rows, utterances
from fusion.alerts.rule import Rule
from fusion.alerts.rules import load_rules, read_rules
from fusion.alerts.scores_file import read_scores
from fusion.alerts.voice import class_labels, frame_scores, window_clips
from fusion.data.manifest import clips_of
from fusion.predictor import Predictor

log = logging.getLogger(__name__)

GRANULARITIES = ("frame", "utterance")


@dataclass(frozen=True)
class Watched:
    """Recordings, and what is known of the model that scored them.

    calibrated : whether its scores are calibrated probabilities; None: nobody knows
    failed     : utterances that could not be scored -> why
    """

    recordings: list[Recording]
    model: str
    calibrated: bool | None
    failed: dict[str, str] = field(default_factory=dict)


def rules_of(cfg: DictConfig) -> tuple[Rule, ...]:
    """The rules that the configuration names: `when=` one line, or `rules=` a set; `settings=` are put over each."""
    settings = OmegaConf.to_container(cfg.settings) if OmegaConf.is_config(cfg.settings) else cfg.settings or {}
    if not isinstance(settings, dict):
        raise InputError(f"settings: expected a mapping such as {{scope: meeting, tau_s: 5}}, got {settings!r}")
    over = {str(key): value for key, value in settings.items()}
    if cfg.when is not None:
        return read_rules({"when": {"when": str(cfg.when)} | over}, where="when")
    rules = load_rules(str(cfg.rules))
    if not over:
        return rules
    plain = {
        rule.name: {key: value for key, value in rule.as_dict().items() if key not in over} | over for rule in rules
    }
    return read_rules(plain, where="rules with these settings")


def watched(cfg: DictConfig, run_dir: Path) -> Watched:
    """The observations that the configuration asks for. Heavy parts load only where they are needed."""
    _check(cfg)
    if cfg.scores is not None:
        return Watched(read_scores(cfg.scores, rows=cfg.rows), Path(cfg.scores).name, cfg.calibrated)
    if cfg.bundle is not None:
        predictor = Predictor.from_bundle(
            Path(cfg.bundle),
            trusted=tuple(cfg.trusted),
            device=cfg.device,
            sources={"speech": cfg.speech_model, "text": cfg.text_model},
            offline=cfg.offline,
        )
        return _predicted_file(cfg, predictor) if cfg.audio is not None else _predicted_rows(cfg, predictor)
    extractor = instantiate(cfg.speech)
    labels = class_labels(extractor)
    calibrated = False if cfg.calibrated is None else cfg.calibrated
    if cfg.audio is not None:
        if cfg.granularity == "utterance":
            return _windows(cfg, extractor, labels, calibrated)
        recording = frame_scores(cfg.audio, extractor, smooth_s=cfg.smooth_s, speech_by=cfg.speech_by)
        return Watched([recording], extractor.name, calibrated)
    return _stored_rows(cfg, extractor, labels, calibrated, run_dir)


def _check(cfg: DictConfig) -> None:
    problems = []
    given = [name for name in ("audio", "scores") if cfg[name] is not None]
    given += [] if OmegaConf.is_missing(cfg.data, "path") else ["data.path"]
    if len(given) != 1:
        problems.append(f"expected one of audio=, scores= and data.path=, got {' and '.join(given) or 'none'}")
    if cfg.granularity not in GRANULARITIES:
        problems.append(f"granularity: expected {' or '.join(GRANULARITIES)}, got {cfg.granularity!r}")
    if cfg.scores is not None and cfg.bundle is not None:
        problems.append("scores= are there already; bundle= would make others")
    if not isinstance(cfg.smooth_s, int | float) or isinstance(cfg.smooth_s, bool) or not cfg.smooth_s >= 0:
        problems.append(f"smooth_s: expected seconds from 0, got {cfg.smooth_s!r}")
    if cfg.calibrated not in (None, True, False):
        problems.append(f"calibrated: expected true, false or null, got {cfg.calibrated!r}")
    if "data.path" in given and not str(cfg.data._target_).endswith("ManifestSource"):
        problems.append("data: expected a manifest, whose rows have times; vectors have none")
    if problems:
        raise InputError("what is to be watched", problems, hint="Such as audio=call.wav, or scores=scores.csv.")


def _predicted_file(cfg: DictConfig, predictor: Predictor) -> Watched:
    """A file through a bundle, in windows of speech."""
    clips, of, seconds = window_clips(cfg.audio, window_s=cfg.window_s, speech_by=cfg.speech_by)
    if "speech" not in predictor.info.dims:
        raise InputError(
            "this bundle reads text alone; audio= has none", hint="Give a manifest with its words: data.path="
        )
    predictions = predictor.predict_clips(clips, instantiate(cfg.store)) if clips else []
    failed = {p.id: p.error for p in predictions if p.error is not None}
    observations = [
        Observation(
            float(clip.start or 0.0),
            float(clip.end or 0.0),
            prediction.probabilities,
            id=stretch.id,
            confidence=prediction.confidence,
            utterance_s=stretch.seconds,
        )
        for clip, stretch, prediction in zip(clips, of, predictions, strict=True)
        if prediction.error is None
    ]
    return Watched([Recording(str(cfg.audio), seconds, observations)], str(cfg.bundle), _calibrated(cfg), failed)


def _predicted_rows(cfg: DictConfig, predictor: Predictor) -> Watched:
    """A manifest through a bundle."""
    frame = instantiate(cfg.data, require_label=False).read(check_audio=False)
    rows, lengths = place_rows(frame)
    predictions = predictor.predict_clips(clips_of(frame), instantiate(cfg.store))
    failed = {p.id: p.error for p in predictions if p.error is not None}
    recordings = utterances(
        rows,
        lengths,
        lambda row: predictions[row].probabilities if predictions[row].error is None else None,
        confidence=lambda row: predictions[row].confidence,
    )
    return Watched(recordings, str(cfg.bundle), _calibrated(cfg), failed)


def _calibrated(cfg: DictConfig) -> bool:
    """A bundle has a temperature from its validation rows."""
    return True if cfg.calibrated is None else bool(cfg.calibrated)


def _windows(cfg: DictConfig, extractor: Any, labels: Sequence[str], calibrated: bool) -> Watched:
    """A file by the encoder's own classes, in windows of speech, through the store."""
    from extractors.pipeline import extract_to_store

    clips, of, seconds = window_clips(cfg.audio, window_s=cfg.window_s, speech_by=cfg.speech_by)
    observations, failed = [], {}
    if clips:
        store = instantiate(cfg.store)
        summary = extract_to_store(clips, extractor, store, max_failed=1.0)
        failed = {failure.id: failure.reason for failure in summary.failed}
        there = [number for number, key in enumerate(summary.keys) if key is not None]
        scores = store.read_scores([summary.keys[number] for number in there])
        observations = [
            Observation(
                float(clips[number].start or 0.0),
                float(clips[number].end or 0.0),
                dict(zip(labels, row, strict=True)),
                id=of[number].id,
                utterance_s=of[number].seconds,
            )
            for number, row in zip(there, scores.astype(float).tolist(), strict=True)
        ]
    return Watched([Recording(str(cfg.audio), seconds, observations)], extractor.name, calibrated, failed)


def _stored_rows(cfg: DictConfig, extractor: Any, labels: Sequence[str], calibrated: bool, run_dir: Path) -> Watched:
    """A manifest by the encoder's own classes: what the store has, and what it lacks is extracted first."""
    source = instantiate(cfg.data, require_label=False)
    by_frames = cfg.granularity == "frame"
    extracted = source.extract(
        extractors={"speech": lambda: extractor},
        store=partial(instantiate, cfg.store),
        run_dir=run_dir,
        frames=by_frames,
    )
    if "speech" not in extracted.done:
        raise InputError("no row of the manifest has audio, and no bundle was given that reads text")
    rows, lengths = place_rows(extracted.frame)
    _, summary = extracted.done["speech"]
    keys = summary.keys
    failed = {failure.id: failure.reason for failure in summary.failed}
    store = instantiate(cfg.store)
    if by_frames:

        def read(numbers: Sequence[int]) -> Iterable[Float32]:
            return store.read_frames([keys[number] for number in numbers]) if numbers else ()

        recordings = frame_recordings(
            rows,
            lengths,
            read,
            partial(extractor.frame_scores, smooth=cfg.smooth_s),
            labels,
            has_frames=lambda row: keys[row] is not None,
        )
        return Watched(recordings, extractor.name, calibrated, failed)
    there = [row for row, key in enumerate(keys) if key is not None]
    scores = store.read_scores([keys[row] for row in there]).astype(np.float64).tolist() if there else []
    known = {row: dict(zip(labels, values, strict=True)) for row, values in zip(there, scores, strict=True)}
    return Watched(utterances(rows, lengths, known.get), extractor.name, calibrated, failed)
