"""The common front of the heads of pooled vectors: every modality to one width, the absent ones silenced."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from fusion.heads.base import check_features


class Projections(nn.Module):
    """(batch, dim) of each modality -> (batch, modalities, width), zero where a modality is absent.

    Each modality has a block of its own: Linear, LayerNorm, GELU, Dropout. LayerNorm, never BatchNorm: a row's
    output must not depend on its batch mates. Nothing is padded to make widths agree.

    What an absent row holds is replaced before the first product and its output after the last, both by
    `torch.where`: multiplying by a mask would keep a NaN and its gradient alive.

    >>> project = Projections(dims={"speech": 4, "text": 3}, width=8, dropout=0.0)
    >>> features = {"speech": torch.full((2, 4), torch.nan), "text": torch.ones(2, 3)}
    >>> present = {"speech": torch.tensor([False, False]), "text": torch.tensor([True, False])}
    >>> hidden, mask = project(features, present)
    >>> hidden.shape, mask.tolist(), hidden.isfinite().all().item()
    (torch.Size([2, 2, 8]), [[False, True], [False, False]], True)
    """

    def __init__(self, *, dims: Mapping[str, int], width: int, dropout: float) -> None:
        super().__init__()
        self.dims = dict(dims)
        self.blocks = nn.ModuleDict(
            {
                modality: nn.Sequential(nn.Linear(dim, width), nn.LayerNorm(width), nn.GELU(), nn.Dropout(dropout))
                for modality, dim in self.dims.items()
            }
        )

    def forward(self, features: Mapping[str, Tensor], present: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Returns hidden (batch, modalities, width) float and mask (batch, modalities) bool, in the order of `dims`."""
        check_features(features, self.dims)
        mask = torch.stack([present[modality] for modality in self.dims], dim=1)  # (batch, modalities)
        hidden = []
        for column, (modality, block) in enumerate(self.blocks.items()):
            here = mask[:, column, None]  # (batch, 1)
            hidden.append(block(torch.where(here, features[modality], 0.0)))  # (batch, width)
        return torch.where(mask[:, :, None], torch.stack(hidden, dim=1), 0.0), mask
