"""A bundle and clips in; labels, probabilities and reasons out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from extractors.errors import InputError
from extractors.types import Clip, Extractor, Modality
from fusion.bundle import OWN_EXTRACTORS, BundleInfo, build, load_bundle
from fusion.data.batches import in_order
from fusion.data.sequences import ArraySequences, SequenceReader, StoreSequences
from fusion.ensemble import Ensemble
from fusion.model import FusionModel
from fusion.prediction import Prediction as Prediction
from fusion.shapley import shapley_values

UNCERTAIN = "uncertain"

Features = NDArray[np.float32] | SequenceReader  # (rows, dim), or what reads the rows' sequences


class Predictor:
    """Uses a bundle. Encoders are built on first need, and must be the very ones that the bundle was trained on.

    Args:
        model: the trained model, on the CPU.
        info: what the bundle says of itself.
        device: "auto", "cpu" or "cuda", for the encoders.
        sources: modality -> folder or model id to load that encoder from, where it lies elsewhere than in training.
        offline: reach for no hub.
    """

    def __init__(
        self,
        model: FusionModel | Ensemble,
        info: BundleInfo,
        *,
        device: str = "auto",
        sources: Mapping[str, str | None] | None = None,
        offline: bool | None = None,
    ) -> None:
        self.model, self.info = model, info
        self._device, self._sources, self._offline = device, dict(sources or {}), offline
        self._extractors: dict[str, Extractor] = {}

    @classmethod
    def from_bundle(cls, folder: str | Path, *, trusted: Sequence[str] = (), **options: Any) -> Predictor:
        """Read a bundle folder. `trusted` names modules of your own heads that the bundle may import."""
        return cls(*load_bundle(Path(folder), trusted=trusted), **options)

    @property
    def labels(self) -> tuple[str, ...]:
        return self.info.labels

    @property
    def sequences(self) -> bool:
        """Whether the model reads frames and tokens; `dims` are then theirs."""
        return self.model.head.needs_sequences

    def extractor(self, modality: Modality) -> Extractor:
        """The encoder of `modality`, built once, its fingerprint checked against the bundle's."""
        if modality not in self._extractors:
            self._extractors[modality] = self._build_extractor(modality)
        return self._extractors[modality]

    def _build_extractor(self, modality: Modality) -> Extractor:
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

    def predict(
        self, audio: str | Path | NDArray[np.float32] | None = None, text: str | None = None, *, id: str = "clip"
    ) -> Prediction:
        """One clip: a file or (samples,) float32 at 16 kHz, its words, or both.

        Raises InputError where there is neither, or the audio cannot be read.
        """
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
                embedding = self.extractor(modality).extract([payloads[modality]], frames=self.sequences)[0]
            if self.sequences:
                features[modality] = ArraySequences([None if embedding is None else embedding.frames], dim=dim)
            else:
                features[modality] = (np.zeros(dim, np.float32) if embedding is None else embedding.vector)[None]
        return self.predict_features([id], features, {m: np.array([m in payloads]) for m in features})[0]

    def predict_clips(self, clips: Sequence[Clip], store: Any, **extraction: Any) -> list[Prediction]:
        """Many clips through the embedding store, in their order; what cannot be read says why. Sequences stay there until
        they are needed.

        Where one modality of a clip fails, the other answers and `failed` has the reason; where nothing is left,
        there is only an `error`.

        Args:
            clips: rows of a manifest.
            store: an `extractors.EmbeddingStore`; what it already holds is not computed again.
            extraction: options of `extractors.extract_to_store`.
        """
        from extractors.pipeline import extract_to_store

        features: dict[Modality, Features] = {}
        present = {}
        failed: list[dict[str, str]] = [{} for _ in clips]
        for modality, dim in self.info.dims.items():
            vectors = np.zeros((len(clips) if not self.sequences else 0, dim), np.float32)
            features[modality] = ArraySequences([None] * len(clips), dim=dim) if self.sequences else vectors
            present[modality] = np.zeros(len(clips), bool)
            if not any((clip.audio if modality == "speech" else clip.text) for clip in clips):
                continue
            extractor = self.extractor(modality)
            options = {"max_failed": 1.0, **extraction, "frames": self.sequences}
            summary = extract_to_store(clips, extractor, store, **options)
            reasons = {failure.id: failure.reason for failure in summary.failed}
            for row, (clip, key) in enumerate(zip(clips, summary.keys, strict=True)):
                if key is None and clip.id in reasons:
                    failed[row][modality] = reasons[clip.id]
            rows = np.array([row for row, key in enumerate(summary.keys) if key is not None], dtype=np.int64)
            present[modality][rows] = True
            if len(rows) and self.sequences:
                features[modality] = StoreSequences(store, summary.keys)
            elif len(rows):
                vectors[rows] = store.read_vectors([summary.keys[row] for row in rows])
        predictions = self.predict_features([clip.id for clip in clips], features, present)
        heard = np.any(list(present.values()), axis=0)
        return [
            replace(prediction, failed=reasons)
            if known
            else Prediction(id=prediction.id, failed=reasons, error=_said(reasons) or "nothing to go by")
            for prediction, known, reasons in zip(predictions, heard, failed, strict=True)
        ]

    def predict_features(
        self,
        ids: Sequence[str],
        features: Mapping[Modality, Features],
        present: Mapping[Modality, NDArray[np.bool_]],
    ) -> list[Prediction]:
        """Vectors or sequences that are there already: modality -> (rows, dim) float32, or a reader of sequences, and
        (rows,) bool.
        """
        players = self.info.modalities
        coalitions = [frozenset(some) for size in range(1, len(players) + 1) for some in combinations(players, size)]
        judged = self._judged(features, present, coalitions)  # each row is read once, whoever is shown
        probabilities = judged[frozenset(players)]  # (rows, classes)
        best = probabilities.argmax(axis=1)
        rows = range(len(best))
        prior = np.asarray(self.info.prior)[best]

        def value(coalition: frozenset[str]) -> NDArray[np.float64]:
            """Probability of the predicted label with only `coalition` shown; the prior where nothing is left."""
            if not coalition:
                return prior
            heard = np.any([present[m] for m in players if m in coalition], axis=0)
            return np.where(heard, judged[coalition][np.arange(len(best)), best], prior)

        shares = shapley_values(players, value)
        entropy = -(probabilities * np.log2(np.maximum(probabilities, 1e-300))).sum(axis=1)
        return [
            Prediction(
                id=str(ids[row]),
                label=self.labels[best[row]] if probabilities[row, best[row]] >= self.info.threshold else UNCERTAIN,
                best=self.labels[best[row]],
                confidence=float(probabilities[row, best[row]]),
                probabilities=dict(zip(self.labels, map(float, probabilities[row]), strict=True)),
                entropy=float(max(entropy[row], 0.0)),
                contributions={m: float(share[row]) for m, share in shares.items()},
                prior=float(prior[row]),
            )
            for row in rows
        ]

    def probabilities(
        self, features: Mapping[Modality, Features], present: Mapping[Modality, NDArray[np.bool_]]
    ) -> NDArray[np.float64]:
        """(rows, classes) float64, temperature applied, in the order of `labels`."""
        everyone = frozenset(self.info.modalities)
        return self._judged(features, present, [everyone])[everyone]

    def _judged(
        self,
        features: Mapping[Modality, Features],
        present: Mapping[Modality, NDArray[np.bool_]],
        coalitions: Sequence[frozenset[str]],
    ) -> dict[frozenset[str], NDArray[np.float64]]:
        """(rows, classes) float64 with only each of `coalitions` shown."""
        if wrong := [
            problem for m, dim in self.info.dims.items() if (problem := self._problem(m, dim, features.get(m)))
        ]:
            raise InputError("the vectors do not fit this bundle", wrong)
        used: dict[str, Any] = {m: features[m] for m in self.info.dims}
        index = np.arange(len(present[self.info.modalities[0]]), dtype=np.int64)
        parts: dict[frozenset[str], list[NDArray[np.float64]]] = {coalition: [] for coalition in coalitions}
        with torch.inference_mode():
            for shown, here in in_order(used, {m: present[m] for m in self.info.dims}, index):
                for coalition, done in parts.items():
                    logits = self.model(shown, {m: flags & (m in coalition) for m, flags in here.items()}).logits
                    done.append(torch.softmax(logits.double() / self.info.temperature, dim=-1).numpy())
        return {coalition: np.concatenate(done) for coalition, done in parts.items()}

    def _problem(self, modality: str, dim: int, found: Features | None) -> str | None:
        """Why these features cannot be shown to the model."""
        if self.sequences:
            width = None if found is None or isinstance(found, np.ndarray) else found.dim
            return None if width == dim else f"{modality}: expected sequences of width {dim}, got {_kind(found)}"
        if isinstance(found, np.ndarray) and found.ndim == 2 and found.shape[1] == dim:
            return None
        return f"{modality}: expected (rows, {dim}), got {_kind(found)}"


def _kind(found: Features | None) -> str:
    if found is None:
        return "()"
    return str(np.shape(found)) if isinstance(found, np.ndarray) else f"sequences of width {found.dim}"


def _said(reasons: Mapping[str, str]) -> str:
    return "; ".join(f"{modality}: {reason}" for modality, reason in reasons.items())


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
