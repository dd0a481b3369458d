"""Weights over the modalities that are there: what several heads need, exact where none is."""

from __future__ import annotations

import torch
from torch import Tensor


def masked_softmax(scores: Tensor, mask: Tensor) -> Tensor:
    """Softmax over dimension 1 among the entries of `mask`; zeros elsewhere, and all zeros where no entry is.

    scores : (batch, modalities, ...) float
    mask   : bool, broadcastable to `scores`

    >>> scores = torch.tensor([[0.0, 0.0], [3.0, 5.0], [1.0, 2.0]])
    >>> masked_softmax(scores, torch.tensor([[True, True], [True, False], [False, False]])).tolist()
    [[0.5, 0.5], [1.0, 0.0], [0.0, 0.0]]
    """
    # the lowest finite number, not -inf: a row of nothing but -inf has the softmax NaN
    scores = scores.masked_fill(~mask, torch.finfo(scores.dtype).min)
    return torch.softmax(scores, dim=1).masked_fill(~mask, 0.0)


def shares(amounts: Tensor, mask: Tensor) -> Tensor:
    """Non-negative `amounts` (batch, modalities) as shares of their sum over `mask`; equal shares of nothing.

    >>> amounts = torch.tensor([[1.0, 3.0], [0.0, 0.0], [2.0, 2.0]])
    >>> shares(amounts, torch.tensor([[True, True], [True, True], [False, False]])).tolist()
    [[0.25, 0.75], [0.5, 0.5], [0.0, 0.0]]
    """
    amounts = amounts.masked_fill(~mask, 0.0)
    total = amounts.sum(dim=1, keepdim=True)
    count = mask.sum(dim=1, keepdim=True).clamp(min=1)
    return torch.where(total > 0, amounts / total.clamp(min=torch.finfo(amounts.dtype).tiny), mask / count)
