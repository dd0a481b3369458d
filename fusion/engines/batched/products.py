"""The matrix products of a linear layer of a stack, by the faster of the two libraries that torch has on a CPU."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

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
def has_onednn() -> bool:
    """Whether torch can be asked for oneDNN's product of plain float32 matrices, and it gives the right answer.

    `torch.mm` and `torch.bmm` are MKL's, which uses half the width of the registers on a processor that is not Intel's. Of
    the products of a head, oneDNN does 1.6 to 2 times as many a second on a Zen 5 core. The operator is one that torch's
    own compiler calls, and not documented: where it is gone or answers otherwise, the stack does without.
    """
    if not torch.backends.mkldnn.is_available():
        return False
    inputs, weight, bias = torch.ones(3, 2), torch.tensor([[1.0, 2.0]]), torch.tensor([0.5])
    try:
        return torch.equal(_product(inputs, weight, bias), torch.full((3, 1), 3.5))
    except (AttributeError, RuntimeError, TypeError):
        return False


def _product(inputs: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """inputs (rows, in) @ weight (out, in).T + bias (out,)."""
    product: Tensor = torch.ops.mkldnn._linear_pointwise(inputs, weight, bias, "none", [], "")
    return product


def linear(inputs: Tensor, weight: Tensor, bias: Tensor | None = None, *, sink: Sink) -> Tensor:
    """`torch.nn.functional.linear`, which under `torch.vmap` over all its arguments takes the faster products."""
    small = inputs.ndim != 2 or inputs.shape[0] * weight.numel() < WORTH_A_CALL
    if small or inputs.device.type != "cpu" or inputs.dtype != torch.float32 or not has_onednn():
        return F.linear(inputs, weight, bias)
    answer: Tensor = _Linear.apply(inputs, weight, bias, sink)
    return answer


class _Stacked(torch.autograd.Function):
    """inputs (models, rows, in), weight (models, out, in), bias (models, out) -> (models, rows, out)."""

    @staticmethod
    def forward(ctx: Any, inputs: Tensor, weight: Tensor, bias: Tensor | None, sink: Sink) -> Tensor:
        ctx.save_for_backward(inputs, weight)
        ctx.sink, ctx.known = sink, id(weight) if sink.knows(weight) else None
        biases = [None] * len(weight) if bias is None else bias.unbind(0)
        return torch.stack([_product(*own) for own in zip(inputs.unbind(0), weight.unbind(0), biases, strict=True)])

    @staticmethod
    def backward(ctx: Any, above: Tensor) -> tuple[Tensor | None, ...]:
        inputs, weight = ctx.saved_tensors
        for_inputs = for_weight = for_bias = None
        each = above.contiguous().unbind(0)
        if ctx.needs_input_grad[0]:
            parts = [_product(own, w.t(), None) for own, w in zip(each, weight.unbind(0), strict=True)]
            for_inputs = torch.stack(parts)
        if ctx.needs_input_grad[1]:
            parts = [_product(own.t(), x.t(), None) for own, x in zip(each, inputs.unbind(0), strict=True)]
            if ctx.known is None:
                for_weight = torch.stack(parts)
            else:
                ctx.sink.leave(ctx.known, parts)
        if ctx.needs_input_grad[2]:
            for_bias = above.sum(dim=1)
        return for_inputs, for_weight, for_bias, None


class _Linear(torch.autograd.Function):
    """What vmap is told about a linear layer."""

    @staticmethod
    def forward(inputs: Tensor, weight: Tensor, bias: Tensor | None, sink: Sink) -> Tensor:
        return F.linear(inputs, weight, bias)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor, Tensor | None, Sink], output: Tensor) -> None:
        ctx.save_for_backward(inputs[0], inputs[1])

    @staticmethod
    def backward(ctx: Any, above: Tensor) -> tuple[Tensor | None, ...]:
        inputs, weight = ctx.saved_tensors
        needed = ctx.needs_input_grad
        return (
            above @ weight if needed[0] else None,
            above.t() @ inputs if needed[1] else None,
            above.sum(dim=0) if needed[2] else None,
            None,
        )

    @staticmethod
    def vmap(
        info: Any,
        in_dims: tuple[int | None, ...],
        inputs: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        sink: Sink,
    ) -> tuple[Tensor, int]:
        if in_dims[0] is None and not torch.is_grad_enabled() and in_dims[1] == 0 and in_dims[2] in (0, None):
            return _one_for_all(inputs, weight, bias), 1
        parts = [
            _in_front(part, dim, info.batch_size) for part, dim in zip((inputs, weight, bias), in_dims[:3], strict=True)
        ]
        answer: Tensor = _Stacked.apply(*parts, sink)
        return answer, 0


def _one_for_all(inputs: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """inputs (rows, in) of all models, weight (models, out, in) -> (rows, models, out): a single product."""
    flat = None if bias is None else bias.expand(weight.shape[:2]).reshape(-1)
    return _product(inputs, weight.reshape(-1, weight.shape[2]), flat).unflatten(1, weight.shape[:2])


def _in_front(part: Tensor | None, dim: int | None, models: int) -> Tensor | None:
    """With the axis of models in front; the very tensor where it is there already, for `Sink` knows tensors by identity."""
    if part is None or dim == 0:
        return part
    return part.expand(models, *part.shape) if dim is None else part.movedim(dim, 0)
