"""The encoders of a bundle: clips in, the features that its model reads out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from extractors.errors import InputError
from extractors.types import Clip, Extractor, Modality
from fusion.bundle import OWN_EXTRACTORS, BundleInfo, build
from fusion.data.sequences import ArraySequences, SequenceReader, StoreSequences

Features = NDArray[np.float32] | SequenceReader  # (rows, dim), or what reads the rows' sequences
Present = NDArray[np.bool_]


class BundleEncoders:
    """Builds each encoder on first need; it must be the very one that the bundle was trained on.

    Args:
        info: what the bundle says of itself.
        frames: the model reads sequences, not pooled vectors.
        device: "auto", "cpu" or "cuda".
        sources: modality -> folder or model id to load that encoder from, where it lies elsewhere than in training.
        offline: reach for no hub.
    """

    def __init__(
        self,
        info: BundleInfo,
        *,
        frames: bool,
        device: str = "auto",
        sources: Mapping[str, str | None] | None = None,
        offline: bool | None = None,
    ) -> None:
        self.info, self.frames = info, frames
        self._device, self._sources, self._offline = device, dict(sources or {}), offline
        self._built: dict[str, Extractor] = {}

    def get(self, modality: Modality) -> Extractor:
        """The encoder of `modality`, built once. InputError where its fingerprint is not the bundle's."""
        if modality not in self._built:
            self._built[modality] = self._build(modality)
        return self._built[modality]

    def features_of(
        self, clips: Sequence[Clip], store: Any, **extraction: Any
    ) -> tuple[dict[Modality, Features], dict[Modality, NDArray[np.bool_]], list[dict[str, str]]]:
        """What `predict_features` takes, of clips by way of the store, and for each clip modality -> why it failed."""
        from extractors.pipeline import extract_to_store

        features: dict[Modality, Features] = {}
        present = {}
        failed: list[dict[str, str]] = [{} for _ in clips]
        for modality, dim in self.info.dims.items():
            vectors = np.zeros((len(clips) if not self.frames else 0, dim), np.float32)
            features[modality] = ArraySequences([None] * len(clips), dim=dim) if self.frames else vectors
            present[modality] = np.zeros(len(clips), bool)
            if not any((clip.audio if modality == "speech" else clip.text) for clip in clips):
                continue
            extractor = self.get(modality)
            options = {"max_failed": 1.0, **extraction, "frames": self.frames}
            summary = extract_to_store(clips, extractor, store, **options)
            reasons = {failure.id: failure.reason for failure in summary.failed}
            for row, (clip, key) in enumerate(zip(clips, summary.keys, strict=True)):
                if key is None and clip.id in reasons:
                    failed[row][modality] = reasons[clip.id]
            rows = np.array([row for row, key in enumerate(summary.keys) if key is not None], dtype=np.int64)
            present[modality][rows] = True
            if len(rows) and self.frames:
                features[modality] = StoreSequences(store, summary.keys)
            elif len(rows):
                vectors[rows] = store.read_vectors([summary.keys[row] for row in rows])
        return features, present, failed

    def features_of_one(
        self, audio: str | Path | NDArray[np.float32] | None, text: str | None
    ) -> tuple[dict[Modality, Features], dict[Modality, NDArray[np.bool_]]]:
        """The same of one clip: a file or (samples,) float32 at 16 kHz, its words, or both. InputError where it has neither."""
        payloads: dict[Modality, Any] = {}
        if audio is not None and "speech" in self.info.dims:
            payloads["speech"] = _samples(audio)
        if text is not None and text.strip() and "text" in self.info.dims:
            payloads["text"] = text
        if not payloads:
            raise InputError(f"this bundle needs {' or '.join(self.info.modalities)}; the clip has neither")
        features: dict[Modality, Features] = {}
        for modality, dim in self.info.dims.items():
            embedding = None
            if modality in payloads:
                embedding = self.get(modality).extract([payloads[modality]], frames=self.frames)[0]
            if self.frames:
                features[modality] = ArraySequences([None if embedding is None else embedding.frames], dim=dim)
            else:
                features[modality] = (np.zeros(dim, np.float32) if embedding is None else embedding.vector)[None]
        return features, {m: np.array([m in payloads]) for m in features}

    def _build(self, modality: Modality) -> Extractor:
        if modality not in self.info.encoders:
            raise InputError(
                f"this bundle was trained on {modality} vectors that its user brought; it has no {modality} encoder",
                hint="Predict from vectors of the same kind: emofuse predict bundle=DIR data=features data.path=x.npz",
            )
        wanted = self.info.encoders[modality]
        arguments = dict(wanted["config"])
        target = str(arguments.pop("_target_"))
        if self._sources.get(modality) is not None:
            if "model" not in arguments:
                raise InputError(f"this bundle's {modality} encoder loads no model; leave out {modality}_model=")
            arguments["model"] = self._sources[modality]
        if "device" in arguments:
            arguments["device"] = self._device
        if "offline" in arguments:
            arguments["offline"] = self._offline
        extractor: Extractor = build(target, arguments, prefix=OWN_EXTRACTORS)
        if extractor.fingerprint != wanted["fingerprint"]:
            raise InputError(
                f"the {modality} encoder at hand is not the one this bundle was trained with",
                _differences(wanted["describe"], extractor.describe()),
                hint="Its vectors would mean something else to the head. Bring that encoder, or train again with this one.",
            )
        return extractor


def _samples(audio: str | Path | NDArray[np.float32]) -> NDArray[np.float32]:
    from extractors.audio import load_audio

    return audio if isinstance(audio, np.ndarray) else load_audio(audio)


def _differences(wanted: Mapping[str, Any], got: Mapping[str, Any]) -> list[str]:
    found = [
        f"{key}: the bundle's {wanted.get(key)!r}, here {got.get(key)!r}"
        for key in sorted(set(wanted) | set(got))
        if wanted.get(key) != got.get(key)
    ]
    return found or ["their descriptions are the same: model.json was changed by hand"]
