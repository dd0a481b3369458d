"""What training minimises. Every loss is built with the class counts of the training rows.

Targets are classes, or distributions over them: what several annotators said of a row, or a blend of rows. A distribution
costs what its labels cost on average, each with its share: the loss of one annotator's label, drawn at random. A row
with one label only costs the same either way.
There is no Kullback-Leibler loss beside the cross-entropy: they differ by the entropy of the targets, which no parameter
of a model changes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

Weighting = Literal["none", "balanced", "effective"]


def class_weights(class_counts: Sequence[int], weighting: Weighting = "balanced", *, beta: float = 0.999) -> Tensor:
    """(classes,) float32, averaging one over the training rows; 1 for a class that has none of them.

    Args:
        class_counts: rows of each class in training.
        weighting: "none"; "balanced", inverse frequency; or "effective", the inverse effective number of samples
            (1 - beta^n) / (1 - beta) of Cui et al., "Class-Balanced Loss Based on Effective Number of Samples", CVPR
            2019, eq. 2, which softens it where classes are large.
        beta: of the effective number; about 1 - 1/N, with N the rows that say all there is to say of a class.

    >>> class_weights([30, 10]).tolist()
    [0.6666666865348816, 2.0]
    >>> class_weights([30, 10], "none").tolist()
    [1.0, 1.0]
    """
    if weighting not in ("none", "balanced", "effective"):
        raise ValueError(f"weighting: expected none, balanced or effective, got {weighting!r}")
    counts = torch.as_tensor(class_counts, dtype=torch.float64)
    if weighting == "none":
        raw = torch.ones_like(counts)
    elif weighting == "balanced":
        raw = 1 / counts.clamp(min=1)
    else:
        raw = (1 - beta) / (1 - beta ** counts.clamp(min=1))
    mean = (raw * counts).sum() / counts.sum()
    # a class without training rows may still stand in validation: there it counts as a row of average weight
    return torch.where(counts > 0, raw / mean, 1.0).float()


class CrossEntropyLoss(nn.Module):
    """Cross-entropy with class weights and label smoothing (Szegedy et al., CVPR 2016, section 7), both optional.

    Args:
        class_counts: rows of each class in training.
        weighting: see `class_weights`.
        label_smoothing: share of each target spread evenly over the classes.
        beta: of the effective weighting.

    >>> loss = CrossEntropyLoss(class_counts=[30, 10], weighting="balanced")
    >>> round(loss(torch.zeros(4, 2), torch.tensor([0, 0, 0, 1])).item(), 4)
    0.6931
    """

    weight: Tensor

    def __init__(
        self,
        *,
        class_counts: Sequence[int],
        weighting: Weighting = "none",
        label_smoothing: float = 0.0,
        beta: float = 0.999,
    ) -> None:
        super().__init__()
        self.label_smoothing = label_smoothing
        # follows from the data and the config: nothing to save
        self.register_buffer("weight", class_weights(class_counts, weighting, beta=beta), persistent=False)

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        """The weighted mean over the rows, a scalar.

        logits  : (batch, classes) float
        targets : (batch,) int64, or (batch, classes) float, distributions q. Then it is, with eps of label smoothing,
                  -sum_ic w_c ((1 - eps) q_ic + eps / classes) log p_ic  /  sum_ic w_c q_ic,
                  which is torch's loss for classes where each row has one.
        """
        if not targets.is_floating_point():
            return F.cross_entropy(logits, targets, weight=self.weight, label_smoothing=self.label_smoothing)
        smooth = (1 - self.label_smoothing) * targets + self.label_smoothing / logits.shape[1]
        costs = -(self.weight * smooth * torch.log_softmax(logits, dim=1)).sum()
        return costs / (self.weight * targets).sum()


class FocalLoss(nn.Module):
    """-w_t (1 - p_t)^gamma log p_t: Lin et al., "Focal Loss for Dense Object Detection", ICCV 2017, eq. 5.

    Rows that are already right count little. With gamma = 0 it is the cross-entropy of the same weighting.

    Args:
        class_counts: rows of each class in training.
        gamma: how fast easy rows fade; the paper's best is 2.
        weighting: see `class_weights`; the paper's alpha.
        beta: of the effective weighting.

    >>> loss = FocalLoss(class_counts=[1, 1], gamma=2.0)
    >>> round(loss(torch.zeros(1, 2), torch.tensor([0])).item(), 4)  # 0.5 ** 2 * log 2
    0.1733
    """

    weight: Tensor

    def __init__(
        self,
        *,
        class_counts: Sequence[int],
        gamma: float = 2.0,
        weighting: Weighting = "none",
        beta: float = 0.999,
    ) -> None:
        super().__init__()
        self.gamma = gamma
        self.register_buffer("weight", class_weights(class_counts, weighting, beta=beta), persistent=False)

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        """The weighted mean over the rows, a scalar.

        logits  : (batch, classes) float
        targets : (batch,) int64, or (batch, classes) float, distributions q. Then it is
                  -sum_ic w_c q_ic (1 - p_ic)^gamma log p_ic  /  sum_ic w_c q_ic.
        """
        log_p = torch.log_softmax(logits, dim=1)
        if targets.is_floating_point():
            weight = self.weight * targets  # (batch, classes)
        else:
            log_p, weight = log_p.gather(1, targets[:, None]).squeeze(1), self.weight[targets]  # (batch,)
        # 1 - p from log p, without cancellation where p is nearly 1; never 0, whose power has no gradient
        miss = (-torch.expm1(log_p)).clamp(min=torch.finfo(log_p.dtype).tiny)
        return -(weight * miss**self.gamma * log_p).sum() / weight.sum()
