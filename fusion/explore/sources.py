"""Where vectors come from: an encoder and its store, a bundle's fused embeddings, or files that others wrote.

Each source collects rows and embeds a query, both by the same maker, so that the two may be compared.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import pandas as pd

from extractors.audio import load_audio
from extractors.errors import InputError
from extractors.fingerprint import fingerprint
from extractors.importing.arrays import ArrayError, check_array, read_embedding
from extractors.importing.found import find_vectors
from extractors.importing.vectors import short_name
from extractors.store import EmbeddingStore
from extractors.types import Embedding, Extractor, Float32, Modality
from fusion.data.manifest import clips_of
from fusion.data.sources import Extracted, ManifestSource
from fusion.explore.collection import Collection, Maker, check_unique
from fusion.predictor import Predictor

log = logging.getLogger(__name__)

SILENT = 10 ** (-60 / 20)  # peak, of full scale: below −60 dB nobody spoke
ARRAY = ".npy"


class VectorSource(Protocol):
    """Rows to compare, and queries to compare with them.

    `maker` is what made both. `embed` takes an audio file (with a span in seconds), a text or an .npy file.
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


class EncoderVectors:
    """A manifest's rows as one encoder hears or reads them; what the store lacks is computed.

    source   : the manifest; None: all that the store holds of this encoder, without metadata
    build    : makes the encoder; called once
    store    : opened when it is needed
    """

    def __init__(
        self,
        source: ManifestSource | None,
        *,
        build: Callable[[], Extractor],
        store: EmbeddingStore,
        run_dir: Path | None = None,
    ) -> None:
        self.source, self.store, self.run_dir = source, store, run_dir
        self.extractor = build()

    @property
    def maker(self) -> Maker:
        extractor = self.extractor
        return Maker(extractor.name, extractor.modality, extractor.dim, extractor.fingerprint)

    def collect(self) -> Collection:
        """Raises InputError where there is nothing, or too much of it failed."""
        if self.source is None:
            return self._whole_store()
        found = self.source.extract(
            extractors={self.extractor.modality: lambda: self.extractor}, store=lambda: self.store, run_dir=self.run_dir
        )
        return collection_of(found, self.extractor.modality, self.store, self.maker)

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
            return array_embedding(audio, self.maker.dim)
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


class BundleVectors:
    """Fused embeddings of a trained bundle: what its head makes of speech and text together, before the last layer."""

    def __init__(self, source: ManifestSource, *, predictor: Predictor, store: EmbeddingStore, name: str) -> None:
        self.source, self.predictor, self.store, self.name = source, predictor, store, name
        self._maker: Maker | None = None

    @property
    def maker(self) -> Maker:
        if self._maker is None:
            dim = self.predictor.embedding_dim
            self._maker = Maker(f"fused by {self.name}", "fused", dim, self.predictor.fingerprint)
        return self._maker

    def collect(self) -> Collection:
        """Rows that nothing could be used of are left out, and the log says so."""
        frame = self.source.read(check_audio=False)
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
            return array_embedding(audio, self.maker.dim)
        samples = None if audio is None else audible(audio, start, end)
        return Embedding(self.predictor.embed(samples, text))


class FileVectors:
    """Vectors in .npy files, as FunASR, the WebUI and `export=` write them; read safely, a file at a time.

    folder   : as `emofuse import` reads it
    model    : the model that they are said to be of; vectors of another are never compared with them
    dim      : width; None: that of the first file
    metadata : rows with a column `id`; None: what the folder itself says
    """

    def __init__(
        self, folder: Path, *, model: str, dim: int | None = None, metadata: pd.DataFrame | None = None
    ) -> None:
        self.folder, self.model, self.metadata = folder, short_name(model), metadata
        found, problems = find_vectors(folder)
        if problems:
            raise InputError(f"{folder}: cannot be read", problems)
        self.found = found
        self.dim = dim or _width(found[0].path)

    @property
    def maker(self) -> Maker:
        return Maker(self.model, "speech", self.dim, fingerprint({"files": True, "model": self.model, "dim": self.dim}))

    def collect(self) -> Collection:
        """All problems of all files together, as an InputError; only the vectors are held, never the frames."""
        vectors = np.empty((len(self.found), self.dim), np.float32)
        problems = []
        for row, found in enumerate(self.found):
            if other := _other_model(found.result, self.model):
                problems.append(f"{found.path.name}: is of {other}, not of {self.model}")
                continue
            try:
                check_array(found.path, self.dim)
                vectors[row] = read_embedding(found.path).vector
            except ArrayError as error:
                problems.append(f"{found.path.name}: {error}")
        if problems:
            raise InputError(
                f"{self.folder}: {len(problems)} of {len(self.found)} files cannot be used",
                problems,
                hint="Expected float arrays of one model: (dim,), (1, dim) or (frames, dim).",
            )
        ids = [found.names[0] for found in self.found]
        check_unique(ids)
        return Collection(tuple(ids), vectors, self._metadata(ids), self.maker)

    def _metadata(self, ids: Sequence[str]) -> pd.DataFrame:
        if self.metadata is not None:
            known = self.metadata.set_index("id")
            if strangers := [id for id in ids if id not in known.index]:
                raise InputError(f"{len(strangers)} files are of no row of the manifest", strangers)
            return metadata_of(known.loc[list(ids)].reset_index())
        audio = [None if found.audio is None else str(found.audio) for found in self.found]
        return pd.DataFrame({"id": list(ids), "audio": audio}, dtype=object)

    def embed(
        self,
        *,
        audio: Path | None = None,
        text: str | None = None,
        start: float | None = None,
        end: float | None = None,
        frames: bool = False,
    ) -> Embedding:
        """An .npy file of the same model; there is no encoder here to hear anything else."""
        if audio is None or audio.suffix != ARRAY:
            raise InputError(f"expected an {ARRAY} file: these vectors came as files, without their encoder")
        return array_embedding(audio, self.dim)


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


def metadata_of(frame: pd.DataFrame) -> pd.DataFrame:
    """A manifest's columns as plain objects, None where they are missing."""
    columns: Mapping[str, pd.Series] = {
        str(name): values.astype(object).where(values.notna(), None) for name, values in frame.items()
    }
    return pd.DataFrame(columns).reset_index(drop=True)


def audible(path: Path, start: float | None = None, end: float | None = None) -> Float32:
    """(samples,) float32 at 16 kHz. InputError where nobody spoke: a silent clip has a vector, and it means nothing."""
    samples = load_audio(path, start, end)
    if np.abs(samples).max() < SILENT:
        raise InputError(f"{path} is silent (peak below −60 dB of full scale): there is nothing to compare")
    return samples


def array_embedding(path: Path, dim: int) -> Embedding:
    """An .npy file of (dim,), (1, dim) or (frames, dim). InputError, with the reason, for anything else."""
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    try:
        check_array(path, dim)
        return read_embedding(path)
    except ArrayError as error:
        raise InputError(f"{path}: {error}") from error


def _width(path: Path) -> int:
    try:
        return int(np.lib.format.open_memmap(path, mode="r").shape[-1])
    except Exception as error:  # a damaged header fails in many ways
        raise InputError(f"{path} is no .npy file of numbers: {' '.join(str(error).split())[:200]}") from None


def _other_model(result: Mapping[str, object], model: str) -> str | None:
    """The model that a file is said to be of, where that is another."""
    said = result.get("model")
    return short_name(said) if isinstance(said, str) and short_name(said) != model else None
