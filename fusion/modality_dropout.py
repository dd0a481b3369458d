"""Hides modalities from training rows, so that one checkpoint predicts from speech, from text or from both."""

from __future__ import annotations

import torch
from torch import Tensor


def drop_modalities(present: dict[str, Tensor], probability: float) -> dict[str, Tensor]:
    """Each present modality of each row is hidden with `probability`, but never the last one of a row.

    present : modality -> (batch,) bool; a new dict is returned. Draws from torch's global generator.

    One uniform number is drawn a modality and row; those below `probability` are hidden, except a row's largest
    among the present ones. So the chance to be hidden is `probability` for all but that one.

    >>> _ = torch.manual_seed(0)
    >>> present = {"speech": torch.ones(1000, dtype=torch.bool), "text": torch.ones(1000, dtype=torch.bool)}
    >>> shown = drop_modalities(present, 0.3)
    >>> bool((shown["speech"] | shown["text"]).all()), 0.2 < 1 - shown["text"].float().mean().item() < 0.3
    (True, True)
    """
    if probability <= 0 or len(present) < 2:
        return present
    mask = torch.stack(list(present.values()), dim=1)  # (batch, modalities)
    draws = torch.rand(mask.shape, device=mask.device).masked_fill(~mask, -1.0)
    shown = mask & ((draws >= probability) | (draws == draws.amax(dim=1, keepdim=True)))
    return dict(zip(present, shown.unbind(dim=1), strict=True))
