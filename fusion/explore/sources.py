"""Where vectors come from: an encoder and its store, a bundle's fused embeddings, or files that others wrote.

Each source collects rows and embeds a query, both by the same maker, so that the two may be compared.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import numpy as np
import pandas as pd

from extractors.audio import load_audio
from extractors.errors import InputError
from extractors.importing.vectors import short_name
from extractors.pipeline import MAX_FAILED
from extractors.store import EmbeddingStore
from extractors.types import Embedding, Extractor, Float32, Modality
from fusion.data.manifest import clips_of
from fusion.data.sources import Extracted, ManifestSource
from fusion.explore.collection import Collection, Maker, check_unique
from fusion.explore.collection import metadata_of as metadata_of
from fusion.explore.files import ARRAY as ARRAY
from fusion.explore.files import FileVectors as FileVectors
from fusion.explore.files import array_embedding as array_embedding
from fusion.predictor import Predictor

log = logging.getLogger(__name__)

SILENT = 10 ** (-60 / 20)  # peak, of full scale: below −60 dB nobody spoke


class VectorSource(Protocol):
    """Rows to compare, and queries to compare with them.

    `maker` is what made both. `embed` takes an audio file (with a span in seconds), a text or an .npy file; `frames_of` is
    a row of the collection with its frames.
    """

    @property
    def maker(self) -> Maker: ...
    def collect(self) -> Collection: ...
    def embed(
        self,
        *,
        audio: Path | None = None,
        text: str | None = None,
        start: float | None = None,
        end: float | None = None,
        frames: bool = False,
    ) -> Embedding: ...
    def frames_of(self, collection: Collection, row: int) -> Embedding: ...


class EncoderVectors:
    """A manifest's rows as one encoder hears or reads them; what the store lacks is computed.

    source   : the manifest; None: all that the store holds of this encoder, without metadata
    build    : makes the encoder; called once
    store    : opened when it is needed
    max_failed : share of the rows that may fail, which are then left out
    """

    def __init__(
        self,
        source: ManifestSource | None,
        *,
        build: Callable[[], Extractor],
        store: EmbeddingStore,
        run_dir: Path | None = None,
        max_failed: float = MAX_FAILED,
    ) -> None:
        self.source, self.store, self.run_dir, self.max_failed = source, store, run_dir, max_failed
        self.extractor = build()

    @property
    def maker(self) -> Maker:
        extractor = self.extractor
        return Maker(extractor.name, extractor.modality, extractor.dim, extractor.fingerprint)

    def collect(self) -> Collection:
        """Raises InputError where there is nothing, or too much of it failed."""
        if self.source is None:
            return self._whole_store()
        return collection_of(self.fill(self.source), self.extractor.modality, self.store, self.maker)

    def fill(self, source: ManifestSource) -> Extracted:
        """Compute what the store lacks of a manifest. Raises InputError where too much of it failed."""
        return source.extract(
            extractors={self.extractor.modality: lambda: self.extractor},
            store=lambda: self.store,
            run_dir=self.run_dir,
            max_failed=self.max_failed,
        )

    def _whole_store(self) -> Collection:
        parts = list(self.store.scan(self.extractor.fingerprint))
        if not parts:
            there = ", ".join(f"{table.name} ({table.rows:,})" for table in self.store.tables()) or "nothing"
            raise InputError(
                f"the store {self.store.path} has no vectors of {self.extractor.name}",
                hint=f"It has {there}. Fill it: emofuse extract data.path=…, or name a manifest: data.path=….",
            )
        keys = tuple(key for part, _ in parts for key in part)
        vectors = np.concatenate([vectors for _, vectors in parts])
        return Collection(keys, vectors, pd.DataFrame(index=range(len(keys))), self.maker, keys)

    def embed(
        self,
        *,
        audio: Path | None = None,
        text: str | None = None,
        start: float | None = None,
        end: float | None = None,
        frames: bool = False,
    ) -> Embedding:
        """One clip that need not be in the manifest. Raises InputError for a silent or unreadable clip, or one that this
        encoder has no sense for."""
        if audio is not None and audio.suffix == ARRAY:
            model = short_name(str(self.extractor.describe().get("model") or self.extractor.name))
            return array_embedding(audio, self.maker.dim, model=model, made_by=self.extractor.fingerprint)
        if self.extractor.modality == "text":
            if not (text or "").strip():
                raise InputError(f"{self.extractor.name} reads text; there is none to read")
            return self.extractor.extract([text], frames=frames)[0]
        if audio is None:
            raise InputError(
                f"{self.extractor.name} hears; expected an audio file, got a text",
                hint="Search texts with modality=text.",
            )
        return self.extractor.extract([audible(audio, start, end)], frames=frames)[0]

    def frames_of(self, collection: Collection, row: int) -> Embedding:
        """As the store keeps them, or computed. InputError where it keeps none and the clip is not known."""
        key = collection.keys[row] if collection.keys else None
        if key is not None and self.store.has([key], frames=True)[0]:
            [frames] = self.store.read_frames([key])
            return Embedding(collection.vectors[row], frames)
        audio, text, start, end = (collection.column(name)[row] for name in ("audio", "text", "start", "end"))
        if (text if self.maker.modality == "text" else audio) is None:
            raise InputError(
                f"{collection.ids[row]}: the store keeps no frames of it, and without a manifest nobody knows the clip",
                hint="Give data.path=…, or keep frames: emofuse extract granularity=frame.",
            )
        return self.embed(
            audio=None if audio is None or self.maker.modality == "text" else Path(audio),
            text=text,
            start=start,
            end=end,
            frames=True,
        )


class BundleVectors:
    """Fused embeddings of a trained bundle: what its head makes of speech and text together, before the last layer."""

    def __init__(
        self, source: ManifestSource | None, *, predictor: Predictor, store: EmbeddingStore, name: str
    ) -> None:
        self.source, self.predictor, self.store, self.name = source, predictor, store, name
        self._maker: Maker | None = None

    @property
    def maker(self) -> Maker:
        if self._maker is None:
            dim = self.predictor.embedding_dim
            self._maker = Maker(f"fused by {self.name}", "fused", dim, self.predictor.fingerprint)
        return self._maker

    @property
    def manifest(self) -> ManifestSource:
        """Of the rows. InputError where there is none, and only single clips can be embedded."""
        if self.source is None:
            raise InputError("a bundle's embeddings need clips", hint="Give data.path=clips.csv.")
        return self.source

    def collect(self) -> Collection:
        """Rows that nothing could be used of are left out, and the log says so."""
        frame = self.manifest.read(check_audio=False)
        vectors, present = self.predictor.embed_clips(clips_of(frame), self.store)
        rows = np.flatnonzero(present)
        if len(rows) < len(frame):
            log.warning(
                "%d of %d rows have nothing that the bundle can use: left out", len(frame) - len(rows), len(frame)
            )
        if not len(rows):
            raise InputError("no row has anything that the bundle can use")
        kept = frame.iloc[rows]
        check_unique(kept["id"].tolist())
        return Collection(tuple(kept["id"]), vectors[rows], metadata_of(kept), self.maker)

    def embed(
        self,
        *,
        audio: Path | None = None,
        text: str | None = None,
        start: float | None = None,
        end: float | None = None,
        frames: bool = False,
    ) -> Embedding:
        """One clip, its words, or both. The bundle's embedding has no frames."""
        if frames:
            raise InputError("a bundle's fused embedding is of a whole clip; it has no frames")
        if audio is not None and audio.suffix == ARRAY:
            return array_embedding(audio, self.maker.dim, model=self.name)
        samples = None if audio is None else audible(audio, start, end)
        return Embedding(self.predictor.embed(samples, text))

    def frames_of(self, collection: Collection, row: int) -> Embedding:
        """There are none."""
        return self.embed(frames=True)


def collection_of(found: Extracted, modality: Modality, store: EmbeddingStore, maker: Maker) -> Collection:
    """What `ManifestSource.extract` put into the store, with the manifest's columns. Failed rows are left out."""
    if modality not in found.done:
        raise InputError(f"no row of the manifest has {modality}")
    summary = found.done[modality][1]
    rows = [row for row, key in enumerate(summary.keys) if key is not None]
    keys = tuple(key for key in summary.keys if key is not None)
    if not rows:
        raise InputError(f"no row has any {modality} that could be used")
    if len(rows) < len(found.frame):
        log.warning("%d of %d rows have no %s: left out", len(found.frame) - len(rows), len(found.frame), modality)
    frame = found.frame.iloc[rows]
    check_unique(frame["id"].tolist())
    vectors = store.read_vectors(keys)
    labels = next(table.labels for table in store.tables() if table.fingerprint == maker.fingerprint)
    scores = store.read_scores(keys, classes=len(labels)) if labels else None
    return Collection(tuple(frame["id"]), vectors, metadata_of(frame), maker, keys, scores, labels)


def check_heard(audio: str | None, start: float | None, end: float | None) -> None:
    """Raise InputError where a row that is asked about is silent; a file that is gone has nothing to say against it."""
    if audio is not None and Path(audio).is_file():
        audible(Path(audio), start, end)


def audible(path: Path, start: float | None = None, end: float | None = None) -> Float32:
    """(samples,) float32 at 16 kHz. InputError where nobody spoke: a silent clip has a vector, and it means nothing."""
    samples = load_audio(path, start, end)
    if np.abs(samples).max() < SILENT:
        raise InputError(f"{path} is silent (peak below −60 dB of full scale): there is nothing to compare")
    return samples
