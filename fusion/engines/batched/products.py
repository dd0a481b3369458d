"""The matrix products of a linear layer of a stack, by the faster of the two libraries that torch has on a CPU."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

UNBATCHED, OUTERMOST = -1, 1  # levels of torch.vmap
WORTH_A_CALL = 2**18  # multiply-adds of one model; below it, the call costs more than is gained


class Sink:
    """Where the backward pass leaves the gradients of large weights: a tensor for each model.

    Autograd would want them as one stacked tensor, and to copy them together takes longer than a product of two of them.

    Args:
        weights: the stacked parameters whose gradients are asked for.
    """

    def __init__(self, weights: Iterable[Tensor] = ()) -> None:
        self._left: dict[int, list[list[Tensor]]] = {id(weight): [] for weight in weights}

    def knows(self, weight: Tensor) -> bool:
        return id(weight) in self._left

    def leave(self, weight: int, gradients: list[Tensor]) -> None:
        """`gradients` of the weight of this id, model by model."""
        self._left[weight].append(gradients)

    def take(self, weight: Tensor, gradient: Tensor | None) -> list[Tensor] | None:
        """The gradient of each model: what was left here, and what autograd found by other ways; None where neither."""
        several = self._left[id(weight)] + ([] if gradient is None else [list(gradient.unbind(0))])
        if len(several) < 2:
            return several[0] if several else None
        return [torch.stack(own).sum(dim=0) for own in zip(*several, strict=True)]


@cache
def usable() -> bool:
    """Whether this torch can be asked for oneDNN's product of plain float32 matrices under `torch.vmap`, and it is right.

    `torch.mm` and `torch.bmm` are MKL's, which uses half the width of the registers on a processor that is not Intel's. Of
    the products of a head, oneDNN does 1.6 to 2 times as many a second on a Zen 5 core. The operator is one that torch's
    own compiler calls, and what unpacks a tensor under vmap belongs to vmap itself; neither is documented. So they are
    tried once on a small product, and where they are gone or answer otherwise, the stack does without.
    """
    if not torch.backends.mkldnn.is_available():
        return False
    # in a thread of its own, because who asks first may be within vmap, where no gradients are wanted
    with ThreadPoolExecutor(max_workers=1) as clean:
        return clean.submit(_is_right).result()


def _is_right() -> bool:
    inputs = torch.arange(12.0).view(2, 3, 2)
    weight = torch.tensor([[[1.0, 2.0]], [[-3.0, 4.0]]], requires_grad=True)
    bias = torch.tensor([[0.5], [1.5]])
    try:
        sink = Sink([weight])
        found = torch.vmap(partial(_by_onednn, sink=sink))(inputs, weight, bias)
        alike = torch.vmap(F.linear)(inputs, weight, bias)
        (wanted,) = torch.autograd.grad(alike.square().sum(), [weight])
        (by_autograd,) = torch.autograd.grad(found.square().sum(), [weight], allow_unused=True)
        left = sink.take(weight, by_autograd)
    except (AttributeError, RuntimeError, TypeError, ImportError):
        return False
    return torch.equal(found, alike) and left is not None and torch.equal(torch.stack(left), wanted)


def _product(inputs: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """inputs (rows, in) @ weight (out, in).T + bias (out,)."""
    product: Tensor = torch.ops.mkldnn._linear_pointwise(inputs, weight, bias, "none", [], "")
    return product


def linear(inputs: Tensor, weight: Tensor, bias: Tensor | None = None, *, sink: Sink) -> Tensor:
    """`torch.nn.functional.linear` under `torch.vmap`, by the faster products where that can be."""
    small = inputs.ndim != 2 or inputs.shape[0] * weight.numel() < WORTH_A_CALL
    if small or inputs.device.type != "cpu" or inputs.dtype != torch.float32 or not usable():
        return F.linear(inputs, weight, bias)
    return _by_onednn(inputs, weight, bias, sink=sink)


def _by_onednn(inputs: Tensor, weight: Tensor, bias: Tensor | None = None, *, sink: Sink) -> Tensor:
    """By hand what vmap does for an autograd function, which takes it a third of a millisecond each time."""
    from torch._C import _functorch as functorch  # here, for a torch that has no such thing
    from torch._functorch.pyfunctorch import temporarily_pop_interpreter_stack

    parts = [part for part in (inputs, weight, bias) if part is not None]
    levels = {functorch.maybe_get_level(part) for part in parts} - {UNBATCHED}
    if functorch.maybe_get_level(weight) != OUTERMOST or levels != {OUTERMOST}:
        return F.linear(inputs, weight, bias)  # the same weight for all, or the head maps over something itself
    batched = [functorch.is_batchedtensor(part) for part in parts]
    places = [functorch.maybe_get_bdim(part) if yes else None for part, yes in zip(parts, batched, strict=True)]
    whole = [functorch.get_unwrapped(part) if yes else part for part, yes in zip(parts, batched, strict=True)]
    with temporarily_pop_interpreter_stack():
        if places[0] is None and all(place == 0 for place in places[1:]) and not torch.is_grad_enabled():
            answer: Tensor = functorch._add_batch_dim(_one_for_all(*whole), 1, OUTERMOST)
            return answer
        models = whole[1].shape[places[1] or 0]
        stacks = [_in_front(part, place, models) for part, place in zip(whole, places, strict=True)]
        answer = functorch._add_batch_dim(_Stacked.apply(sink, *stacks), 0, OUTERMOST)
        return answer


class _Stacked(torch.autograd.Function):
    """inputs (models, rows, in), weight (models, out, in), bias (models, out) -> (models, rows, out)."""

    @staticmethod
    def forward(ctx: Any, sink: Sink, inputs: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        ctx.save_for_backward(inputs, weight)
        ctx.sink, ctx.known = sink, id(weight) if sink.knows(weight) else None
        biases = [None] * len(weight) if bias is None else bias.unbind(0)
        return torch.stack([_product(*own) for own in zip(inputs.unbind(0), weight.unbind(0), biases, strict=True)])

    @staticmethod
    def backward(ctx: Any, above: Tensor) -> tuple[Tensor | None, ...]:
        inputs, weight = ctx.saved_tensors
        for_inputs = for_weight = for_bias = None
        above = above.contiguous()
        each, each_turned = above.unbind(0), above.transpose(1, 2).unbind(0)
        if ctx.needs_input_grad[1]:
            turned = weight.transpose(1, 2).unbind(0)
            parts = [_product(own, w, None) for own, w in zip(each, turned, strict=True)]
            for_inputs = torch.stack(parts)
        if ctx.needs_input_grad[2]:
            turned = inputs.transpose(1, 2).unbind(0)
            parts = [_product(own, x, None) for own, x in zip(each_turned, turned, strict=True)]
            if ctx.known is None:
                for_weight = torch.stack(parts)
            else:
                ctx.sink.leave(ctx.known, parts)
        if len(ctx.needs_input_grad) > 3 and ctx.needs_input_grad[3]:
            for_bias = above.sum(dim=1)
        return (None, for_inputs, for_weight, for_bias)[: len(ctx.needs_input_grad)]


def _one_for_all(inputs: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """inputs (rows, in) of all models, weight (models, out, in) -> (rows, models, out): a single product."""
    flat = None if bias is None else bias.reshape(-1)
    return _product(inputs, weight.reshape(-1, weight.shape[2]), flat).unflatten(1, weight.shape[:2])


def _in_front(part: Tensor, place: int | None, models: int) -> Tensor:
    """With the axis of models in front; the very tensor where it is there already, for `Sink` knows tensors by identity."""
    if place == 0:
        return part
    return part.expand(models, *part.shape) if place is None else part.movedim(place, 0)
