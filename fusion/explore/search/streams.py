"""A source's rows a few thousand at a time, for collections whose vectors no memory should hold at once."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from copy import copy
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from extractors.errors import InputError
from extractors.fingerprint import fingerprint
from extractors.store import EmbeddingStore
from extractors.types import Float32
from fusion.data.manifest import clips_of
from fusion.data.sources import ManifestSource
from fusion.explore.collection import Collection, Maker, check_unique
from fusion.explore.search.states import file_state, manifest_state, rows_about
from fusion.explore.sources import BundleVectors, EncoderVectors, FileVectors, VectorSource, metadata_of

ROWS_AT_ONCE = 8192
PICKED = 0.05  # share of a store's rows: above it, reading them all in their order is faster than picking

Places = NDArray[np.int64]
Parts = Iterator[tuple[Places, Float32]]


@dataclass(frozen=True)
class Listing:
    """All of a collection but its vectors, in one order.

    contents : (rows,) what each vector is of, such that another content reads otherwise: store keys, or states of files
    keys     : (rows,) store keys; None outside a store
    """

    ids: Sequence[str]
    contents: Sequence[str]
    metadata: pd.DataFrame
    keys: Sequence[str] | None = None

    def __len__(self) -> int:
        return len(self.ids)


class Stream(Protocol):
    """A source for an index.

    name  : what the collection is called: it tells two indexes of one store apart
    state : changes when the collection may have; cheap to ask. A file whose content changed under its old name is only
            noticed by `listing`
    """

    source: VectorSource

    @property
    def maker(self) -> Maker: ...
    @property
    def name(self) -> str: ...
    def count(self) -> int:
        """How many rows, about, without computing any."""

    def state(self) -> str: ...
    def metadata(self) -> pd.DataFrame:
        """What is known of the rows before anything is embedded, for a filter to be checked against."""

    def listing(self) -> Listing:
        """What there is; embeds what the store lacks."""

    def vectors(self, listing: Listing, rows: Places) -> Parts:
        """The vectors of some rows, a part at a time, in any order; rows that have none are left out."""


def stream_of(source: VectorSource) -> Stream:
    """The stream of what `fusion.explore.opening.open_vectors` gives."""
    if isinstance(source, FileVectors):
        return FileStream(source)
    if isinstance(source, BundleVectors):
        return BundleStream(source)
    if isinstance(source, EncoderVectors):
        return StoreStream(source) if source.source is None else ManifestStream(source, source.source)
    raise TypeError(f"no stream of {type(source).__name__}")


class StoreStream:
    """All that a store has of one encoder. It only ever grows, so that its number of rows is its state."""

    name = "the whole store"

    def __init__(self, source: EncoderVectors) -> None:
        self.source: VectorSource = source
        self.store = source.store

    @property
    def maker(self) -> Maker:
        return self.source.maker

    def count(self) -> int:
        of_maker = (table.rows for table in self.store.tables() if table.fingerprint == self.maker.fingerprint)
        rows = next(of_maker, 0) or 0
        if not rows:
            self.source.collect()  # raises, and says what the store has instead
        return rows

    def state(self) -> str:
        return f"{self.count()} rows"

    def metadata(self) -> pd.DataFrame:
        return pd.DataFrame()

    def listing(self) -> Listing:
        keys = [key for part, _ in self.store.scan(self.maker.fingerprint) for key in part]
        return Listing(keys, keys, pd.DataFrame(index=range(len(keys))), keys)

    def vectors(self, listing: Listing, rows: Places) -> Parts:
        assert listing.keys is not None
        return stored_vectors(self.store, self.maker.fingerprint, listing.keys, rows)


class ManifestStream:
    """A manifest's rows through one encoder; the store holds their vectors."""

    def __init__(self, source: EncoderVectors, manifest: ManifestSource) -> None:
        self.source: VectorSource = source
        self.encoder, self.manifest, self.store = source, manifest, source.store

    @property
    def maker(self) -> Maker:
        return self.source.maker

    @property
    def name(self) -> str:
        return str(self.manifest.path.absolute())

    def count(self) -> int:
        return rows_about(self.manifest.path)

    def state(self) -> str:
        return manifest_state(self.manifest)

    def metadata(self) -> pd.DataFrame:
        return metadata_of(self.manifest.read(check_audio=False))

    def listing(self) -> Listing:
        extractor = self.encoder.extractor
        found = self.encoder.fill(self.manifest)
        if extractor.modality not in found.done:
            raise InputError(f"no row of the manifest has {extractor.modality}")
        every = found.done[extractor.modality][1].keys
        rows = [row for row, key in enumerate(every) if key is not None]
        keys = [key for key in every if key is not None]
        if not keys:
            raise InputError(f"no row has any {extractor.modality} that could be used")
        frame = found.frame.iloc[rows]
        check_unique(frame["id"].tolist())
        return Listing(frame["id"].tolist(), keys, metadata_of(frame), keys)

    def vectors(self, listing: Listing, rows: Places) -> Parts:
        assert listing.keys is not None
        return stored_vectors(self.store, self.maker.fingerprint, listing.keys, rows)


class BundleStream:
    """A manifest's rows as a bundle fuses them. Nothing keeps fused vectors: they are made of what the store holds."""

    def __init__(self, source: BundleVectors) -> None:
        self.source: VectorSource = source
        self.bundle = source

    @property
    def maker(self) -> Maker:
        return self.source.maker

    @property
    def name(self) -> str:
        return str(self.bundle.manifest.path.absolute())

    def count(self) -> int:
        return rows_about(self.bundle.manifest.path)

    def state(self) -> str:
        return manifest_state(self.bundle.manifest)

    def metadata(self) -> pd.DataFrame:
        return metadata_of(self.bundle.manifest.read(check_audio=False))

    def listing(self) -> Listing:
        frame = self.bundle.manifest.read(check_audio=False)
        check_unique(frame["id"].tolist())
        contents = [f"{file_state(clip.audio)}\0{clip.text}\0{clip.start}\0{clip.end}" for clip in clips_of(frame)]
        return Listing(frame["id"].tolist(), contents, metadata_of(frame))

    def vectors(self, listing: Listing, rows: Places) -> Parts:
        frame = listing.metadata.assign(id=list(listing.ids))
        for first in range(0, len(rows), ROWS_AT_ONCE):
            part = rows[first : first + ROWS_AT_ONCE]
            vectors, present = self.bundle.predictor.embed_clips(clips_of(frame.iloc[part]), self.bundle.store)
            yield part[present], vectors[present]


class FileStream:
    """.npy files, read when they are asked for and never all at once."""

    def __init__(self, source: FileVectors) -> None:
        self.source: VectorSource = source
        self.files = source

    @property
    def maker(self) -> Maker:
        return self.source.maker

    @property
    def name(self) -> str:
        return str(self.files.folder.absolute())

    def count(self) -> int:
        return len(self.files.found)

    def state(self) -> str:
        metadata = self.files.metadata
        said = "" if metadata is None else hashlib.blake2b(metadata.to_json().encode(), digest_size=16).hexdigest()
        return fingerprint({"files": [file_state(found.path) for found in self.files.found], "metadata": said})

    def metadata(self) -> pd.DataFrame:
        return self.files._metadata([found.names[0] for found in self.files.found])

    def listing(self) -> Listing:
        ids = [found.names[0] for found in self.files.found]
        check_unique(ids)
        contents = [file_state(found.path) for found in self.files.found]
        return Listing(ids, contents, self.files._metadata(ids))

    def vectors(self, listing: Listing, rows: Places) -> Parts:
        for first in range(0, len(rows), ROWS_AT_ONCE):
            part = rows[first : first + ROWS_AT_ONCE]
            few = copy(self.files)
            few.found = [self.files.found[row] for row in part]
            yield part, few.collect().vectors


def stored_vectors(store: EmbeddingStore, fingerprint: str, keys: Sequence[str], rows: Places) -> Parts:
    """The vectors of the rows whose store keys are `keys`; of a few by their keys, of many in the order of the store."""
    stored = next((table.rows for table in store.tables() if table.fingerprint == fingerprint), 0) or 0
    if len(rows) <= PICKED * stored:
        for first in range(0, len(rows), ROWS_AT_ONCE):
            part = rows[first : first + ROWS_AT_ONCE]
            yield part, store.read_vectors([keys[row] for row in part])
        return
    wanted: dict[str, list[int]] = {}  # two ids may name one content
    for row in rows.tolist():
        wanted.setdefault(keys[row], []).append(row)
    for names, vectors in store.scan(fingerprint, rows=ROWS_AT_ONCE):
        pairs = [(place, row) for place, name in enumerate(names) for row in wanted.get(name, ())]
        if pairs:
            places, found = (np.array(side, dtype=np.int64) for side in zip(*pairs, strict=True))
            yield found, vectors[places]


def sampled(stream: Stream, listing: Listing, rows: int, *, seed: int = 0) -> Collection:
    """At most so many rows of a stream, drawn, as a collection: what statistics are taken from."""
    chosen = np.arange(len(listing))
    if len(chosen) > rows:
        chosen = np.sort(np.random.default_rng(seed).choice(len(chosen), rows, replace=False))
    parts = list(stream.vectors(listing, chosen))
    if not parts:
        raise InputError("no row has a vector")
    places = np.concatenate([places for places, _ in parts])
    vectors = np.concatenate([vectors for _, vectors in parts])
    order = np.argsort(places)
    ids = tuple(listing.ids[row] for row in places[order])
    metadata = listing.metadata.iloc[places[order]].reset_index(drop=True)
    return Collection(ids, vectors[order], metadata, stream.maker)
