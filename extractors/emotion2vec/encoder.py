"""Emotion2Vec+ over many utterances at once: FunASR's numbers, without its padding, its loop or its memory."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from typing import Any, Literal

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from numpy.typing import NDArray
from torch import Tensor, nn

from extractors.emotion2vec.attention import PackedAttention, alibi_slopes
from extractors.emotion2vec.frontend import Frontend
from extractors.emotion2vec.linear import Target
from extractors.emotion2vec.packing import FIELD, Layout, count_frames, plan_packs
from extractors.errors import InputError

log = logging.getLogger(__name__)

Precision = Literal["float32", "bfloat16", "float16", "int8"]
CPU_TOKENS = 2048  # tokens of a pack on the CPU: more make no product faster, and cost memory
MLP_ROWS = 1024  # tokens whose hidden MLP values exist at a time


class Block(nn.Module):
    """One post-norm transformer block over packed tokens, (tokens, dim) -> (tokens, dim)."""

    def __init__(self, block: Any, target: Target) -> None:
        super().__init__()
        self.heads: int = block.attn.num_heads
        self.qkv = target.linear(block.attn.qkv.weight, block.attn.qkv.bias)
        self.proj = target.linear(block.attn.proj.weight, block.attn.proj.bias)
        self.norm1, self.norm2 = target.norm(block.norm1), target.norm(block.norm2)
        self.up = target.linear(block.mlp.fc1.weight, block.mlp.fc1.bias)
        self.down = target.linear(block.mlp.fc2.weight, block.mlp.fc2.bias)

    def forward(self, x: Tensor, attend: PackedAttention) -> Tensor:
        tokens, dim = x.shape
        qkv = self.qkv(x).view(tokens, 3, self.heads, dim // self.heads)
        x = self.norm1(self.proj(attend(qkv)).add_(x))
        mixed = torch.cat([self.down(self.up(rows, gelu=True)) for rows in x.split(MLP_ROWS)])
        return self.norm2(mixed.add_(x))


class PackedNetwork(nn.Module):
    """One pack through the whole encoder.

    forward(wave (layout.samples,), layout, layers) -> [(layout.tokens, dim) of each of `layers`, ascending].
    """

    def __init__(self, module: Any, target: Target) -> None:
        super().__init__()
        encoder = module.modality_encoders["AUDIO"]
        self.frontend = Frontend(encoder, target)
        self.norm = None if encoder.context_encoder.norm is None else target.norm(encoder.context_encoder.norm)
        self.blocks = nn.ModuleList(Block(block, target) for block in (*encoder.context_encoder.blocks, *module.blocks))
        slopes = alibi_slopes(encoder.modality_cfg.num_alibi_heads)
        scale = encoder.alibi_scale.detach().float().clamp_min(0).cpu()[:, 0, :, 0, 0]  # (layers or 1, heads or 1)
        self.slopes: Tensor
        self.register_buffer("slopes", (slopes * scale).to(target.device), persistent=False)
        self.extra: int = 0 if encoder.extra_tokens is None else encoder.extra_tokens.shape[1]
        self.slots = max(self.extra, self.frontend.reach)

    def forward(self, wave: Tensor, layout: Layout, layers: frozenset[int]) -> dict[int, Tensor]:
        x = self.frontend(wave, layout)
        if self.norm is not None:
            x = self.norm(x)
        biases = [PackedAttention(slopes, layout, x.dtype) for slopes in self.slopes]
        kept = {}
        for number, block in enumerate(self.blocks):
            x = block(x, biases[number if len(biases) > 1 else 0])
            if number in layers:
                kept[number] = x
        return kept


class PackedEncoder:
    """FunASR's Emotion2vec module, exact and packed.

    module : FunASR's `Emotion2vec` (its training decoder may be gone); only its weights and settings are used
    precision : "float32" equals the module to about 1e-5; "bfloat16" and "float16" are for CUDA; "int8" is for the CPU
    max_tokens : tokens (frames, and ten for each utterance) that run at once, or "auto"; memory depends on it and on
        the longest utterance alone
    """

    def __init__(
        self,
        module: nn.Module,
        *,
        device: str | torch.device = "cpu",
        precision: Precision = "float32",
        max_tokens: int | Literal["auto"] = "auto",
    ) -> None:
        self.device = torch.device(device)
        self.precision = precision
        self.max_tokens = CPU_TOKENS if max_tokens == "auto" else max_tokens
        dtype = {"bfloat16": torch.bfloat16, "float16": torch.float16}.get(precision, torch.float32)
        self._dim = module.cfg.embed_dim  # type: ignore[union-attr]
        self._normalize = bool(module.cfg.normalize)  # type: ignore[union-attr]
        with torch.inference_mode():
            self.network = PackedNetwork(module, Target(self.device, dtype)).eval()

    @property
    def dim(self) -> int:
        """Width of a frame's vector."""
        return int(self._dim)

    @property
    def num_layers(self) -> int:
        """Transformer blocks; `layers` counts them from 0, or from the end with -1."""
        return len(self.network.blocks)

    def encode(
        self, waves: Sequence[NDArray[np.float32]], *, layers: Sequence[int] | None = None
    ) -> list[Tensor]:
        """Frames of each wave, in order.

        waves : each (samples,) float32 mono at 16 kHz, at least 400 samples
        layers : numbers of blocks (0 … num_layers - 1, or negative from the end) whose outputs are wanted

        Returns (frames, dim) float32 on the CPU for each wave, or (layers, frames, dim) where `layers` is given;
        frames = (samples - 400) // 320 + 1, one every 20 ms.
        Raises InputError for waves that are too short or not float32 vectors.
        """
        found: list[Tensor | None] = [None] * len(waves)
        for index, frames in self.stream(waves, layers=layers):
            found[index] = frames
        return found  # type: ignore[return-value]

    def stream(
        self, waves: Sequence[NDArray[np.float32]], *, layers: Sequence[int] | None = None
    ) -> Iterator[tuple[int, Tensor]]:
        """(index, frames) as `encode` gives them, pack by pack, longest waves first."""
        _check(waves)
        wanted = [range(self.num_layers)[layer] for layer in (layers if layers is not None else [-1])]
        counts = [count_frames(len(wave)) for wave in waves]
        for pack in plan_packs(counts, slots=self.network.slots, max_tokens=self.max_tokens):
            layout = Layout(tuple(counts[i] for i in pack), self.network.slots, self.network.extra)
            with torch.inference_mode():
                wave = self._pack([waves[i] for i in pack], layout)
                kept = self.network(wave, layout, frozenset(wanted))
            for index, (start, stop) in zip(pack, layout.frame_spans, strict=True):
                if layers is None:
                    yield index, kept[wanted[0]][start:stop].float().cpu().clone()
                else:
                    yield index, torch.stack([kept[number][start:stop].float().cpu() for number in wanted])

    def _pack(self, waves: Sequence[NDArray[np.float32]], layout: Layout) -> Tensor:
        """The waves end to end, each normalised over its own samples."""
        packed = torch.zeros(layout.samples)
        for wave, start, frames in zip(waves, layout.wave_starts, layout.frames, strict=True):
            samples = torch.from_numpy(np.ascontiguousarray(wave))
            if self._normalize:
                samples = F.layer_norm(samples, samples.shape)
            used = (frames - 1) * 320 + FIELD
            packed[start : start + used] = samples[:used]
        return packed.to(self.device, self.network.slopes.dtype)


def _check(waves: Sequence[NDArray[np.float32]]) -> None:
    problems = []
    for number, wave in enumerate(waves):
        if wave.ndim != 1 or wave.dtype != np.float32:
            problems.append(f"wave {number}: expected float32 (samples,), got {wave.dtype} {wave.shape}")
        elif len(wave) < FIELD:
            problems.append(f"wave {number}: {len(wave)} samples, and {FIELD} (25 ms) are the least")
    if problems:
        raise InputError("the encoder cannot take these waves", problems, "Pass mono float32 arrays at 16 kHz.")
