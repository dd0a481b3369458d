"""A bundle and clips in; labels, probabilities and reasons out."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from extractors.errors import InputError
from extractors.fingerprint import fingerprint
from extractors.types import Clip, Extractor, Modality
from fusion.bundle import BundleInfo, find_bundle, load_bundle
from fusion.data.batches import in_order
from fusion.data.sequences import ArraySequences
from fusion.encoding import BundleEncoders, Features
from fusion.ensemble import Ensemble
from fusion.model import FusionModel
from fusion.prediction import Prediction as Prediction
from fusion.shapley import shapley_values

UNCERTAIN = "uncertain"


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
        self.encoders = BundleEncoders(info, frames=self.sequences, device=device, sources=sources, offline=offline)

    @classmethod
    def from_bundle(cls, folder: str | Path, *, trusted: Sequence[str] = (), **options: Any) -> Predictor:
        """Read a bundle folder, or the newest under a folder of runs. `trusted`: modules of your own heads it may import."""
        return cls(*load_bundle(find_bundle(Path(folder)), trusted=trusted), **options)

    @property
    def labels(self) -> tuple[str, ...]:
        return self.info.labels

    @property
    def sequences(self) -> bool:
        """Whether the model reads frames and tokens; `dims` are then theirs."""
        return self.model.head.needs_sequences

    def extractor(self, modality: Modality) -> Extractor:
        """The encoder of `modality`, built once, its fingerprint checked against the bundle's."""
        return self.encoders.get(modality)

    def predict(
        self, audio: str | Path | NDArray[np.float32] | None = None, text: str | None = None, *, id: str = "clip"
    ) -> Prediction:
        """One clip: a file or (samples,) float32 at 16 kHz, its words, or both.

        Raises InputError where there is neither, or the audio cannot be read.
        """
        features, present = self.encoders.features_of_one(audio, text)
        return self.predict_features([id], features, present)[0]

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
        features, present, failed = self.encoders.features_of(clips, store, **extraction)
        predictions = self.predict_features([clip.id for clip in clips], features, present)
        heard = np.any(list(present.values()), axis=0)
        return [
            replace(prediction, failed=reasons)
            if known
            else Prediction(id=prediction.id, failed=reasons, error=_said(reasons) or "nothing to go by")
            for prediction, known, reasons in zip(predictions, heard, failed, strict=True)
        ]

    def embed(
        self, audio: str | Path | NDArray[np.float32] | None = None, text: str | None = None
    ) -> NDArray[np.float32]:
        """(embedding_dim,) float32 of one clip: what the head makes of it before its last layer. Raises as `predict`."""
        return self._embedded(*self.encoders.features_of_one(audio, text))[0]

    def embed_clips(
        self, clips: Sequence[Clip], store: Any, **extraction: Any
    ) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """(clips, embedding_dim) float32 in their order, and (clips,) bool: which have anything to go by."""
        features, present, _ = self.encoders.features_of(clips, store, **extraction)
        return self._embedded(features, present), np.any(list(present.values()), axis=0)

    @property
    def embedding_dim(self) -> int:
        """Width of `embed`."""
        nothing: dict[Modality, Features] = {}
        for modality, dim in self.info.dims.items():
            nothing[modality] = ArraySequences([None], dim=dim) if self.sequences else np.zeros((1, dim), np.float32)
        return self._embedded(nothing, {m: np.array([not self.sequences]) for m in nothing}).shape[1]

    @property
    def fingerprint(self) -> str:
        """Hex digest of all that `embed` depends on: the encoders and the trained weights."""
        weights = hashlib.blake2b(digest_size=16)
        for name, tensor in sorted(self.model.state_dict().items()):
            weights.update(name.encode() + tensor.detach().cpu().contiguous().numpy().tobytes())
        encoders = {modality: encoder["fingerprint"] for modality, encoder in self.info.encoders.items()}
        return fingerprint({"bundle": weights.hexdigest(), "head": self.info.head, "encoders": encoders})

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
        judged = self.probabilities_shown(features, present, coalitions)  # each row is read once, whoever is shown
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
        return self.probabilities_shown(features, present, [everyone])[everyone]

    def probabilities_shown(
        self,
        features: Mapping[Modality, Features],
        present: Mapping[Modality, NDArray[np.bool_]],
        coalitions: Sequence[frozenset[str]],
    ) -> dict[frozenset[str], NDArray[np.float64]]:
        """(rows, classes) float64 with only the modalities of each coalition shown; each row is read once.

        Where a row has none of a coalition's modalities, its probabilities mean nothing.
        """
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

    def _embedded(
        self, features: Mapping[Modality, Features], present: Mapping[Modality, NDArray[np.bool_]]
    ) -> NDArray[np.float32]:
        """(rows, embedding_dim) float32."""
        used: dict[str, Any] = {m: features[m] for m in self.info.dims}
        index = np.arange(len(present[self.info.modalities[0]]), dtype=np.int64)
        with torch.inference_mode():
            batches = in_order(used, {m: present[m] for m in self.info.dims}, index)
            return np.concatenate([self.model(shown, here).embedding.numpy() for shown, here in batches])

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
