"""A loss for each modality by itself, so that the one that learns first does not leave the others untaught."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn


def auxiliary_loss(
    model: nn.Module, loss: nn.Module, features: Mapping[str, Any], present: Mapping[str, Tensor], targets: Tensor
) -> Tensor:
    """The mean over modalities of the loss of `model` when it is shown only that modality; a scalar.

    Over the rows that have the modality and at least one other: the rest are shown by themselves as it is. 0 where no
    row of the batch has two.

    A network trained on all modalities together fits the one that is learnt fastest and neglects the others; losses of
    each modality are a remedy: Wang, Tran & Feiszli, "What Makes Training Multi-Modal Classification Networks Hard?",
    CVPR 2020, section 3, whose blend has a classifier of its own for each modality (with weights measured during
    training). Here it is the same head that is shown a part, which every head can be by contract: no parameter is
    added, and what is taught is what the checkpoint does when only that modality is there.

    Unlike modality dropout, which hides one part or another of a row, this asks every part of every row each time.

    Args:
        model: (features, present) -> something with `.logits` (batch, classes).
        loss: (logits, targets) -> scalar.
        features: modality -> (batch, dim) vectors or sequences.
        present: modality -> (batch,) bool.
        targets: (batch,) int64, or (batch, classes) float.

    >>> from fusion.heads.gated import GatedHead
    >>> head = GatedHead(dims={"speech": 3, "text": 2}, num_classes=2)
    >>> features = {"speech": torch.ones(2, 3), "text": torch.ones(2, 2)}
    >>> present = {"speech": torch.tensor([True, True]), "text": torch.tensor([True, False])}
    >>> bool(auxiliary_loss(head, nn.CrossEntropyLoss(), features, present, torch.tensor([0, 1])) > 0)
    True
    """
    nothing = torch.zeros_like(next(iter(present.values())))
    several = torch.stack(list(present.values())).sum(dim=0) > 1  # (batch,)
    losses = []
    for modality, mask in present.items():
        rows = torch.nonzero(mask & several).squeeze(1)
        if not len(rows):
            continue
        # the whole batch, of which the other rows show nothing: what features are made of is the head's affair
        shown = {m: mask & several if m == modality else nothing for m in present}
        losses.append(loss(model(features, shown).logits.index_select(0, rows), targets.index_select(0, rows)))
    return torch.stack(losses).mean() if losses else torch.zeros((), device=targets.device)
