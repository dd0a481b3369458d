"""What the encoder has to compute, and what the machine can: the two ends of "share of the ceiling"."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any

import torch

from extractors.emotion2vec.packing import count_frames
from extractors.emotion2vec.quantize import Int8Linear

SECONDS = 0.3  # that each kernel is timed for
SHAPES = (
    (2048, 1024, 4096),
    (2048, 4096, 1024),
    (3072, 3072, 3072),
)  # rows, in, out, of the encoder's products and a square
CUDA_SHAPES = ((8192, 8192, 8192), (32_768, 1024, 4096), (32_768, 4096, 1024))


def count_flops(module: Any, lengths: Iterable[int]) -> float:
    """Floating-point operations (a multiply-add is two) of FunASR's encoder over utterances of these samples.

    Matrix products and convolutions alone, each utterance by itself, nothing for packing or padding.
    """
    encoder = module.modality_encoders["AUDIO"]
    convs = [block[0] for block in encoder.local_encoder.conv_layers]
    dim, blocks = module.cfg.embed_dim, len(encoder.context_encoder.blocks) + len(module.blocks)
    extra = encoder.modality_cfg.num_extra_tokens
    positional = [part[0] for part in encoder.relative_positional_encoder if isinstance(part, torch.nn.Sequential)]
    hidden = module.cfg.mlp_ratio * dim
    total = 0.0
    for samples in lengths:
        rows = samples
        for conv in convs:
            rows = (rows - conv.kernel_size[0]) // conv.stride[0] + 1
            total += 2 * rows * conv.weight.numel()
        frames = count_frames(samples)
        tokens = frames + extra
        total += 2 * frames * (convs[-1].out_channels * dim + sum(conv.weight.numel() for conv in positional))
        total += blocks * (2 * tokens * (4 * dim * dim + 2 * dim * hidden) + 4 * tokens * tokens * dim)
    return total


def matmul_rates(device: torch.device, threads: int) -> dict[str, float]:
    """Operations per second of the fastest matrix product that torch has here, for each kind of number.

    On the CPU for oneDNN's products (with prepacked weights) and `torch.mm`, whichever is faster, at `threads` threads.
    """
    rates: dict[str, float] = {}
    for rows, depth, columns in CUDA_SHAPES if device.type == "cuda" else SHAPES:
        for kind, call in _kernels(device, rows, depth, columns).items():
            rates[kind] = max(rates.get(kind, 0.0), 2 * rows * depth * columns / _seconds(call, device))
    rates["threads"] = threads
    return rates


def _kernels(device: torch.device, rows: int, depth: int, columns: int) -> dict[str, Callable[[], Any]]:
    x, weight = torch.randn(rows, depth, device=device), torch.randn(columns, depth, device=device)
    if device.type == "cuda":
        kinds = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
        return {name: _product(x.to(dtype), weight.to(dtype)) for name, dtype in kinds.items()}
    calls: dict[str, Callable[[], Any]] = {"float32 torch.mm": _product(x, weight)}
    calls |= {f"{name} oneDNN": _onednn(x.to(dtype), weight.to(dtype)) for name, dtype in _onednn_kinds().items()}
    if hasattr(torch.ops.onednn, "qlinear_pointwise"):
        layer, levels = Int8Linear(weight, None), torch.randint(0, 255, (rows, depth), dtype=torch.uint8)
        calls["int8 oneDNN"] = lambda: layer.product(levels)
    return calls


def _product(x: torch.Tensor, weight: torch.Tensor) -> Callable[[], Any]:
    out = x.new_empty(len(x), len(weight))
    return lambda: torch.mm(x, weight.t(), out=out)


def _onednn(x: torch.Tensor, weight: torch.Tensor) -> Callable[[], Any]:
    packed = torch.ops.mkldnn._reorder_linear_weight(weight, len(x))
    return lambda: torch.ops.mkldnn._linear_pointwise(x, packed, None, "none", [], "none")


def _onednn_kinds() -> dict[str, torch.dtype]:
    from extractors.emotion2vec.linear import has_onednn

    return {str(dtype)[6:]: dtype for dtype in (torch.float32, torch.bfloat16) if has_onednn(dtype)}


def _seconds(call: Callable[[], Any], device: torch.device) -> float:
    """Least seconds of one call, over about `SECONDS`."""
    call()
    best, end = float("inf"), time.perf_counter() + SECONDS
    while time.perf_counter() < end:
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        start = time.perf_counter()
        call()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        best = min(best, time.perf_counter() - start)
    return best
