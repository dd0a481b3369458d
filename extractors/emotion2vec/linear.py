"""Matrix products, on whichever kernel is fastest where they run, behind one call."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

ROWS_HINT = 2048  # rows that oneDNN lays its weights out for; any other number works too


def has_onednn() -> bool:
    """Whether this torch offers oneDNN's product with prepacked weights (its x86 builds do)."""
    return torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_linear_pointwise")


class PlainLinear(nn.Module):
    """`x @ weight.T + bias`, and exact GELU on request; weight (out, in), bias (out,) or None; x (rows, in)."""

    weight: Tensor
    bias: Tensor | None

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        super().__init__()
        self.register_buffer("weight", weight, persistent=False)
        self.register_buffer("bias", bias, persistent=False)

    def forward(self, x: Tensor, *, gelu: bool = False) -> Tensor:
        y = F.linear(x, self.weight, self.bias)
        return F.gelu(y) if gelu else y


class OneDnnLinear(nn.Module):
    """The same by oneDNN: the weight lies in its own blocked layout, GELU is part of the product.

    Where MKL declines to use AVX-512, this is more than twice as fast as `torch.nn.functional.linear`.
    """

    bias: Tensor | None

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        super().__init__()
        self.weight: Any = torch.ops.mkldnn._reorder_linear_weight(weight.contiguous(), ROWS_HINT)
        self.register_buffer("bias", bias, persistent=False)

    def forward(self, x: Tensor, *, gelu: bool = False) -> Tensor:
        return torch.ops.mkldnn._linear_pointwise(x, self.weight, self.bias, "gelu" if gelu else "none", [], "none")


@dataclass(frozen=True)
class Target:
    """Where and how the encoder's parts are to run; makes them from FunASR's own.

    dtype : of activations and of weights that stay unquantised
    quantize : makes a quantised layer from (weight, bias), or None
    """

    device: torch.device
    dtype: torch.dtype
    quantize: Callable[[Tensor, Tensor | None], nn.Module] | None = None

    def tensor(self, x: Tensor) -> Tensor:
        """A detached `x` there; the same memory where it is there already."""
        return x.detach().to(self.device, self.dtype)

    def linear(self, weight: Tensor, bias: Tensor | None = None, *, sensitive: bool = False) -> nn.Module:
        """A layer (rows, in) -> (rows, out); `sensitive` ones are never quantised."""
        weight, bias = self.tensor(weight), None if bias is None else self.tensor(bias)
        if self.quantize is not None and not sensitive:
            return self.quantize(weight, bias)
        if self.device.type == "cpu" and self.dtype == torch.float32 and has_onednn():
            return OneDnnLinear(weight, bias)
        return PlainLinear(weight, bias)

    def norm(self, norm: nn.LayerNorm) -> Norm:
        """A copy of `norm`."""
        return Norm(
            norm.normalized_shape[0],
            norm.eps,
            *(None if part is None else self.tensor(part) for part in (norm.weight, norm.bias)),
        )


class Norm(nn.Module):
    """Layer norm over the last axis, (rows, dim) -> (rows, dim)."""

    weight: Tensor | None
    bias: Tensor | None

    def __init__(self, dim: int, eps: float, weight: Tensor | None, bias: Tensor | None) -> None:
        super().__init__()
        self.shape, self.eps = (dim,), eps
        self.register_buffer("weight", weight, persistent=False)
        self.register_buffer("bias", bias, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        return F.layer_norm(x, self.shape, self.weight, self.bias, self.eps)
