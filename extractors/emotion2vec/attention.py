"""Attention of packed utterances: each to itself, with ALiBi among its frames and none at its extra tokens."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from extractors.emotion2vec.packing import Layout

DENSE_TOKENS = 512  # tokens of an utterance up to which a table of its bias is cheaper than two passes


def alibi_slopes(heads: int) -> Tensor:
    """Slope of each head, (heads,) float32: a geometric sequence; odd counts borrow from the next power of two.

    Press, Smith and Lewis, "Train Short, Test Long" (ICLR 2022), section 3, and the authors' code for other counts.

    >>> alibi_slopes(4).tolist()
    [0.25, 0.0625, 0.015625, 0.00390625]
    """
    power = 2 ** math.floor(math.log2(heads))
    first = 2.0 ** -(2.0 ** (3 - math.log2(power)))
    slopes = [first ** (i + 1) for i in range(power)]
    if power < heads:
        slopes += alibi_slopes(2 * power)[::2][: heads - power].tolist()
    return torch.tensor(slopes)


class PackedAttention:
    """softmax(q k / √d + bias) v within each utterance of a pack.

    bias[h, i, j] = -slope[h] · scale[h] · |i - j| between frames; 0 where i or j is an extra token.
    slopes : (heads,) slope × learned scale, not negative
    """

    def __init__(self, slopes: Tensor, layout: Layout, dtype: torch.dtype) -> None:
        self.layout = layout
        longest = max(stop - start for start, stop in layout.spans)
        self.table = bias_table(slopes, min(longest, DENSE_TOKENS), layout.extra).to(dtype)
        self.slopes = slopes

    def __call__(self, qkv: Tensor) -> Tensor:
        """qkv (tokens, 3, heads, head_dim) -> (tokens, heads · head_dim); rows of no utterance are zero."""
        tokens, _, heads, width = qkv.shape
        out = qkv.new_zeros(tokens, heads, width)
        q, k, v = qkv.permute(1, 2, 0, 3)  # (heads, tokens, head_dim) each
        for start, stop in self.layout.spans:
            size = stop - start
            if size <= self.table.shape[-1]:
                bias = self.table[:, :size, :size]
                mixed = F.scaled_dot_product_attention(
                    q[None, :, start:stop], k[None, :, start:stop], v[None, :, start:stop], attn_mask=bias[None]
                )
                out[start:stop] = mixed[0].transpose(0, 1)
            else:
                out[start:stop] = long_attention(
                    q[:, start:stop], k[:, start:stop], v[:, start:stop], self.slopes, self.layout.extra
                ).transpose(0, 1)
        return out.reshape(tokens, heads * width)


def bias_table(slopes: Tensor, size: int, extra: int) -> Tensor:
    """The bias of `size` tokens, (heads, size, size); its upper left corner is that of a shorter utterance."""
    place = torch.arange(size, device=slopes.device, dtype=slopes.dtype)
    distance = (place[:, None] - place[None, :]).abs()
    distance[:extra] = 0
    distance[:, :extra] = 0
    return -slopes[:, None, None] * distance


def long_attention(q: Tensor, k: Tensor, v: Tensor, slopes: Tensor, extra: int, block: int = 256) -> Tensor:
    """The same for one long utterance, in blocks of queries: memory grows with its length, not with its square.

    q, k, v (heads, tokens, head_dim) -> (heads, tokens, head_dim).
    """
    size = q.shape[1]
    out = torch.empty_like(q)
    place = torch.arange(size, device=q.device, dtype=slopes.dtype)
    for start in range(0, size, block):
        stop = min(start + block, size)
        distance = (place[start:stop, None] - place[None, :]).abs()
        distance[:, :extra] = 0
        distance[: max(0, extra - start)] = 0
        bias = (-slopes[:, None, None] * distance).to(q.dtype)
        out[:, start:stop] = F.scaled_dot_product_attention(
            q[None, :, start:stop], k[None], v[None], attn_mask=bias[None]
        )[0]
    return out
