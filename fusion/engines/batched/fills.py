"""Numbers put where a mask says so, for masks that are small beside what they mask."""

from __future__ import annotations

import torch
from torch import Tensor

MANY = 8  # numbers for each truth value, at least


def worth_choosing(where: Tensor, values: Tensor) -> bool:
    """Whether `choose` takes these, and is faster at it than `torch.where`.

    >>> worth_choosing(torch.ones(4, 1, dtype=torch.bool), torch.ones(4, 64))
    True
    """
    fits = values.dtype == torch.float32 and where.dtype == torch.bool and values.numel() >= MANY * where.numel()
    return fits and torch.broadcast_shapes(where.shape, values.shape) == values.shape


def choose(where: Tensor, values: Tensor, other: float, kept: bool = True) -> Tensor:
    """`torch.where(where == kept, values, other)` to the bit: as bits masked, which is done eight or sixteen at a time.

    where  : bool, broadcastable to `values`
    values : float32; NaN and infinity are no exceptions

    torch's own kernels go number by number; for a mask of rows that takes several times as long.

    >>> rows = torch.tensor([[True], [False]])
    >>> choose(rows, torch.tensor([[1.0, torch.nan], [torch.nan, 2.0]]), -1.0)
    tensor([[ 1., nan],
            [-1., -1.]])
    >>> choose(rows, torch.ones(2, 2), 0.0, kept=False)
    tensor([[0., 0.],
            [1., 1.]])
    """
    bits = where.to(torch.int32).neg_() if kept else where.to(torch.int32).sub_(1)  # -1 is all ones
    chosen = values.view(torch.int32).bitwise_and(bits)
    if other != 0:
        number = torch.tensor(other, dtype=torch.float32).view(torch.int32)
        chosen.bitwise_or_(bits.bitwise_not_().bitwise_and_(number))
    return chosen.view(torch.float32)
