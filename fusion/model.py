"""Vectors as they come to logits: what is trained, saved in a bundle and used for prediction."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from fusion.heads.base import Head, HeadOutput, Sequences, check_lengths
from fusion.standardize import Standardizer

if TYPE_CHECKING:
    from fusion.data.table import FeatureTable


class FusionModel(nn.Module):
    """A head behind one standardizer for each of its modalities, in one state dict. Needs no Lightning.

    >>> import torch
    >>> from fusion.heads.gated import GatedHead
    >>> model = FusionModel(GatedHead(dims={"speech": 4}, num_classes=2)).eval()
    >>> model({"speech": torch.ones(3, 4)}, {"speech": torch.ones(3, dtype=torch.bool)}).logits.shape
    torch.Size([3, 2])
    """

    def __init__(self, head: Head) -> None:
        super().__init__()
        dims = head.dims if head.standardize else {}
        self.standardizers = nn.ModuleDict({modality: Standardizer(dim=dim) for modality, dim in dims.items()})
        self.head = head

    @property
    def modalities(self) -> tuple[str, ...]:
        return self.head.modalities

    def fit_standardizers(self, table: FeatureTable, index: NDArray[np.int64]) -> None:
        """Learn each modality's mean and scale from the training rows `index` in which it is present.

        Raises InputError where the head reads sequences and a modality has none of two tokens or more.
        """
        here = {m: index[table.present[m][index]] for m in self.modalities}  # type: ignore[index]
        if self.head.needs_sequences:
            sequences: Mapping[Any, Any] = table.sequences
            check_lengths({m: sequences[m].lengths[rows] for m, rows in here.items()}, self.head.strides)
        for m, standardizer in self.standardizers.items():
            assert isinstance(standardizer, Standardizer)
            if self.head.needs_sequences:
                standardizer.fit_sequences(sequences[m], here[m])
            else:
                standardizer.fit(table.features[m], here[m])  # type: ignore[index]

    def standardize(self, features: Mapping[str, Any]) -> dict[str, Any]:
        """`features` as the head gets them, of its modalities alone."""
        return {m: self._standardized(m, features[m]) for m in self.modalities if m in features}

    def _standardized(self, modality: str, values: Any) -> Any:
        if modality not in self.standardizers:
            return values
        if isinstance(values, Sequences):
            return Sequences(self.standardizers[modality](values.values), values.mask)
        return self.standardizers[modality](values)

    def forward(self, features: Mapping[str, Any], present: Mapping[str, Tensor]) -> HeadOutput:
        """`features[m]` (batch, dim) float, or `Sequences` for a head of them; `present[m]` (batch,) bool.

        Other modalities than the head's are ignored.
        """
        return self.head(self.standardize(features), present)
