"""Low-rank multimodal fusion: every product of features across modalities, without the tensor that holds them."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from fusion.heads.base import Head, HeadOutput
from fusion.heads.masking import shares
from fusion.heads.projection import Projections


class LowRankHead(Head):
    """LMF of Liu et al., "Efficient Low-rank Multimodal Fusion with Modality-Specific Factors", ACL 2018, section 3.2.

    h = sum_r prod_m W_m^(r) [h_m; 1]: the tensor fusion of `TensorHead` with its weight tensor held as a sum of
    `rank` products of one factor a modality. The appended one is the bias of each factor; it starts at 1, so that
    an absent modality, of which only the bias is left, leaves the product of the others as it is.

    `weights` are equal over the present modalities: products cannot be shared out, and no number here says more.

    Args:
        dims: modality -> width of its vectors.
        num_classes: how many labels.
        width: of the projections and the fused vector.
        rank: products that are summed.
        dropout: after each projection and on the fused vector.

    >>> head = LowRankHead(dims={"speech": 6, "text": 4}, num_classes=3).eval()
    >>> out = head({"speech": torch.ones(2, 6), "text": torch.ones(2, 4)},
    ...            {"speech": torch.tensor([True, True]), "text": torch.tensor([True, False])})
    >>> out.logits.shape, out.weights.tolist()
    (torch.Size([2, 3]), [[0.5, 0.5], [1.0, 0.0]])
    """

    def __init__(
        self, *, dims: Mapping[str, int], num_classes: int, width: int = 128, rank: int = 4, dropout: float = 0.5
    ) -> None:
        super().__init__(dims=dims, num_classes=num_classes)
        self.rank = rank
        self.project = Projections(dims=dims, width=width, dropout=dropout)
        self.factors = nn.ModuleList(nn.Linear(width, rank * width) for _ in self.dims)
        for factor in self.factors:
            nn.init.ones_(factor.bias)  # type: ignore[arg-type]
        self.normalize = nn.LayerNorm(width)  # a product of many factors has no scale of its own
        self.classify = nn.Sequential(nn.Dropout(dropout), nn.Linear(width, num_classes))

    def forward(self, features: Mapping[str, Tensor], present: Mapping[str, Tensor]) -> HeadOutput:
        hidden, mask = self.project(features, present)  # (batch, modalities, width)
        product = torch.stack([factor(hidden[:, m]) for m, factor in enumerate(self.factors)], dim=1).prod(dim=1)
        embedding = self.normalize(product.unflatten(1, (self.rank, -1)).sum(dim=1))  # (batch, width)
        return HeadOutput(self.classify(embedding), embedding, shares(torch.zeros_like(hidden[:, :, 0]), mask))
