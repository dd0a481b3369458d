"""How unusual a similarity is in a collection: its percentile among random pairs, and among pairs of one label."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from extractors.errors import InputError
from fusion.explore.collection import Collection
from fusion.explore.similar.contents import Contents
from fusion.explore.similar.reference import PAIRS, Reference, reference
from fusion.explore.space import Space


@dataclass(frozen=True)
class Percentiles:
    """The references of one collection in one space.

    random     : pairs of any two clips
    same_label : pairs of two clips of one label, whichever; None where there are no labels
    by_label   : label -> pairs of two clips of that label; only labels that have such pairs
    seed       : of the draws
    contents   : which clips hold the same; their pairs are in none of these

    >>> import pandas as pd
    >>> from fusion.explore.collection import Maker
    >>> rng = np.random.default_rng(0)
    >>> vectors = (5 + rng.normal(size=(40, 8)) + 2 * np.repeat(np.eye(2, 8), 20, axis=0)).astype(np.float32)
    >>> labels = pd.DataFrame({"label": ["sad"] * 20 + ["glad"] * 20})
    >>> clips = Collection(tuple(map(str, range(40))), vectors, labels, Maker("m", "speech", 8, "f"))
    >>> percentiles = Percentiles.of(clips, Space.fit(vectors, fingerprint="f"))
    >>> len(percentiles.random), sorted(percentiles.by_label), percentiles.of_random(1.0)
    (780, ['glad', 'sad'], 100.0)
    >>> percentiles.same_label.quantile(0.5) > percentiles.random.quantile(0.5)
    True
    """

    random: Reference
    same_label: Reference | None = None
    by_label: Mapping[str, Reference] = field(default_factory=dict)
    seed: int = 0
    contents: Contents | None = None

    @classmethod
    def of(cls, collection: Collection, space: Space, *, pairs: int = PAIRS, seed: int = 0) -> Percentiles:
        """`pairs`: at most so many, and a fifth of that for each label; the same ones for the same collection and seed.

        Raises InputError where `pairs` is no count, or no two clips differ: then nothing is unusual.
        """
        if isinstance(pairs, bool) or not isinstance(pairs, int) or pairs < 1:
            raise InputError(f"pairs: expected how many to draw, at least 1, got {pairs!r}")
        contents = Contents(collection)
        options: dict[str, Any] = {"contents": contents, "pairs": pairs}
        everyone = reference(
            "random pairs", [np.arange(len(collection))], collection.vectors, space, **options, seed=seed
        )
        if not len(everyone):
            raise InputError(
                f"a percentile needs pairs of different clips to compare with; there are {len(collection)} clips"
                + (", all of the same content" if len(collection) > 1 else ""),
                hint="Name more clips (data.path=, vectors=).",
            )
        labels = np.array([label or "" for label in collection.column("label")], dtype=object)
        names = sorted({label for label in labels if label})
        rows = [np.flatnonzero(labels == name) for name in names]
        by_label = {
            name: found
            for number, (name, group) in enumerate(zip(names, rows, strict=True), start=1)
            if len(group) > 1
            # a seed of its own: drawn by one seed, the same places of every label would be taken
            and len(
                found := reference(
                    f"pairs of {name}",
                    [group],
                    collection.vectors,
                    space,
                    contents=contents,
                    pairs=max(1, pairs // 5),
                    seed=seed + number,
                )
            )
        }
        together = None
        if by_label:
            together = reference("pairs of one label", rows, collection.vectors, space, **options, seed=seed)
        return cls(everyone, together, by_label, seed, contents)

    def of_random(self, value: float) -> float:
        """Percentile of a cosine among random pairs, 0 to 100."""
        return self.random.percentile(value)

    @property
    def all(self) -> list[Reference]:
        """Random pairs first, then pairs of one label, then each label's."""
        return [self.random, *([] if self.same_label is None else [self.same_label]), *self.by_label.values()]
