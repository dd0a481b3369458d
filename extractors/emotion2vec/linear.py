"""Matrix products, on whichever kernel is fastest where they run, behind one call."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from extractors.emotion2vec.quantize import CENTRE, ROWS_HINT, Int8Linear

log = logging.getLogger(__name__)

SMALL = 1 << 18  # values, 1 MiB


@cache
def has_onednn(dtype: torch.dtype = torch.float32) -> bool:
    """Whether oneDNN's product with prepacked weights runs here in `dtype`: on x86, in bfloat16 with AVX-512."""
    if not torch.backends.mkldnn.is_available() or not hasattr(torch.ops.mkldnn, "_linear_pointwise"):
        return False
    if dtype == torch.bfloat16 and not torch.ops.mkldnn._is_mkldnn_bf16_supported():
        return False
    ones = torch.ones(16, 16)
    try:
        return torch.equal(OneDnnLinear(ones.to(dtype), None)(ones), ones * 16)
    except (RuntimeError, NotImplementedError) as error:
        log.debug("no oneDNN product in %s: %s", dtype, error)
        return False


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
    """The same on the CPU by oneDNN: the weight lies in its own blocked layout, GELU is part of the product.

    Where MKL declines to use AVX-512, this is more than twice as fast as `torch.nn.functional.linear`.
    With a `weight` in bfloat16, x and what returns are float32 all the same: only the product is rounded.
    """

    bias: Tensor | None

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        super().__init__()
        self.dtype = weight.dtype
        self.weight: Any = torch.ops.mkldnn._reorder_linear_weight(weight.contiguous(), ROWS_HINT)
        self.register_buffer("bias", None if bias is None else bias.to(self.dtype), persistent=False)

    def forward(self, x: Tensor, *, gelu: bool = False) -> Tensor:
        epilogue = "gelu" if gelu else "none"
        y = torch.ops.mkldnn._linear_pointwise(x.to(self.dtype), self.weight, self.bias, epilogue, [], "none")
        return y.float()


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


DTYPES = {
    "float32": torch.float32,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
    "int8": torch.float32,  # what is not quantised
}


@dataclass(frozen=True)
class Target:
    """Where and in what the encoder's parts run; makes them from FunASR's.

    precision : on CUDA everything is in that dtype; on the CPU the linear layers alone are, but for sensitive ones, and
        the rest is float32
    """

    device: torch.device
    precision: str

    @property
    def dtype(self) -> torch.dtype:
        """Of activations, and of weights that no linear layer holds."""
        return DTYPES[self.precision] if self.device.type == "cuda" else torch.float32

    def tensor(self, x: Tensor) -> Tensor:
        """`x` there, detached; the same memory where it is there already, unless it is small.

        A bias that is kept would keep the whole file mapped that it comes from, long after the big matrices were laid out
        anew. It is copied here, in its turn, so that what is laid out first need not wait for the file's end to be read.
        """
        there = x.detach().to(self.device, self.dtype)
        if there.data_ptr() != x.data_ptr() or x.numel() >= SMALL:
            return there
        with torch.inference_mode(False):  # an ordinary tensor, wherever the encoder is built
            return there.clone()

    def linear(
        self, weight: Tensor, bias: Tensor | None = None, *, sensitive: bool = False, zero_point: int = CENTRE
    ) -> nn.Module:
        """A layer (rows, in) -> (rows, out). `zero_point` tells a quantised one where its inputs lie."""
        weight, bias = self.tensor(weight), None if bias is None else self.tensor(bias)
        if self.device.type != "cpu":
            return PlainLinear(weight, bias)
        if self.precision == "int8" and not sensitive:
            return Int8Linear(weight, bias, zero_point=zero_point)
        if self.precision == "bfloat16" and not sensitive:
            return OneDnnLinear(weight.bfloat16(), bias)
        return OneDnnLinear(weight, bias) if has_onednn() else PlainLinear(weight, bias)

    def norm(self, norm: nn.LayerNorm) -> Norm:
        """The same layer norm."""
        weight, bias = (None if part is None else self.tensor(part) for part in (norm.weight, norm.bias))
        return Norm(norm.normalized_shape[0], norm.eps, weight, bias)
