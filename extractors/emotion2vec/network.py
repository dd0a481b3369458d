"""The whole encoder over one pack, built from the parts of FunASR's module."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from extractors.emotion2vec.attention import Attention, alibi_slopes, packed_attention
from extractors.emotion2vec.frontend import Frontend
from extractors.emotion2vec.linear import Target, has_onednn
from extractors.emotion2vec.packing import FIELD, HOP, Layout
from extractors.emotion2vec.quantize import LOW, has_int8

# tokens that pass together through what looks at one token at a time
CPU_ROWS = 512  # what lies between two products then stays in the cache
CUDA_ROWS = 16_384  # bounds the hidden values of the MLP


class Block(nn.Module):
    """One transformer block, norms after its parts: x (tokens, dim) -> (tokens, dim)."""

    def __init__(self, block: Any, target: Target) -> None:
        super().__init__()
        self.heads: int = block.attn.num_heads
        self.rows = CPU_ROWS if target.device.type == "cpu" else CUDA_ROWS
        self.qkv = target.linear(block.attn.qkv.weight, block.attn.qkv.bias)
        # of a block's products this one costs the least and, in fewer bits, loses the most
        self.proj = target.linear(block.attn.proj.weight, block.attn.proj.bias, sensitive=True)
        self.norm1, self.norm2 = target.norm(block.norm1), target.norm(block.norm2)
        self.up = target.linear(block.mlp.fc1.weight, block.mlp.fc1.bias)
        self.down = target.linear(block.mlp.fc2.weight, block.mlp.fc2.bias, zero_point=LOW)

    def forward(self, x: Tensor, attend: Attention) -> Tensor:
        tokens, dim = x.shape
        qkv = torch.cat([self.qkv(rows) for rows in x.split(self.rows)])
        mixed = attend(qkv.view(tokens, 3, self.heads, dim // self.heads))
        return torch.cat([self._rest(*rows) for rows in zip(mixed.split(self.rows), x.split(self.rows), strict=True)])

    def _rest(self, mixed: Tensor, x: Tensor) -> Tensor:
        """All that looks at one token at a time."""
        x = self.norm1(self.proj(mixed).add_(x))
        return self.norm2(self.down(self.up(x, gelu=True)).add_(x))


class PackedNetwork(nn.Module):
    """FunASR's encoder over one pack.

    forward(wave (layout.samples,) float32, layout, layers) -> (len(layers), layout.tokens, dim), outputs of those blocks
    """

    def __init__(self, module: Any, device: torch.device, precision: str) -> None:
        super().__init__()
        target = Target(device, precision)
        encoder = module.modality_encoders["AUDIO"]
        blocks = [*encoder.context_encoder.blocks, *module.blocks]
        self.dtype = target.dtype
        self.frontend = Frontend(encoder, target)
        norm = encoder.context_encoder.norm
        self.norm = nn.Identity() if norm is None else target.norm(norm)
        self.blocks = nn.ModuleList(Block(block, target) for block in blocks)
        self.scale: float = blocks[0].attn.scale
        self.slopes: Tensor  # (1 or blocks, heads) float32
        self.register_buffer("slopes", _slopes(encoder, blocks[0].attn.num_heads).to(device), persistent=False)
        self.extra: int = 0 if encoder.extra_tokens is None else encoder.extra_tokens.shape[1]
        self.slots = max(self.extra, self.frontend.reach)

    def forward(self, wave: Tensor, layout: Layout, layers: Sequence[int]) -> Tensor:
        x = self.norm(self.frontend(wave.to(self.dtype), layout))
        attentions = [packed_attention(layout, slopes, self.scale, self.dtype) for slopes in self.slopes]
        kept = {}
        for number, block in enumerate(self.blocks[: max(layers) + 1]):
            x = block(x, attentions[number if len(attentions) > 1 else 0])
            if number in layers:
                kept[number] = x
        return torch.stack([kept[number] for number in layers])


def _slopes(encoder: Any, heads: int) -> Tensor:
    """ALiBi's slopes times the learned scales, zero for heads without: (1 or blocks, heads) float32."""
    slopes = torch.zeros(1, heads)
    if encoder.get_alibi_bias is not None:
        biased: int = encoder.modality_cfg.num_alibi_heads
        slopes[:, :biased] = alibi_slopes(biased)
        if encoder.alibi_scale is not None:
            scale = encoder.alibi_scale.detach().float().cpu().clamp_min(0)[:, 0, :, 0, 0]  # (1 or blocks, 1 or biased)
            slopes = slopes.repeat(len(scale), 1)
            slopes[:, :biased] *= scale
    return slopes


def unsupported(module: Any, device: torch.device, precision: str) -> list[str]:
    """What of a FunASR module, or of running it like that, the packed encoder cannot do; empty if it can do it all."""
    problems = []
    encoder = module.modality_encoders["AUDIO"]
    convs = [block[0] for block in encoder.local_encoder.conv_layers]
    hop, field = 1, 1
    for conv in convs:
        field += (conv.kernel_size[0] - 1) * hop
        hop *= conv.stride[0]
    if (hop, field) != (HOP, FIELD):
        problems.append(f"convolutions: expected a frame of {FIELD} samples every {HOP}, got {field} every {hop}")
    if encoder.modality_cfg.extractor_mode != "layer_norm":
        problems.append(f"extractor_mode: expected 'layer_norm', got {encoder.modality_cfg.extractor_mode!r}")
    if module.cfg.layer_norm_first:
        problems.append("layer_norm_first: expected false, as in all published models")
    if encoder.modality_cfg.learned_alibi:
        problems.append("learned_alibi: expected false, as in all published models")
    if precision == "int8" and (device.type != "cpu" or not has_int8()):
        problems.append(f"precision: int8 runs on the CPU with oneDNN, not on {device}; use bfloat16 or float32")
    if precision == "float16" and device.type == "cpu":
        problems.append("precision: float16 is for CUDA; on the CPU use float32, bfloat16 or int8")
    if precision == "bfloat16" and device.type == "cpu" and not has_onednn(torch.bfloat16):
        problems.append("precision: this CPU does not compute in bfloat16; use float32 or int8")
    return problems
