"""Concatenation: the baseline that every other head has to beat."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from fusion.heads.base import Head, HeadOutput
from fusion.heads.masking import shares
from fusion.heads.projection import Projections


class ConcatHead(Head):
    """One hidden layer over the projected modalities side by side; an absent one is a block of zeros.

    The layer is linear before its GELU, so what it says splits exactly into a part from each modality,
    W [h_1; …; h_n] = W_1 h_1 + … + W_n h_n. `weights` are the shares of the lengths |W_m h_m|: a description of
    this row, not a Shapley value.

    Args:
        dims: modality -> width of its vectors.
        num_classes: how many labels.
        width: of the projections and of the hidden layer.
        dropout: after each projection and after the hidden layer.

    >>> head = ConcatHead(dims={"speech": 6, "text": 4}, num_classes=3).eval()
    >>> out = head({"speech": torch.ones(2, 6), "text": torch.ones(2, 4)},
    ...            {"speech": torch.tensor([True, True]), "text": torch.tensor([True, False])})
    >>> out.logits.shape, out.embedding.shape, out.weights[1].tolist()
    (torch.Size([2, 3]), torch.Size([2, 128]), [1.0, 0.0])
    """

    def __init__(self, *, dims: Mapping[str, int], num_classes: int, width: int = 128, dropout: float = 0.5) -> None:
        super().__init__(dims=dims, num_classes=num_classes)
        self.project = Projections(dims=dims, width=width, dropout=dropout)
        self.mix = nn.Linear(len(self.dims) * width, width)
        self.activate = nn.Sequential(nn.GELU(), nn.Dropout(dropout))
        self.classify = nn.Linear(width, num_classes)

    def forward(self, features: Mapping[str, Tensor], present: Mapping[str, Tensor]) -> HeadOutput:
        hidden, mask = self.project(features, present)  # (batch, modalities, width)
        blocks = self.mix.weight.unflatten(1, hidden.shape[1:])  # (width, modalities, width)
        parts = torch.einsum("bmi,omi->bmo", hidden, blocks)  # (batch, modalities, width)
        embedding = self.activate(parts.sum(dim=1) + self.mix.bias)  # (batch, width)
        weights = shares(parts.detach().norm(dim=2), mask)
        return HeadOutput(self.classify(embedding), embedding, weights)
