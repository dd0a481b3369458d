"""Vectors to search: drawn, as no archive of real ones may be shared, to have what those have.

`clustered`: a mean that all share and that makes any two raw cosines high; 9 emotions (a fifth of the variance) and
5,000 speakers (three tenths), the rest of each clip alone; all of it in few directions: variance of the i-th ∝ 1/i, turned
at random. `isotropic`: no structure at all.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from extractors.types import Float32
from fusion.explore.collection import Maker
from fusion.explore.search.streams import Listing, Places

DIM = 1024
AT_ONCE = 20_000  # rows
EMOTIONS, SPEAKERS = 9, 5_000
SHARES = {"emotion": 0.2, "speaker": 0.3, "clip": 0.5}  # of the variance
SHARED = 4.0  # length of the mean, in standard deviations of a whole vector


class Drawn:
    """Rows of one kind, a part at a time, with an emotion and a speaker each."""

    def __init__(self, kind: str) -> None:
        random = np.random.default_rng(0)
        self.kind = kind
        spectrum = np.arange(1, DIM + 1) ** -0.5
        self.spread = (spectrum / np.linalg.norm(spectrum)).astype(np.float32)
        self.turn = np.linalg.qr(random.standard_normal((DIM, DIM)))[0].astype(np.float32)
        mean = random.standard_normal(DIM)
        self.mean = (SHARED * mean / np.linalg.norm(mean)).astype(np.float32)
        self.emotions, self.speakers = (
            random.standard_normal((count, DIM), dtype=np.float32) for count in (EMOTIONS, SPEAKERS)
        )

    def rows(self, count: int, random: np.random.Generator) -> tuple[Float32, NDArray[Any], NDArray[Any]]:
        """(count, DIM) vectors, (count,) emotions and speakers."""
        emotion, speaker = random.integers(EMOTIONS, size=count), random.integers(SPEAKERS, size=count)
        vectors = random.standard_normal((count, DIM), dtype=np.float32)
        if self.kind == "isotropic":
            return vectors, emotion, speaker
        vectors *= SHARES["clip"] ** 0.5
        vectors += SHARES["emotion"] ** 0.5 * self.emotions[emotion]
        vectors += SHARES["speaker"] ** 0.5 * self.speakers[speaker]
        return (vectors * self.spread) @ self.turn + self.mean, emotion, speaker


class DrawnStream:
    """The file of vectors as a source for an index; read, not mapped, so that memory counts what is held."""

    name, source = "drawn", None

    def __init__(self, folder: Path, rows: int) -> None:
        self.folder, self.rows, self.maker = folder, rows, Maker("drawn", "speech", DIM, "drawn")

    def count(self) -> int:
        return self.rows

    def state(self) -> str:
        return str(self.rows)

    def listing(self) -> Listing:
        known = np.load(self.folder / "known.npy")
        metadata = pd.DataFrame({"label": [f"e{e}" for e, _ in known], "speaker": [f"s{s}" for _, s in known]})
        ids = names(np.arange(self.rows))
        return Listing(ids, ids, metadata)

    def vectors(self, listing: Listing, rows: Places) -> Iterator[tuple[Places, Float32]]:
        for first, part in parts(self.folder, self.rows):
            here = rows[np.searchsorted(rows, first) : np.searchsorted(rows, first + len(part))]
            if len(here):
                yield here, part[here - first]


def names(rows: NDArray[Any]) -> list[str]:
    """Ids of rows."""
    return [f"clip-{row:07d}" for row in rows]


def parts(folder: Path, rows: int) -> Iterator[tuple[int, Float32]]:
    """The raw vectors, some thousands at a time."""
    with (folder / "vectors.f32").open("rb") as file:
        for first in range(0, rows, AT_ONCE):
            count = min(AT_ONCE, rows - first)
            yield first, np.fromfile(file, np.float32, count * DIM).reshape(count, DIM)
