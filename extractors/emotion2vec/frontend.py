"""From a packed wave to packed tokens: seven strided convolutions, a projection, the positional convolutions."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from extractors.emotion2vec.linear import Norm, Target
from extractors.emotion2vec.packing import FIELD, HOP, Layout
from extractors.emotion2vec.quantize import LOW
from extractors.emotion2vec.transfer import to_device

# frames whose convolutions run at a time
CPU_CHUNK = 64  # what lies between two layers then fits the cache
CUDA_CHUNK = 4096  # about 1 GB in float32


class StridedConv(nn.Module):
    """A 1-d convolution over rows (time, channels) with its layer norm and GELU, as matrix products.

    The taps of one stride lie next to one another in memory, so the rows seen as (time / stride, stride · channels)
    already are the matrix to multiply; the taps that reach into the next stride make a second, smaller product.
    Nothing is copied.
    """

    def __init__(self, conv: nn.Conv1d, norm: nn.LayerNorm, target: Target) -> None:
        super().__init__()
        self.kernel, self.stride, self.channels = conv.kernel_size[0], conv.stride[0], conv.in_channels
        # a product of one channel's few taps would be too thin to split: there they are copied out instead
        step = self.kernel if self.channels == 1 else self.stride
        taps = conv.weight.permute(0, 2, 1)  # (out, kernel, in)
        self.offsets = range(0, self.kernel, step)
        self.widths = [min(step, self.kernel - offset) for offset in self.offsets]
        self.products = nn.ModuleList(
            target.linear(
                taps[:, offset : offset + step].reshape(conv.out_channels, -1),
                sensitive=self.channels == 1,
                zero_point=LOW,
            )
            for offset in self.offsets
        )
        self.norm: Norm = target.norm(norm)

    def forward(self, x: Tensor) -> Tensor:
        """x (time, in), contiguous -> ((time - kernel) // stride + 1, out)."""
        rows = (x.shape[0] - self.kernel) // self.stride + 1
        total: Tensor | None = None
        for product, offset, width in zip(self.products, self.offsets, self.widths, strict=True):
            start = x.storage_offset() + offset * self.channels
            taps = x.as_strided((rows, width * self.channels), (self.stride * self.channels, 1), start)
            part = product(taps if width <= self.stride else taps.contiguous())
            total = part if total is None else total.add_(part)
        return torch.ops.aten.gelu_(self.norm(total))


class PositionalConv(nn.Module):
    """A grouped convolution over tokens with its plain layer norm and GELU, (tokens, dim) -> (tokens, dim)."""

    weight: Tensor
    bias: Tensor | None

    def __init__(self, conv: nn.Conv1d, target: Target) -> None:
        super().__init__()
        weight = target.tensor(conv.weight).unsqueeze(-1)  # (dim, dim / groups, kernel, 1)
        self.register_buffer("weight", weight.contiguous(memory_format=torch.channels_last), persistent=False)
        self.register_buffer("bias", None if conv.bias is None else target.tensor(conv.bias), persistent=False)
        self.groups, self.padding = conv.groups, int(conv.padding[0])

    def forward(self, x: Tensor) -> Tensor:
        tokens, dim = x.shape
        image = x.view(1, tokens, 1, dim).permute(0, 3, 1, 2)  # (1, dim, tokens, 1), channels last as it lies
        y = F.conv2d(image, self.weight, self.bias, padding=(self.padding, 0), groups=self.groups)
        y = y[0, :, :tokens, 0].t()  # an even kernel makes one row too many
        return torch.ops.aten.gelu_(F.layer_norm(y, (dim,)))


class Frontend(nn.Module):
    """Packed wave to packed tokens, ready for the transformer.

    forward(wave (layout.samples,), layout) -> (layout.tokens, dim), with the extra tokens in their slots.
    """

    extra: Tensor | None

    def __init__(self, encoder: Any, target: Target) -> None:
        super().__init__()
        self.convs = nn.ModuleList(
            StridedConv(block[0], block[2][1], target) for block in encoder.local_encoder.conv_layers
        )
        norm, project = encoder.project_features[1:3]
        self.norm = target.norm(norm)
        self.project = target.linear(project.weight, project.bias, sensitive=True)
        positional = encoder.relative_positional_encoder
        self.position_norm = None
        if encoder.modality_cfg.conv_pos_pre_ln:
            self.position_norm, positional = target.norm(positional[0]), positional[1]
        blocks: list[Any] = [block[0] for block in positional if isinstance(block, nn.Sequential)]
        self.positions = nn.ModuleList(PositionalConv(conv, target) for conv in blocks)
        self.reach = max(int(conv.padding[0]) for conv in blocks)  # zeros that must part two utterances
        self.chunk = CPU_CHUNK if target.device.type == "cpu" else CUDA_CHUNK
        extra = encoder.extra_tokens
        self.register_buffer("extra", None if extra is None else target.tensor(extra[0]), persistent=False)

    def forward(self, wave: Tensor, layout: Layout) -> Tensor:
        return self.place(self.convolve(wave, layout.units - 1), layout)

    def convolve(self, wave: Tensor, frames: int) -> Tensor:
        """The convolutions and the projection: wave (samples,) -> its first `frames` frames (frames, dim)."""
        done = []
        for start in range(0, frames, self.chunk):
            stop = min(start + self.chunk, frames)
            x = wave[start * HOP : (stop - 1) * HOP + FIELD, None]
            for conv in self.convs:
                x = conv(x)
            done.append(self.project(self.norm(x)))
        return torch.cat(done)

    def place(self, features: Tensor, layout: Layout) -> Tensor:
        """Frames in their places, positions added, extra tokens set: (units - 1, dim) -> (tokens, dim)."""
        device = features.device
        x = features.new_zeros(layout.tokens, features.shape[-1])
        x[to_device(layout.frame_places, device)] = features[to_device(layout.frame_units, device)]
        slots = to_device(layout.slot_places, device)
        position = x if self.position_norm is None else self.position_norm(x).index_fill_(0, slots, 0)
        for conv in self.positions:
            # zeros between the utterances again, as the next convolution expects around each of them
            position = conv(position).index_fill_(0, slots, 0)
        x += position
        if self.extra is not None:
            x[to_device(layout.extra_places, device)] = self.extra.repeat(len(layout.frames), 1)
        return x
