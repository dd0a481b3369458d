"""Vectors as they come to logits: what is trained, saved in a bundle and used for prediction."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from fusion.heads.base import Head, HeadOutput
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
        self.standardizers = nn.ModuleDict({modality: Standardizer(dim=dim) for modality, dim in head.dims.items()})
        self.head = head

    @property
    def modalities(self) -> tuple[str, ...]:
        return self.head.modalities

    def fit_standardizers(self, table: FeatureTable, index: NDArray[np.int64]) -> None:
        """Learn each modality's mean and scale from the training rows `index` in which it is present."""
        for modality, standardizer in self.standardizers.items():
            assert isinstance(standardizer, Standardizer)
            standardizer.fit(table.features[modality], index[table.present[modality][index]])  # type: ignore[index]

    def forward(self, features: Mapping[str, Tensor], present: Mapping[str, Tensor]) -> HeadOutput:
        """`features[m]` (batch, dim) float, `present[m]` (batch,) bool. Other modalities than the head's are ignored."""
        return self.head(
            {m: standardize(features[m]) for m, standardize in self.standardizers.items() if m in features}, present
        )
