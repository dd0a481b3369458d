"""Late fusion: a classifier for each modality, and a vote."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from fusion.heads.base import Head, HeadOutput
from fusion.heads.masking import masked_softmax
from fusion.heads.projection import Projections


class LateHead(Head):
    """Each modality has its own opinion; the answer is their weighted geometric mean, over those present.

    log p = sum_m w_m log p_m + const, a logarithmic opinion pool (Heskes, "Selecting weighting factors in
    logarithmic opinion pools", NIPS 1997). The weights are learnt, one a modality, and renormalised over what is
    present: a row with one modality gets the opinion of that one, undiluted.

    `weights` are those w_m, and `embedding` is the projections' mean under them.

    Args:
        dims: modality -> width of its vectors.
        num_classes: how many labels.
        width: of the projections.
        dropout: after each projection.

    >>> head = LateHead(dims={"speech": 6, "text": 4}, num_classes=3).eval()
    >>> out = head({"speech": torch.ones(2, 6), "text": torch.ones(2, 4)},
    ...            {"speech": torch.tensor([True, True]), "text": torch.tensor([True, False])})
    >>> out.logits.shape, out.weights.tolist()
    (torch.Size([2, 3]), [[0.5, 0.5], [1.0, 0.0]])
    """

    def __init__(self, *, dims: Mapping[str, int], num_classes: int, width: int = 128, dropout: float = 0.5) -> None:
        super().__init__(dims=dims, num_classes=num_classes)
        self.project = Projections(dims=dims, width=width, dropout=dropout)
        self.classify = nn.ModuleList(nn.Linear(width, num_classes) for _ in self.dims)
        # a lone modality needs no weight, and its weight would have no gradient
        self.trust = nn.Parameter(torch.zeros(len(self.dims))) if len(self.dims) > 1 else None

    def forward(self, features: Mapping[str, Tensor], present: Mapping[str, Tensor]) -> HeadOutput:
        hidden, mask = self.project(features, present)  # (batch, modalities, width)
        logits = torch.stack([layer(hidden[:, m]) for m, layer in enumerate(self.classify)], dim=1)
        opinions = torch.log_softmax(logits, dim=2)  # (batch, modalities, classes)
        trust = hidden.new_zeros(1) if self.trust is None else self.trust
        weights = masked_softmax(trust.expand(mask.shape), mask)  # (batch, modalities)
        pooled = (weights[:, :, None] * opinions).sum(dim=1)  # (batch, classes)
        return HeadOutput(pooled, (weights[:, :, None] * hidden).sum(dim=1), weights)
