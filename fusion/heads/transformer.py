"""Parts that the heads of sequences share: tokens out of frames, and attention that no mask can break."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from fusion.heads.base import Sequences, check_features

SPEECH_STRIDE = {"speech": 4}  # 50 Hz -> 12.5 tokens a second


class Tokens(nn.Module):
    """Frames of each modality -> tokens of one width, with positions, zero where there is none.

    `strides[m]` neighbouring frames are averaged into one token, counting from the first frame and over those that are
    there: a token of 50 Hz speech then stands for 80 ms at stride 4, about a phone, and 30 s are 375 tokens instead of
    1,500. Each modality has a Linear and a LayerNorm of its own: the temporal convolution of MulT (Tsai et al., ACL 2019,
    section 3.2) with a kernel of one, over averages. Positions are the sinusoids of Vaswani et al., NeurIPS 2017, section
    3.5.

    What padding and absent rows hold is replaced before the first product, by `torch.where`: multiplying by a mask would
    keep a NaN and its gradient alive.

    >>> tokens = Tokens(dims={"speech": 4}, width=8, strides={"speech": 2}, dropout=0.0)
    >>> frames = Sequences(torch.full((1, 5, 4), torch.nan), torch.tensor([[True, True, True, False, False]]))
    >>> frames.values[:, :3] = 1.0
    >>> found = tokens({"speech": frames}, {"speech": torch.tensor([True])})
    >>> found["speech"].values.shape, found["speech"].mask.tolist(), found["speech"].values.isfinite().all().item()
    (torch.Size([1, 3, 8]), [[True, True, False]], True)
    """

    def __init__(self, *, dims: Mapping[str, int], width: int, strides: Mapping[str, int], dropout: float) -> None:
        super().__init__()
        self.dims, self.width, self.strides = dict(dims), width, dict(strides)
        if wrong := {m: stride for m, stride in self.strides.items() if int(stride) != stride or stride < 1}:
            raise ValueError(f"strides: expected whole numbers from 1 on, got {wrong}")
        self.project = nn.ModuleDict({m: nn.Linear(dim, width) for m, dim in self.dims.items()})
        self.normalize = nn.ModuleDict({m: nn.LayerNorm(width) for m in self.dims})
        self.dropout = nn.Dropout(dropout)

    def forward(self, features: Mapping[str, Any], present: Mapping[str, Tensor]) -> dict[str, Sequences]:
        """Modality -> (batch, tokens, width) and the mask of the tokens, in the order of `dims`."""
        check_features(features, self.dims, sequences=True)
        tokens = {}
        for modality, layer in self.project.items():
            frames: Sequences = features[modality]
            mask = frames.mask & present[modality][:, None]  # (batch, frames)
            values = torch.where(mask[:, :, None], frames.values, 0.0)
            values, mask = _strided(values, mask, self.strides.get(modality, 1))
            hidden = self.dropout(self.normalize[modality](layer(values)))  # (batch, tokens, width)
            hidden = hidden + positions(hidden.shape[1], self.width, device=hidden.device).to(hidden.dtype)
            tokens[modality] = Sequences(torch.where(mask[:, :, None], hidden, 0.0), mask)
        return tokens


def _strided(values: Tensor, mask: Tensor, stride: int) -> tuple[Tensor, Tensor]:
    """Means of `stride` neighbouring frames, over those of `mask`; `values` are zero elsewhere."""
    if stride == 1:
        return values, mask
    whole = values.shape[1] // stride * stride
    parts = [part[:, :whole].unflatten(1, (-1, stride)).sum(dim=2) for part in (values, mask)]
    if whole < values.shape[1]:
        rest = [part[:, whole:].sum(dim=1, keepdim=True) for part in (values, mask)]
        parts = [torch.cat(pair, dim=1) for pair in zip(parts, rest, strict=True)]
    total, count = parts  # (batch, tokens, dim), (batch, tokens)
    return total / count.clamp(min=1)[:, :, None], count > 0


def positions(tokens: int, width: int, *, device: torch.device) -> Tensor:
    """(tokens, width) float32: sines in the first half, cosines in the second, wavelengths from 2 pi to 20,000 pi."""
    place = torch.arange(tokens, device=device, dtype=torch.float32)[:, None]
    half = (width + 1) // 2
    rate = torch.exp(torch.arange(half, device=device) * (-math.log(10_000.0) / max(half - 1, 1)))
    return torch.cat([(place * rate).sin(), (place * rate).cos()], dim=1)[:, :width]


class Attention(nn.Module):
    """Multi-head scaled dot-product attention (Vaswani et al., NeurIPS 2017, eq. 1). Nothing to attend to gives zeros.

    Queries and keys have no bias: one on the keys shifts all scores of a query alike, and no gradient would reach it.
    """

    def __init__(self, *, width: int, heads: int) -> None:
        super().__init__()
        if width % heads:
            raise ValueError(f"heads: expected a divisor of width={width}, got {heads}")
        self.heads = heads
        self.query = nn.Linear(width, width, bias=False)
        self.key_value = nn.Linear(width, 2 * width, bias=False)
        self.out = nn.Linear(width, width)

    def forward(self, queries: Tensor, source: Tensor, mask: Tensor) -> Tensor:
        """queries (batch, tokens, width) attend to source (batch, others, width) where mask (batch, others) is true."""
        query = self.query(queries).unflatten(2, (self.heads, -1)).transpose(1, 2)  # (batch, heads, tokens, dim)
        pairs = self.key_value(source).unflatten(2, (2 * self.heads, -1)).transpose(1, 2)
        key, value = pairs.chunk(2, dim=1)  # (batch, heads, others, dim) each
        something = mask.any(dim=1)  # (batch,)
        # a row with nothing to attend to attends to all, and its answer is dropped: softmax over nothing is NaN
        allowed = (mask | ~something[:, None])[:, None, None, :]
        heard = F.scaled_dot_product_attention(query, key, value, attn_mask=allowed)
        return torch.where(something[:, None, None], self.out(heard.transpose(1, 2).flatten(2)), 0.0)


class FeedForward(nn.Sequential):
    """LayerNorm, then two layers with a GELU between; `expansion` times the width inside."""

    def __init__(self, *, width: int, expansion: float, dropout: float) -> None:
        inner = int(expansion * width)
        super().__init__(
            nn.LayerNorm(width), nn.Linear(width, inner), nn.GELU(), nn.Linear(inner, width), nn.Dropout(dropout)
        )


class Layer(nn.Module):
    """Attention and feed-forward with residuals, normalised before each part; sizes as the heads name them."""

    def __init__(self, *, width: int, heads: int, expansion: float, dropout: float) -> None:
        super().__init__()
        self.normalize = nn.LayerNorm(width)
        self.attend = Attention(width=width, heads=heads)
        self.drop = nn.Dropout(dropout)
        self.feed = FeedForward(width=width, expansion=expansion, dropout=dropout)

    def forward(self, values: Tensor, mask: Tensor, source: Tensor | None = None) -> Tensor:
        """values (batch, tokens, width) attend to `source`, normalised by who calls, or to themselves, where `mask`."""
        normal = self.normalize(values)
        values = values + self.drop(self.attend(normal, normal if source is None else source, mask))
        return values + self.feed(values)


def masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    """(batch, tokens, width) -> (batch, width), over the tokens of `mask`; zeros where there are none.

    >>> masked_mean(torch.tensor([[[1.0], [3.0], [9.0]]]), torch.tensor([[True, True, False]])).tolist()
    [[2.0]]
    """
    total = torch.where(mask[:, :, None], values, 0.0).sum(dim=1)
    return total / mask.sum(dim=1, keepdim=True).clamp(min=1)
