"""Several models of one recipe, asked together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from fusion.heads.base import Head, HeadOutput
from fusion.model import FusionModel


class Ensemble(nn.Module):
    """The mean of its members' probabilities, each calibrated by its own temperature.

    Lakshminarayanan, Pritzel & Blundell, "Simple and Scalable Predictive Uncertainty Estimation using Deep Ensembles",
    NeurIPS 2017, section 2.4. `logits` are the logarithms of that mean, so that their softmax is it; `embedding` holds
    the members' side by side, for they have no common axes; `weights` are averaged.

    Args:
        members: models of the same modalities, widths and classes.
        temperatures: (members,), 1 where a member's probabilities are taken as they are.

    >>> from fusion.heads.gated import GatedHead
    >>> members = [FusionModel(GatedHead(dims={"speech": 4}, num_classes=2)) for _ in range(3)]
    >>> both = Ensemble(members, [1.0, 1.0, 2.0]).eval()
    >>> out = both({"speech": torch.ones(5, 4)}, {"speech": torch.ones(5, dtype=torch.bool)})
    >>> out.logits.shape, out.embedding.shape, torch.allclose(out.logits.exp().sum(dim=1), torch.ones(5))
    (torch.Size([5, 2]), torch.Size([5, 384]), True)
    """

    temperatures: Tensor

    def __init__(self, members: Sequence[FusionModel], temperatures: Sequence[float] | None = None) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)
        self.register_buffer("temperatures", torch.tensor(temperatures or [1.0] * len(members), dtype=torch.float32))

    @property
    def head(self) -> Head:
        """The head of the first member: the others' is of the same make."""
        first = self.members[0]
        assert isinstance(first, FusionModel)
        return first.head

    @property
    def modalities(self) -> tuple[str, ...]:
        return self.head.modalities

    def forward(self, features: Mapping[str, Tensor], present: Mapping[str, Tensor]) -> HeadOutput:
        """As `FusionModel.forward`."""
        outputs = [member(features, present) for member in self.members]
        logits = torch.stack([output.logits for output in outputs])  # (members, batch, classes)
        opinions = torch.log_softmax(logits / self.temperatures[:, None, None], dim=2)
        return HeadOutput(
            torch.logsumexp(opinions, dim=0) - torch.log(torch.tensor(float(len(outputs)))),
            torch.cat([output.embedding for output in outputs], dim=1),
            torch.stack([output.weights for output in outputs]).mean(dim=0),
        )
