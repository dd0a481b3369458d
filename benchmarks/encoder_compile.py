"""Does `torch.compile` make the packed Emotion2Vec+ faster on the CPU? The figures behind leaving it out.

    python benchmarks/encoder_compile.py [--clips 24] [--repeats 5]

Every variant encodes the same clips in turn, after a warm-up over all of them (packs are of several sizes, and each
size may compile anew; shapes are marked dynamic). Variants:

- float32, blocks compiled: each block's products, norms and GELU by Inductor, which lays the weights out itself
  (`freezing`); attention and the front-end stay as they are, for their Python loops follow the pack.
- int8, parts between products compiled: quantising rows, and dequantising with residual and norm. oneDNN's 8-bit
  products stay: their weights are in a layout that the compiler cannot see into.

Reported are seconds of processor time at one thread, which other processes disturb little. A ratio above 1 means that
compiling pays. Random weights, full-size architecture.
"""

from __future__ import annotations

import argparse
import logging
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from corpus import clip_lengths, voice_like
from machine import RESULTS, describe_machine, write_json
from rich.console import Console

from extractors.emotion2vec import linear, quantize
from extractors.emotion2vec.encoder import PackedEncoder
from extractors.emotion2vec.load import load_model
from extractors.emotion2vec.network import Block
from extractors.emotion2vec.synthetic import write_random_checkpoint

log = logging.getLogger("benchmarks.encoder_compile")

Encode = Callable[[list[np.ndarray]], torch.Tensor]


def main() -> None:
    """Measure, show and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=24)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--output", type=Path, default=RESULTS / "encoder_compile.json")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    torch.set_num_threads(1)
    torch._dynamo.config.recompile_limit = 256  # one for each block and size, not the default's eight in all
    torch._dynamo.config.accumulated_recompile_limit = 1024
    waves = [voice_like(seconds, i) for i, seconds in enumerate(clip_lengths(options.clips))]
    with tempfile.TemporaryDirectory() as scratch:
        module: Any = load_model(write_random_checkpoint(Path(scratch, "model"), size="large")).module
        pairs = {
            "float32, blocks compiled": (_eager(module, "float32"), _compiled_blocks(module)),
            "int8, parts between products compiled": (_eager(module, "int8"), _compiled_parts(module)),
        }
        report = {
            "what": "the packed encoder: processor time at one thread without torch.compile over that with it",
            "command": f"python benchmarks/encoder_compile.py --clips {options.clips} --repeats {options.repeats}",
            "machine": describe_machine(),
            "threads": 1,
            "audio_seconds": round(sum(map(len, waves)) / 16_000, 1),
            "variants": {name: _compare(name, *pair, waves, options.repeats) for name, pair in pairs.items()},
        }
    write_json(options.output, report)
    Console().print_json(data=report["variants"])


def _compare(name: str, eager: Encode, compiled: Encode, waves: list[np.ndarray], repeats: int) -> dict[str, Any]:
    start = time.perf_counter()
    found = compiled(waves)
    warm_up = time.perf_counter() - start
    compiled(waves)  # compiled for good only now that shapes have been seen to vary
    expected = eager(waves)
    seconds: list[tuple[float, float]] = []
    for _ in range(repeats):
        seconds.append((_seconds(eager, waves), _seconds(compiled, waves)))
        log.info("%s: %.2f s without, %.2f s compiled", name, *seconds[-1])
    ratios = [before / after for before, after in seconds]
    return {
        "warm_up_seconds": round(warm_up, 1),
        "eager_seconds": round(statistics.median(before for before, _ in seconds), 3),
        "compiled_seconds": round(statistics.median(after for _, after in seconds), 3),
        "eager_over_compiled": round(statistics.median(ratios), 3),
        "range": [round(min(ratios), 3), round(max(ratios), 3)],
        "largest_difference": float((found - expected).abs().max()),
    }


def _seconds(encode: Encode, waves: list[np.ndarray]) -> float:
    start = time.process_time()
    encode(waves)
    return time.process_time() - start


def _eager(module: Any, precision: Any) -> Encode:
    encoder = PackedEncoder(module, precision=precision)
    return lambda waves: torch.stack(encoder.encode(waves, pool=True))


def _compiled_blocks(module: Any) -> Encode:
    with patch.object(linear, "has_onednn", lambda *_: False):  # plain weights, which the compiler can see
        encoder = PackedEncoder(module)
    for block in encoder.network.blocks:
        block.qkv.forward = torch.compile(block.qkv.forward, dynamic=True)
        block._rest = torch.compile(block._rest, dynamic=True)

    def encode(waves: list[np.ndarray]) -> torch.Tensor:
        with torch._inductor.config.patch(freezing=True):
            return torch.stack(encoder.encode(waves, pool=True))

    return encode


def _compiled_parts(module: Any) -> Encode:
    encoder = PackedEncoder(module, precision="int8")
    quantize_rows = torch.compile(_quantize_rows, dynamic=True)
    finish = torch.compile(_finish, dynamic=True)

    def rest(self: Any, mixed: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        x = self.norm1(self.proj(mixed).add_(x))
        levels, steps = quantize_rows(self.up(x, gelu=True), self.down.zero_point)
        norm = self.norm2
        return finish(self.down.product(levels), steps, self.down.bias, x, norm.weight, norm.bias, norm.eps)

    def encode(waves: list[np.ndarray]) -> torch.Tensor:
        with patch.object(quantize, "quantize_rows", quantize_rows), patch.object(Block, "_rest", rest):
            return torch.stack(encoder.encode(waves, pool=True))

    return encode


def _quantize_rows(x: torch.Tensor, zero_point: int) -> tuple[torch.Tensor, torch.Tensor]:
    """`quantize.quantize_rows` as plain as it can be said, for the compiler to fuse."""
    steps = torch.maximum(x.amax(1, keepdim=True) / (255 - zero_point), x.amin(1, keepdim=True) / -zero_point)
    steps = steps.clamp_min(torch.finfo(torch.float32).tiny)
    return ((x * steps.reciprocal()).round() + zero_point).to(torch.uint8), steps


def _finish(
    y: torch.Tensor,
    steps: torch.Tensor,
    bias: torch.Tensor,
    x: torch.Tensor,
    weight: torch.Tensor,
    norm_bias: torch.Tensor,
    eps: float,
) -> torch.Tensor:
    """Product to the block's output: scale, bias, residual, norm."""
    return F.layer_norm(bias + y * steps + x, (x.shape[-1],), weight, norm_bias, eps)


if __name__ == "__main__":
    main()
