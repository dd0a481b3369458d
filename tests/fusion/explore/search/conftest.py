"""Clips in a store and around it, as a small encoder of letters reads them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from extractors.keys import text_hash
from extractors.store import EmbeddingStore
from extractors.types import Embedding, Float32
from fusion.data.sources import ManifestSource
from fusion.explore.collection import Collection, Maker
from fusion.explore.search.index import VectorIndex
from fusion.explore.search.streams import Listing, Places
from fusion.explore.sources import EncoderVectors

DIM = 20  # no multiple of eight


class Letters:
    """Reads a text as how often each of 20 letters is in it."""

    modality, frame_rate = "text", None

    def __init__(self, name: str = "letters") -> None:
        self.name, self.dim, self.fingerprint = name, DIM, f"{name}-1"

    def describe(self) -> dict[str, Any]:
        return {"name": self.name}

    def extract(self, clips: Sequence[str], *, frames: bool = False) -> list[Embedding]:
        alphabet = "abcdefghijklmnoprstu"
        return [Embedding(np.array([text.lower().count(letter) for letter in alphabet], np.float32)) for text in clips]


class Drawn:
    """A stream of vectors in memory, counted as they are read."""

    name, source = "drawn", None

    def __init__(self, vectors: Float32, metadata: pd.DataFrame, *, maker: Maker | None = None) -> None:
        self.rows, self.metadata = vectors, metadata
        self.maker = maker or Maker("drawn", "speech", vectors.shape[1], "drawn-1")
        self.ids = [f"clip-{row}" for row in range(len(vectors))]
        self.read = 0

    def count(self) -> int:
        return len(self.rows)

    def state(self) -> str:
        return f"{len(self.rows)} {pd.util.hash_pandas_object(self.metadata.astype(str)).sum()}"

    def listing(self) -> Listing:
        return Listing(self.ids, self.ids, self.metadata)

    def vectors(self, listing: Listing, rows: Places):
        for first in range(0, len(rows), 1000):
            part = rows[first : first + 1000]
            self.read += len(part)
            yield part, self.rows[part]


def known(rows: int, seed: int = 0) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "audio": [f"/calls/{row}.wav" for row in range(rows)],
            "text": [f"call number {row} about {'money' if row % 100 == 7 else 'music'}" for row in range(rows)],
            "label": random.choice(["angry", "sad", "calm"], rows),
            "speaker": [f"s{row % 1500}" for row in range(rows)],
            "start": np.arange(rows) / 2,
            "end": np.arange(rows) / 2 + 1.5,
        }
    ).astype({"audio": object, "text": object, "label": object, "speaker": object})


def clustered(rows: int, dim: int = DIM, seed: int = 0) -> Float32:
    random = np.random.default_rng(seed)
    centres = random.normal(size=(40, dim))
    return (5 + centres[random.integers(40, size=rows)] + 0.6 * random.normal(size=(rows, dim))).astype(np.float32)


@pytest.fixture
def drawn() -> Callable[..., Drawn]:
    def make(rows: int, *, dim: int = DIM, seed: int = 0, maker: Maker | None = None) -> Drawn:
        return Drawn(clustered(rows, dim, seed), known(rows, seed), maker=maker)

    return make


@pytest.fixture
def clips() -> Collection:
    """Two hundred clips with all that a manifest says."""
    maker = Maker("drawn", "speech", DIM, "drawn-1")
    return Collection(tuple(f"clip-{row}" for row in range(200)), clustered(200), known(200), maker)


@pytest.fixture
def store(tmp_path: Path) -> EmbeddingStore:
    return EmbeddingStore(tmp_path / "store")


@pytest.fixture
def letters() -> Letters:
    return Letters()


@pytest.fixture
def sentences(tmp_path: Path, store: EmbeddingStore, letters: Letters) -> EncoderVectors:
    """A manifest of eight sentences."""
    said = [
        ("refund", "I want my money back", "angry", "anna"),
        ("again", "I want my money back now", "angry", "bob"),
        ("music", "Play me some music", "calm", "anna"),
        ("song", "Play me a song", "calm", "bob"),
        ("weather", "How is the weather today", "calm", "anna"),
        ("hold", "I have been on hold for an hour", "angry", "anna"),
        ("bye", "Goodbye and thank you", "glad", "bob"),
        ("german", "Ich möchte mein Geld zurück", "angry", "anna"),
    ]
    path = tmp_path / "said.csv"
    pd.DataFrame(said, columns=["id", "text", "label", "speaker"]).to_csv(path, index=False)
    source = ManifestSource(path=path, require_label=False)
    return EncoderVectors(source, build=lambda: letters, store=store)


@pytest.fixture
def filled(store: EmbeddingStore) -> Callable[[Letters, Sequence[str]], list[str]]:
    """Put texts into the store without a manifest; their keys."""

    def fill(encoder: Letters, texts: Sequence[str]) -> list[str]:
        keys = [store.key(text_hash(text), None, None, encoder.fingerprint) for text in texts]
        store.put(encoder, keys, encoder.extract(texts))
        return keys

    return fill


@pytest.fixture(scope="session")
def large(tmp_path_factory: pytest.TempPathFactory) -> tuple[VectorIndex, Drawn, Float32]:
    """A trained index of thirty thousand clips, which no test changes; its stream and its exact unit vectors."""
    folder = tmp_path_factory.mktemp("large")
    stream = Drawn(clustered(30_000, 64), known(30_000))
    index = VectorIndex.build(folder / "indexes" / "x", stream, space="centred", store=folder)
    return index, stream, index.space.transform(stream.rows)
