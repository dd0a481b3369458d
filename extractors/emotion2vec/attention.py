"""Attention of packed utterances: each to itself, with ALiBi among its frames and none at its extra tokens."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from extractors.emotion2vec.flex import flex_attention_of, has_flex
from extractors.emotion2vec.linear import has_onednn
from extractors.emotion2vec.packing import GRAIN, Layout

SHORT = 256  # tokens up to which one table of biases serves every utterance of a pack
QUERIES = 512  # queries of a longer utterance that attend at a time: memory grows with its length, not its square

Attention = Callable[[Tensor], Tensor]  # qkv (tokens, 3, heads, head_dim) -> (tokens, heads · head_dim)


def alibi_slopes(heads: int) -> Tensor:
    """Slope of each head, (heads,) float32: a geometric sequence; other counts than powers of two borrow from the next.

    Press, Smith and Lewis, "Train Short, Test Long" (ICLR 2022), section 3, and its authors' code.

    >>> alibi_slopes(4).tolist()
    [0.25, 0.0625, 0.015625, 0.00390625]
    """
    power = 2 ** math.floor(math.log2(heads))
    first = 2.0 ** -(2.0 ** (3 - math.log2(power)))
    slopes = [first ** (i + 1) for i in range(power)]
    if power < heads:
        slopes += alibi_slopes(2 * power)[::2][: heads - power].tolist()
    return torch.tensor(slopes)


def packed_attention(layout: Layout, slopes: Tensor, scale: float, dtype: torch.dtype) -> Attention:
    """The best attention for one pack where `slopes` lies.

    softmax(scale · q k + bias) v within each utterance; bias[h, i, j] = -slopes[h] · |i - j| between its frames and 0
    where i or j is an extra token. Rows of no utterance come out as zeros or as something finite that nothing reads.

    slopes : (heads,) float32, ALiBi's slope times the learned scale, not negative
    """
    if slopes.device.type == "cuda" and has_flex():
        return flex_attention_of(layout, slopes, scale)
    return _PerUtterance(layout, slopes, scale, dtype)


class _PerUtterance:
    """One utterance after the other: short ones by the fused kernel, long ones in blocks of queries."""

    def __init__(self, layout: Layout, slopes: Tensor, scale: float, dtype: torch.dtype) -> None:
        self.layout, self.slopes, self.scale = layout, slopes, scale
        self.onednn = slopes.device.type == "cpu" and dtype == torch.float32 and has_onednn()
        shorts = [size for start, stop in layout.spans if (size := stop - start) <= SHORT]
        size = max(shorts, default=0)
        # the upper left corner of a table is the table of a shorter utterance
        self.table = (-slopes[:, None, None] * _distances(0, size, size, layout.extra, slopes)).to(dtype)

    def __call__(self, qkv: Tensor) -> Tensor:
        tokens, _, heads, width = qkv.shape
        out = qkv.new_zeros(tokens, heads, width)
        q, k, v = qkv.permute(1, 2, 0, 3)  # (heads, tokens, head_dim) each
        for start, stop in self.layout.spans:
            size = stop - start
            own = (q[:, start:stop], k[:, start:stop], v[:, start:stop])
            if size <= SHORT:
                out[start:stop] = self._fused(*own, self.table[:, :size, :size]).transpose(0, 1)
            else:
                self._long(*own, out[start:stop])
        return out.view(tokens, heads * width)

    def _fused(self, q: Tensor, k: Tensor, v: Tensor, bias: Tensor) -> Tensor:
        return F.scaled_dot_product_attention(q[None], k[None], v[None], attn_mask=bias[None], scale=self.scale)[0]

    def _long(self, q: Tensor, k: Tensor, v: Tensor, out: Tensor) -> None:
        """q, k, v (heads, size, head_dim); fills out (size, heads, head_dim)."""
        size = q.shape[1]
        attend = self._products(k, v) if self.onednn else None
        for start in range(0, size, QUERIES):
            stop = min(start + QUERIES, size)
            distances = _distances(start, stop, size, self.layout.extra, self.slopes)
            if attend is not None:
                attend(q[:, start:stop], distances, out[start:stop])
            else:
                bias = (-self.slopes[:, None, None] * distances).to(q.dtype)
                out[start:stop] = self._fused(q[:, start:stop], k, v, bias).transpose(0, 1)

    def _products(self, k: Tensor, v: Tensor) -> Callable[[Tensor, Tensor, Tensor], None]:
        """Head by head with oneDNN's products, which outrun the fused kernel's where MKL is slow (see `linear`)."""
        product = torch.ops.mkldnn._linear_pointwise
        size = k.shape[1]
        keys = [_round_rows(head).contiguous() for head in k]
        values = [_round_rows(head).t().contiguous() for head in v]
        slopes = self.slopes.tolist()

        def attend(q: Tensor, distances: Tensor, out: Tensor) -> None:
            rows = q.shape[1]
            for head, slope in enumerate(slopes):
                scores = product(_round_rows(q[head] * self.scale), keys[head], None, "none", [], "none")
                scores[:rows, :size].add_(distances, alpha=-slope)
                scores[:, size:] = -torch.inf  # keys that only round the number
                out[:, head] = product(torch.softmax(scores, dim=-1), values[head], None, "none", [], "none")[:rows]

        return attend


def _round_rows(x: Tensor) -> Tensor:
    """(rows, width) with zeros up to a multiple of GRAIN rows: see there."""
    return F.pad(x, (0, 0, 0, -len(x) % GRAIN))


def _distances(start: int, stop: int, size: int, extra: int, like: Tensor) -> Tensor:
    """|i - j| of queries start…stop-1 and keys 0…size-1, zero at the `extra` first ones. (stop - start, size)."""
    place = torch.arange(size, device=like.device, dtype=like.dtype)
    distances = (place[start:stop, None] - place[None, :]).abs_()
    distances[:, :extra] = 0
    distances[: max(0, extra - start)] = 0
    return distances
