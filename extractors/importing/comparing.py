"""Vectors that should be the same: of one content, here and in the store, here and computed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from extractors.audio import load_audio
from extractors.importing.arrays import read_embedding
from extractors.importing.plan import Item
from extractors.store import EmbeddingStore
from extractors.types import Clip, Extractor, Float32

TOLERANCE = 1e-3  # absolute and relative: two encodings of one content by one model are closer, two models never
COMPARED_AT_ONCE = 4096


def one_for_each_key(items: list[Item], clips: Sequence[Clip], problems: list[str]) -> list[Item]:
    """Files of one content (copies under several names) must say the same; the first is kept."""
    kept: dict[str, Item] = {}
    for item in items:
        first = kept.setdefault(item.key, item)
        if first is not item and (gap := _gap(_vector(first), _vector(item))):
            both = f"{first.vector.path.name} and {item.vector.path.name}"
            same = f"clips {clips[first.clip].id!r} and {clips[item.clip].id!r} are the same audio"
            problems.append(f"{both}: {same}, but the vectors differ by up to {gap:.3g}")
    return list(kept.values())


def other_numbers(items: Sequence[Item], clips: Sequence[Clip], store: EmbeddingStore) -> list[str]:
    """The store keeps what it has; so what it has must be what comes."""
    there = [item for item, known in zip(items, store.has([item.key for item in items]), strict=True) if known]
    problems = []
    for first in range(0, len(there), COMPARED_AT_ONCE):
        part = there[first : first + COMPARED_AT_ONCE]
        for item, stored in zip(part, store.read_vectors([item.key for item in part]), strict=True):
            if gap := _gap(stored, _vector(item)):
                problems.append(
                    f"{item.vector.path.name}: the store has another vector of clip {clips[item.clip].id!r}, different "
                    f"by up to {gap:.3g}; origin=… keeps two imports apart"
                )
    return problems


def recomputed(items: Sequence[Item], clips: Sequence[Clip], extractor: Extractor, number: int) -> list[str]:
    """Compute some of the clips here, spread over the folder, and compare."""
    if not number or not items:
        return []
    places = sorted({round(place) for place in np.linspace(0, len(items) - 1, number)})
    problems = []
    for item in (items[place] for place in places):
        clip = clips[item.clip]
        assert clip.audio is not None  # it was matched
        computed = extractor.extract([load_audio(clip.audio, clip.start, clip.end)])[0].vector
        if gap := _gap(computed, _vector(item)):
            problems.append(
                f"{item.vector.path.name}: {extractor.name} gives another vector of clip {clip.id!r} here, different by up "
                f"to {gap:.3g}: not the same weights and settings"
            )
    return problems


def _vector(item: Item) -> Float32:
    return read_embedding(item.vector.path).vector


def _gap(one: Float32, other: Float32) -> float:
    """The largest difference, 0 where it is within the tolerance."""
    return 0.0 if np.allclose(one, other, rtol=TOLERANCE, atol=TOLERANCE) else float(np.abs(one - other).max())
