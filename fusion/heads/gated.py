"""Gated multimodal units: each row decides how much of each modality it lets through."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from fusion.heads.base import Head, HeadOutput
from fusion.heads.masking import masked_softmax
from fusion.heads.projection import Projections


class GatedHead(Head):
    """The gated multimodal unit of Arevalo et al., "Gated Multimodal Units for Information Fusion", ICLR workshop 2017.

    Their bimodal unit (section 3.1): h = z * h_v + (1 - z) * h_t with z = sigmoid(W_z [x_v, x_t]), one gate for each
    of the fused dimensions. A softmax over the modalities is the same thing for two and extends it to any number:
    an absent modality gets no gate, and the others share what it leaves. With a single modality there is nothing
    to choose between, and no gate is built.

    `weights` are the gates, averaged over the dimensions.

    Args:
        dims: modality -> width of its vectors.
        num_classes: how many labels.
        width: of the projections, the gates and the fused vector.
        dropout: after each projection and on the fused vector.

    >>> import torch
    >>> head = GatedHead(dims={"speech": 6, "text": 4}, num_classes=3).eval()
    >>> out = head({"speech": torch.ones(2, 6), "text": torch.ones(2, 4)},
    ...            {"speech": torch.tensor([True, True]), "text": torch.tensor([True, False])})
    >>> out.logits.shape, out.weights[1].tolist()
    (torch.Size([2, 3]), [1.0, 0.0])
    """

    def __init__(self, *, dims: Mapping[str, int], num_classes: int, width: int = 128, dropout: float = 0.5) -> None:
        super().__init__(dims=dims, num_classes=num_classes)
        self.project = Projections(dims=dims, width=width, dropout=dropout)
        joined = len(self.dims) * width
        self.gate = nn.Linear(joined, joined) if len(self.dims) > 1 else None
        self.classify = nn.Sequential(nn.Dropout(dropout), nn.Linear(width, num_classes))

    def forward(self, features: Mapping[str, Tensor], present: Mapping[str, Tensor]) -> HeadOutput:
        hidden, mask = self.project(features, present)  # (batch, modalities, width)
        if self.gate is None:
            return HeadOutput(self.classify(hidden[:, 0]), hidden[:, 0], mask.to(hidden.dtype))
        scores = self.gate(hidden.flatten(1)).unflatten(1, hidden.shape[1:])  # (batch, modalities, width)
        gates = masked_softmax(scores, mask[:, :, None])
        embedding = (gates * hidden).sum(dim=1)  # (batch, width)
        return HeadOutput(self.classify(embedding), embedding, gates.mean(dim=2))
