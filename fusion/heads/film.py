"""Feature-wise linear modulation: each modality is scaled and shifted by what the others say."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from fusion.heads.base import Head, HeadOutput
from fusion.heads.masking import shares
from fusion.heads.projection import Projections


class FilmHead(Head):
    """FiLM of Perez et al., "FiLM: Visual Reasoning with a General Conditioning Layer", AAAI 2018, eq. 1 and 2.

    Each modality's vector becomes (1 + gamma) * h_m + beta, with gamma and beta a linear function of the mean of
    the other modalities that are present; the fused vector is the mean over the present. Both ways round, so that
    neither modality is the condition by decree. A modality that is alone in a row stays as it is.

    `weights` are the shares of the lengths of the modulated vectors.

    Args:
        dims: modality -> width of its vectors.
        num_classes: how many labels.
        width: of the projections and the fused vector.
        dropout: after each projection and on the fused vector.

    >>> head = FilmHead(dims={"speech": 6, "text": 4}, num_classes=3).eval()
    >>> out = head({"speech": torch.ones(2, 6), "text": torch.ones(2, 4)},
    ...            {"speech": torch.tensor([True, True]), "text": torch.tensor([True, False])})
    >>> out.logits.shape, out.weights[1].tolist()
    (torch.Size([2, 3]), [1.0, 0.0])
    """

    def __init__(self, *, dims: Mapping[str, int], num_classes: int, width: int = 128, dropout: float = 0.5) -> None:
        super().__init__(dims=dims, num_classes=num_classes)
        self.project = Projections(dims=dims, width=width, dropout=dropout)
        conditioned = len(self.dims) if len(self.dims) > 1 else 0
        self.condition = nn.ModuleList(nn.Linear(width, 2 * width) for _ in range(conditioned))
        self.classify = nn.Sequential(nn.Dropout(dropout), nn.Linear(width, num_classes))

    def forward(self, features: Mapping[str, Tensor], present: Mapping[str, Tensor]) -> HeadOutput:
        hidden, mask = self.project(features, present)  # (batch, modalities, width)
        if self.condition:
            here = mask[:, :, None]
            company = here.sum(dim=1, keepdim=True) - here.long()  # (batch, modalities, 1), others present
            others = (hidden.sum(dim=1, keepdim=True) - hidden) / company.clamp(min=1)
            layers = [layer(others[:, m]) for m, layer in enumerate(self.condition)]
            gamma, beta = torch.stack(layers, dim=1).chunk(2, dim=2)  # (batch, modalities, width) each
            hidden = torch.where(here & (company > 0), (1 + gamma) * hidden + beta, hidden)
        embedding = hidden.sum(dim=1) / mask.sum(dim=1, keepdim=True).clamp(min=1)  # (batch, width)
        return HeadOutput(self.classify(embedding), embedding, shares(hidden.detach().norm(dim=2), mask))
