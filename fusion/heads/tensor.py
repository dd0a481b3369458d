"""Tensor fusion: all products of features across modalities, written out."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from fusion.heads.base import Head, HeadOutput
from fusion.heads.masking import shares
from fusion.heads.projection import Projections


class TensorHead(Head):
    """TFN of Zadeh et al., "Tensor Fusion Network for Multimodal Sentiment Analysis", EMNLP 2017, eq. 1 and 2.

    [h_1; 1] x … x [h_n; 1], flattened, through one hidden layer. The ones keep each modality alone, and every
    smaller product, beside the full one; of an absent modality only its one is left. The size grows as
    (width + 1) to the number of modalities, hence the small default.

    `weights` are equal over the present modalities: products cannot be shared out, and no number here says more.

    Args:
        dims: modality -> width of its vectors.
        num_classes: how many labels.
        width: of the projections.
        hidden: width of the hidden layer, the fused vector.
        dropout: after each projection and on the fused vector.

    >>> head = TensorHead(dims={"speech": 6, "text": 4}, num_classes=3).eval()
    >>> out = head({"speech": torch.ones(2, 6), "text": torch.ones(2, 4)},
    ...            {"speech": torch.tensor([True, True]), "text": torch.tensor([True, False])})
    >>> out.logits.shape, out.weights.tolist()
    (torch.Size([2, 3]), [[0.5, 0.5], [1.0, 0.0]])
    """

    def __init__(
        self, *, dims: Mapping[str, int], num_classes: int, width: int = 32, hidden: int = 128, dropout: float = 0.5
    ) -> None:
        super().__init__(dims=dims, num_classes=num_classes)
        self.project = Projections(dims=dims, width=width, dropout=dropout)
        self.mix = nn.Linear(prod(width + 1 for _ in self.dims), hidden)
        self.classify = nn.Sequential(nn.Dropout(dropout), nn.Linear(hidden, num_classes))

    def forward(self, features: Mapping[str, Tensor], present: Mapping[str, Tensor]) -> HeadOutput:
        hidden, mask = self.project(features, present)  # (batch, modalities, width)
        with_one = F.pad(hidden, (0, 1), value=1.0)  # the 1 of the equation, no padding of features
        product = with_one[:, 0]
        for m in range(1, len(self.dims)):
            product = torch.einsum("bi,bj->bij", product, with_one[:, m]).flatten(1)
        embedding = F.gelu(self.mix(product))  # (batch, hidden)
        return HeadOutput(self.classify(embedding), embedding, shares(torch.zeros_like(hidden[:, :, 0]), mask))
