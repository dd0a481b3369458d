"""Features in memory: what every head, split and evaluation sees, wherever the vectors came from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from extractors.types import Modality

if TYPE_CHECKING:
    from fusion.data.sequences import SequenceReader

Index = NDArray[np.int64]


@dataclass(frozen=True)
class FeatureTable:
    """Rows of embeddings with their labels. All arrays share the order of the rows.

    features : modality -> (rows, dim) float32; an absent row holds zeros, which nothing may read
    present  : modality -> (rows,) bool
    targets  : (rows,) int64, indices into `labels`; -1 where the row has no label
    labels   : the ordered list of class names, decided once and used everywhere
    sequences: modality -> its frames or tokens, read when they are needed; empty unless they were extracted
    soft     : (rows, classes) float32, of each row a distribution over `labels` whose largest share is the row's
               target, zeros where the row has no label; None where no label of the table is divided
    rows     : DataFrame with the columns `id, speaker, text, group, split, content` (str or None each;
               `content` is a hash of the audio span) and whatever else the user's table carried
    """

    features: dict[Modality, NDArray[np.float32]]
    present: dict[Modality, NDArray[np.bool_]]
    targets: Index
    labels: tuple[str, ...]
    rows: pd.DataFrame
    encoders: dict[Modality, dict] = field(default_factory=dict)  # "fingerprint" and "describe" of each extractor
    soft: NDArray[np.float32] | None = None
    sequences: dict[Modality, SequenceReader] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.targets)

    @property
    def dims(self) -> dict[Modality, int]:
        """Width of each modality's vectors."""
        return {modality: int(values.shape[1]) for modality, values in self.features.items()}

    def take(self, index: Index) -> FeatureTable:
        """The rows of `index`, in that order."""
        return replace(
            self,
            features={m: values[index] for m, values in self.features.items()},
            present={m: values[index] for m, values in self.present.items()},
            targets=self.targets[index],
            rows=self.rows.iloc[index].reset_index(drop=True),
            soft=None if self.soft is None else self.soft[index],
            sequences={m: reader.take(index) for m, reader in self.sequences.items()},
        )

    def only(self, modalities: Sequence[Modality]) -> FeatureTable:
        """The same rows seen through `modalities` alone. Rows with none of them stay, marked as absent."""
        return replace(
            self,
            features={m: self.features[m] for m in modalities},
            present={m: self.present[m] for m in modalities},
            sequences={m: self.sequences[m] for m in modalities if m in self.sequences},
        )
