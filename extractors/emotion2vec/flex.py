"""Block-diagonal attention with ALiBi on CUDA: FlexAttention, so that no bias is ever laid out in memory."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from torch import Tensor

from extractors.emotion2vec.packing import Layout
from extractors.emotion2vec.transfer import to_device

log = logging.getLogger(__name__)

BLOCK = 128  # tokens of one tile of the block mask, FlexAttention's own default


@cache
def has_flex() -> bool:
    """Whether FlexAttention can be compiled here: torch brings it, Triton makes its kernels."""
    try:
        from torch.nn.attention.flex_attention import flex_attention  # noqa: F401
        from torch.utils._triton import has_triton

        found = bool(has_triton())
    except ImportError:
        found = False
    if not found:
        log.warning("no Triton: attention runs one utterance at a time, which is slower")
    return found


@cache
def _compiled() -> Callable[..., Tensor]:
    from torch.nn.attention.flex_attention import flex_attention

    return torch.compile(flex_attention, dynamic=True)


def flex_attention_of(
    layout: Layout, slopes: Tensor, scale: float, kernel: Callable[..., Any] | None = None
) -> Callable[[Tensor], Tensor]:
    """Attention of one pack in one kernel: qkv (tokens, 3, heads, head_dim) -> (tokens, heads · head_dim).

    slopes : (heads,) float32, as for `packed_attention`
    kernel : FlexAttention itself, compiled unless another is given
    """
    owner, is_frame = _owners(layout, slopes.device)

    def mask(batch: Tensor, head: Tensor, query: Tensor, key: Tensor) -> Tensor:
        return owner[query] == owner[key]

    def score(value: Tensor, batch: Tensor, head: Tensor, query: Tensor, key: Tensor) -> Tensor:
        # within an utterance, places differ by exactly as much as frames do
        distance = (query - key).abs() * (is_frame[query] & is_frame[key])
        return value - slopes[head] * distance

    tiles = block_mask(layout, slopes.device, mask)
    flex = kernel or _compiled()

    def attend(qkv: Tensor) -> Tensor:
        q, k, v = qkv.permute(1, 2, 0, 3)[:, None]  # (1, heads, tokens, head_dim) each
        out = flex(q, k, v, score_mod=score, block_mask=tiles, scale=scale)
        return out[0].transpose(0, 1).flatten(1)

    return attend


def block_mask(layout: Layout, device: torch.device, mask: Callable[..., Tensor]) -> Any:
    """FlexAttention's BlockMask of a pack, straight from its layout: no tokens × tokens table on the way.

    The keys of one tile of queries are one run of tiles, from the first token of its first utterance to the last
    token of its last one.
    """
    from torch.nn.attention.flex_attention import BlockMask

    tokens = layout.tokens
    tiles = -(-tokens // BLOCK)
    begins, ends = torch.arange(tokens), torch.arange(1, tokens + 1)  # idle slots attend to themselves
    for start, stop in layout.spans:
        begins[start:stop], ends[start:stop] = start, stop
    first, last = (torch.arange(tiles) * BLOCK, (torch.arange(tiles) * BLOCK + BLOCK - 1).clamp_max(tokens - 1))
    low = begins[first] // BLOCK
    high = -(-ends[last] // BLOCK)
    count = (high - low).to(torch.int32)
    run = (low[:, None] + torch.arange(tiles)[None, :]).clamp_max(tiles - 1).to(torch.int32)
    return BlockMask.from_kv_blocks(
        to_device(count, device)[None, None],
        to_device(run, device)[None, None],
        BLOCK_SIZE=BLOCK,
        mask_mod=mask,
        seq_lengths=(tokens, tokens),
    )


def _owners(layout: Layout, device: torch.device) -> tuple[Tensor, Tensor]:
    """Utterance of each token (idle slots own themselves) and whether it is a frame, (tokens,) both."""
    owner = -1 - torch.arange(layout.tokens)
    is_frame = torch.zeros(layout.tokens, dtype=torch.bool)
    for number, (start, stop) in enumerate(layout.spans):
        owner[start:stop] = number
        is_frame[start + layout.extra : stop] = True
    return to_device(owner, device), to_device(is_frame, device)
