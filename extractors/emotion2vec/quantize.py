"""Linear layers with 8-bit weights and activations, whose rows never see one another."""

from __future__ import annotations

import logging
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn

log = logging.getLogger(__name__)

ROWS_HINT = 2048  # rows that oneDNN lays its weights out for; any other number works too
LEVELS = 255  # steps of an unsigned 8-bit activation
WEIGHT_LEVELS = 127  # steps to either side of a signed 8-bit weight
CENTRE = 128  # zero point of activations that lie around zero
LOW = 32  # zero point of activations that lie almost all above zero, as those after GELU do: nearly twice as fine


@cache
def has_int8() -> bool:
    """Whether oneDNN's 8-bit product runs on this CPU: on x86."""
    if not torch.backends.mkldnn.is_available() or not hasattr(torch.ops.onednn, "qlinear_pointwise"):
        return False
    ones = torch.ones(16, 16)
    try:
        return torch.allclose(Int8Linear(ones, None)(ones), ones * 16, rtol=0.01)
    except (RuntimeError, NotImplementedError) as error:
        log.debug("no 8-bit product: %s", error)
        return False


class Int8Linear(nn.Module):
    """`x @ weight.T + bias` in 8 bits, and exact GELU on request; x (rows, in) float32 -> (rows, out) float32.

    Weights have one scale per output channel, activations one per row, found as they come. torch's own dynamic
    quantisation takes one scale for all rows, and an utterance's vector then depends on what shares its batch.

    weight (out, in) float32, bias (out,) or None; zero_point : where zero lies among an activation's 256 levels
    """

    scales: Tensor
    bias: Tensor | None

    def __init__(self, weight: Tensor, bias: Tensor | None, *, zero_point: int = CENTRE) -> None:
        super().__init__()
        scales = weight.abs().amax(dim=1).clamp_min(torch.finfo(torch.float32).tiny) / WEIGHT_LEVELS
        levels = (weight / scales[:, None]).round().to(torch.int8)
        self.weight: Any = torch.ops.onednn.qlinear_prepack(levels, [ROWS_HINT, weight.shape[1]])
        self.zero_point = zero_point
        self.register_buffer("scales", scales, persistent=False)
        self.register_buffer("weight_zeros", torch.zeros(len(scales), dtype=torch.int64), persistent=False)
        self.register_buffer("bias", bias, persistent=False)

    def forward(self, x: Tensor, *, gelu: bool = False) -> Tensor:
        levels, steps = quantize_rows(x, self.zero_point)
        y = self.product(levels)
        y = y.mul_(steps) if self.bias is None else torch.addcmul(self.bias, y, steps, out=y)
        return torch.ops.aten.gelu_(y) if gelu else y

    def product(self, levels: Tensor) -> Tensor:
        """(levels - zero_point) @ dequantised weight.T: levels (rows, in) uint8 -> (rows, out) float32."""
        return torch.ops.onednn.qlinear_pointwise(
            *(levels, 1.0, self.zero_point, self.weight, self.scales, self.weight_zeros, None),
            *(1.0, 0, torch.float32, "none", [], ""),  # output scale and zero point, unused in float32; no epilogue
        )


def quantize_rows(x: Tensor, zero_point: int) -> tuple[Tensor, Tensor]:
    """Each row on its own 256 levels: x (rows, in) -> levels (rows, in) uint8, steps (rows, 1).

    x ≈ (levels - zero_point) · steps, and no value lies outside.

    >>> levels, steps = quantize_rows(torch.tensor([[-1.0, 0.0, 0.5], [0.0, 0.0, 0.0]]), 128)
    >>> levels.tolist(), steps.flatten().tolist()
    ([[0, 128, 192], [128, 128, 128]], [0.0078125, 1.1754943508222875e-38])
    """
    # two reductions are far faster than `aminmax`, and so is a conversion to int8 than one to uint8
    steps = torch.maximum(x.amax(1, keepdim=True) / (LEVELS - zero_point), x.amin(1, keepdim=True) / -zero_point)
    steps.clamp_min_(torch.finfo(x.dtype).tiny)
    signed = (x * steps.reciprocal()).round_().add_(zero_point - 128).to(torch.int8)
    return signed.view(torch.uint8).bitwise_xor_(128), steps  # the flipped top bit adds 128
