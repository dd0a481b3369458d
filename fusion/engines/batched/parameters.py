"""The parameters of several heads of the same shape as one tensor each, with a leading axis of models."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from fusion.heads.base import Head


class Layouts:
    """In which order the dimensions of each parameter lie in memory: as its gradient comes out of the backward pass.

    The gradient of a stacked linear layer is a product of matrices that comes out transposed. An optimizer reads
    parameters, moments and gradients side by side, so unless all of them lie alike, each step begins with a copy of
    every gradient.
    """

    def __init__(self) -> None:
        self._orders: dict[str, tuple[int, ...]] = {}

    def empty(self, name: str, models: int, like: Tensor) -> Tensor:
        """(models, *like.shape) of the type and device of `like`, uninitialised."""
        order = self._orders.get(name, tuple(range(like.ndim)))
        lying = torch.empty(models, *(like.shape[dim] for dim in order), dtype=like.dtype, device=like.device)
        return lying.permute(0, *(1 + order.index(dim) for dim in range(like.ndim)))

    def learn(self, name: str, gradient: Tensor) -> bool:
        """Whether from now on stacks of `name` are laid out as `gradient`, that of one model, and were not before.

        The first gradient decides. A later one that lies otherwise is copied, because moments lie there already.
        """
        if name in self._orders:
            return False
        plain = tuple(range(gradient.ndim))
        strides = gradient.stride()
        order = tuple(sorted(plain, key=lambda dim: -strides[dim]))
        self._orders[name] = order if gradient.permute(order).is_contiguous() else plain
        return self._orders[name] != plain


def lie_alike(one: Tensor, other: Tensor) -> bool:
    """Whether two tensors of the same shape have their numbers in the same order in memory.

    >>> lie_alike(torch.ones(3, 1), torch.ones(1, 3).t()), lie_alike(torch.ones(3, 4), torch.ones(4, 3).t())
    (True, False)
    """
    strides = zip(one.shape, one.stride(), other.stride(), strict=True)
    return all(mine == theirs for size, mine, theirs in strides if size > 1)


def stacked(heads: Sequence[Head], layouts: Layouts, *, move: bool) -> dict[str, Tensor]:
    """name -> (models, *shape), the parameters and buffers of `heads`, in the order of `heads`.

    move : the heads' own parameters become views of the stack, so that what changes one changes the other
    """
    parts: dict[str, list[Tensor]] = {}
    for head in heads:
        for name, tensor in (*head.named_parameters(), *head.named_buffers()):
            parts.setdefault(name, []).append(tensor)
    stack = {}
    for name, tensors in parts.items():
        together = layouts.empty(name, len(heads), tensors[0].detach())
        for place, tensor in zip(together.unbind(0), tensors, strict=True):
            place.copy_(tensor.detach())
            if move:
                tensor.data = place
        stack[name] = together.requires_grad_(tensors[0].requires_grad)
    return stack
