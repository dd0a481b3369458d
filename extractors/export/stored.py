"""Clips with what the store holds of them, in the manifest's order and a few at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np

from extractors.errors import InputError
from extractors.rows import StoredExtractor
from extractors.store import EmbeddingStore
from extractors.types import Clip, Float32, Modality

FORMAT = 1
ROWS_AT_ONCE = 8192  # 32 MB of 1024 dimensions; each read of the store looks all its keys up

Granularity = Literal["utterance", "frame"]


@dataclass(frozen=True, slots=True)
class StoredClip:
    """vector : (dim,) float32 · frames : (frames, dim) float32, at frame granularity · scores : (classes,) or None"""

    clip: Clip
    vector: Float32
    frames: Float32 | None
    scores: Float32 | None

    @property
    def array(self) -> Float32:
        """What FunASR calls `feats`: the frames, or the vector."""
        return self.vector if self.frames is None else self.frames


class StoredClips:
    """What one extractor said of these clips, as the store has it. Iterating reads a few thousand rows at a time.

    keys   : the store key of each clip; those without one (failed, absent) are left out
    frames : the sequences too. KeyError, on iterating, where the store has none.

    Raises InputError where nothing is left.
    """

    def __init__(
        self,
        store: EmbeddingStore,
        fingerprint: str,
        clips: Sequence[Clip],
        keys: Sequence[str | None],
        *,
        frames: bool = False,
    ) -> None:
        pairs = [(clip, key) for clip, key in zip(clips, keys, strict=True) if key is not None]
        if not pairs:
            raise InputError("export: no clip has an embedding, so there is nothing to write")
        self._store, self._pairs = store, pairs
        self.granularity: Granularity = "frame" if frames else "utterance"
        self.extractor: StoredExtractor = next(t for t in store.tables() if t.fingerprint == fingerprint)

    def __len__(self) -> int:
        return len(self._pairs)

    @property
    def clips(self) -> list[Clip]:
        """Those that have an embedding, in the order given."""
        return [clip for clip, _ in self._pairs]

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the scores; empty for a model that does not classify."""
        return self.extractor.labels

    def __iter__(self) -> Iterator[StoredClip]:
        for first in range(0, len(self._pairs), ROWS_AT_ONCE):
            pairs = self._pairs[first : first + ROWS_AT_ONCE]
            keys = [key for _, key in pairs]
            vectors, scores = self._store.read_vectors(keys), self._scores(keys)
            sequences: Iterator[Float32 | None] = (
                self._store.read_frames(keys) if self.granularity == "frame" else iter([None] * len(keys))
            )
            for (clip, _), vector, frames, classes in zip(pairs, vectors, sequences, scores, strict=True):
                yield StoredClip(clip, vector, frames, classes)

    def describe(self) -> dict[str, Any]:
        """What a reader of the files wants to know of the encoder, JSON-able."""
        encoder = self.extractor
        return {
            "emofuse_export": FORMAT,
            "model": str(encoder.describe.get("model") or encoder.name),
            "fingerprint": encoder.fingerprint,
            "modality": encoder.modality,
            "granularity": self.granularity,
            "dim": encoder.frames_dim if self.granularity == "frame" else encoder.dim,
            "frame_rate": encoder.frame_rate,
            "labels": list(encoder.labels),
            "extractor": encoder.describe,
        }

    def _scores(self, keys: list[str]) -> list[Float32 | None]:
        """None where a clip has none: imported vectors may have come with scores, and without."""
        if not self.labels:
            return [None] * len(keys)
        scores = self._store.read_scores(keys, classes=len(self.labels))
        return [None if np.isnan(row).any() else row for row in scores]


class Exporter(Protocol):
    """`modality` is whose vectors it writes; `check` refuses, before hours of work, what `write` could not do."""

    modality: Modality

    def check(self, clips: Sequence[Clip]) -> None: ...
    def write(self, stored: StoredClips) -> Path: ...
