"""Who says what was expressed in a span: a bundle, or Emotion2Vec+'s own classes. One interface."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from extractors.decoded import DecodedFile
from extractors.errors import InputError
from extractors.pipeline import extract_to_store
from extractors.store import EmbeddingStore
from extractors.types import Clip, Extractor
from fusion.bundle import find_bundle
from fusion.meeting.estimate import Opinion
from fusion.meeting.manners import Modality
from fusion.predictor import Predictor

log = logging.getLogger(__name__)

WANTED: dict[Modality, tuple[str, ...]] = {"text": ("text",), "speech": ("speech",), "both": ("speech", "text")}


class Estimator(Protocol):
    """Opinions on clips. `modalities` are those that it is shown; `calibrated` is None where nobody knows."""

    @property
    def name(self) -> str: ...
    @property
    def labels(self) -> tuple[str, ...]: ...
    @property
    def modalities(self) -> tuple[str, ...]: ...
    @property
    def calibrated(self) -> bool | None: ...
    @property
    def metrics(self) -> dict[str, Any]: ...
    def estimate(
        self, clips: Sequence[Clip], store: EmbeddingStore, *, decoded: Sequence[DecodedFile] = ()
    ) -> list[Opinion]: ...


class BundleEstimator:
    """A trained bundle, shown speech, text or both.

    Raises InputError where the bundle has none of what it is to be shown.
    """

    def __init__(self, predictor: Predictor, *, modality: Modality, name: str) -> None:
        self.predictor, self.name = predictor, name
        there = predictor.info.modalities
        self.modalities = tuple(m for m in WANTED[modality] if m in there)
        if not self.modalities:
            raise InputError(
                f"modality={modality}: the bundle {name} knows {', '.join(there)} only",
                hint=f"Set modality={'text' if 'text' in there else 'speech'}, or give another bundle.",
            )
        if lacking := [m for m in WANTED[modality] if m not in there]:
            log.warning("%s knows no %s: estimates rest on %s", name, lacking[0], self.modalities[0])

    @property
    def labels(self) -> tuple[str, ...]:
        return self.predictor.labels

    @property
    def calibrated(self) -> bool | None:
        """A temperature other than 1 was found on validation rows; 1 is what a bundle without has."""
        members = self.predictor.info.members
        return True if members > 1 or self.predictor.info.temperature != 1.0 else None

    @property
    def metrics(self) -> dict[str, Any]:
        return self.predictor.info.metrics

    def estimate(
        self, clips: Sequence[Clip], store: EmbeddingStore, *, decoded: Sequence[DecodedFile] = ()
    ) -> list[Opinion]:
        """An opinion a clip, in their order; what cannot be used says why. Files that are `decoded` are not read again."""
        shown = [
            replace(
                clip,
                audio=clip.audio if "speech" in self.modalities else None,
                text=clip.text if "text" in self.modalities else None,
            )
            for clip in clips
        ]
        features, present, failed = self.predictor.encoders.features_of(shown, store, max_failed=1.0, decoded=decoded)
        everyone = frozenset(self.modalities)
        views = [everyone, *(frozenset([m]) for m in self.modalities if len(everyone) > 1)]
        seen = self.predictor.probabilities_shown(features, present, views)
        opinions = []
        for row in range(len(clips)):
            has = [m for m in self.modalities if present[m][row]]
            if not has:
                why = "; ".join(f"{m}: {reason}" for m, reason in failed[row].items())
                opinions.append(Opinion(reason=why or f"no {' or '.join(self.modalities)}"))
                continue
            by: dict[str, dict[str, float]] = {m: self._named(seen[frozenset([m])][row]) for m in has}
            opinions.append(Opinion(self._named(seen[everyone][row]), by))
        return opinions

    def _named(self, probabilities: np.ndarray[Any, Any]) -> dict[str, float]:
        return dict(zip(self.labels, map(float, probabilities), strict=True))


class ClassEstimator:
    """The classes that a speech encoder brings itself, such as Emotion2Vec+'s nine.

    Raises InputError where it brings none.
    """

    modalities: tuple[str, ...] = ("speech",)
    calibrated: bool | None = None
    metrics: dict[str, Any] = {}  # noqa: RUF012  # never written to: the encoder says nothing of its accuracy here

    def __init__(self, extractor: Extractor) -> None:
        self.extractor, self.name = extractor, extractor.name
        self.labels = tuple(getattr(extractor, "labels", ()))
        if not self.labels:
            raise InputError(
                f"{extractor.name} brings no classes of its own",
                hint="Give a trained model, bundle=DIR, or speech=emotion2vec_plus_large.",
            )

    def estimate(
        self, clips: Sequence[Clip], store: EmbeddingStore, *, decoded: Sequence[DecodedFile] = ()
    ) -> list[Opinion]:
        """An opinion a clip, in their order; what cannot be used says why. Files that are `decoded` are not read again."""
        summary = extract_to_store(clips, self.extractor, store, max_failed=1.0, decoded=decoded)
        reasons = {failure.id: failure.reason for failure in summary.failed}
        keys = [key for key in summary.keys if key is not None]
        scores = iter(store.read_scores(keys) if keys else np.zeros((0, len(self.labels)), np.float32))
        opinions = []
        for clip, key in zip(clips, summary.keys, strict=True):
            if key is None:
                opinions.append(Opinion(reason=reasons.get(clip.id, "no speech")))
                continue
            heard = dict(zip(self.labels, map(float, next(scores)), strict=True))
            opinions.append(Opinion(heard, {"speech": heard}))
        return opinions


def open_estimator(
    *,
    bundle: str | Path | None,
    modality: Modality,
    build_speech: Callable[[], Extractor] | None = None,
    device: str = "auto",
    offline: bool | None = None,
    speech_model: str | None = None,
    text_model: str | None = None,
) -> Estimator:
    """The estimator that a configuration names: a bundle, or without one the speech encoder's own classes.

    build_speech : called where there is no bundle; makes the speech encoder
    """
    if bundle is not None:
        sources = {"speech": speech_model, "text": text_model}
        folder = find_bundle(Path(bundle)).absolute()
        predictor = Predictor.from_bundle(folder, device=device, sources=sources, offline=offline)
        return BundleEstimator(predictor, modality=modality, name=_shown(folder))
    if modality != "speech":
        raise InputError(
            f"modality={modality} needs a trained model of words: bundle=DIR",
            hint="Without one there are only the speech encoder's own classes: modality=speech.",
        )
    if build_speech is None:
        raise InputError("expected a bundle, or a speech encoder that brings classes of its own")
    return ClassEstimator(build_speech())


def _shown(folder: Path) -> str:
    """A bundle by the last two folders that tell it apart: those of a sweep are numbers.

    >>> _shown(Path("/home/me/runs/heads/18/bundle")), _shown(Path("/bundle"))
    ('heads/18', 'bundle')
    """
    parts = [part for part in folder.parts if part != folder.anchor]
    return "/".join((parts[:-1] if parts[-1] == "bundle" and len(parts) > 1 else parts)[-2:])
