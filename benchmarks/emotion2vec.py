"""The packed Emotion2Vec+ encoder against FunASR's own `generate`, in one process, taking turns.

    python benchmarks/emotion2vec.py [--clips 512] [--repeats 3] [--device auto] [--output results/….json]

Both encode the same clips, in groups that each gets in turn, with the same number of threads: FunASR sets torch's
thread count on every call, to 4 unless told otherwise. Reported are the median time of a repeat and the median of the
ratios over the groups of all repeats; the share of the ceiling is the work that the clips need over what the fastest matrix
product of this machine could do in the same time. Without `--model`, the weights are random, of the full-size
architecture: speed and exactness do not depend on them, the losses of the lower precisions do.
"""

from __future__ import annotations

import argparse
import logging
import multiprocessing
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from corpus import clip_lengths, voice_like
from encoder_costs import count_flops, matmul_rates
from encoder_report import losses_of, show, speed_of
from machine import GIB, RESULTS, describe_machine, write_json
from rich.console import Console
from rich.progress import Progress

from extractors.emotion2vec.encoder import PackedEncoder
from extractors.emotion2vec.load import load_model
from extractors.emotion2vec.quiet import undisturbed
from extractors.emotion2vec.synthetic import write_random_checkpoint
from extractors.errors import InputError

log = logging.getLogger("benchmarks.emotion2vec")

GROUP = 64  # clips that one encoder takes before it is the other's turn
FRAME_CLIPS = 12  # clips whose single frames are compared
PRECISIONS = {"cpu": ("float32", "bfloat16", "int8"), "cuda": ("float32", "bfloat16", "float16")}

Waves = list[np.ndarray]


def main() -> None:
    """Measure, show and write the figures."""
    options = _options()
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    logging.disable(logging.INFO)  # FunASR would log every tensor
    device = torch.device(
        "cuda" if options.device == "auto" and torch.cuda.is_available() else options.device.replace("auto", "cpu")
    )
    torch.set_num_threads(options.threads)
    waves = [voice_like(seconds, i) for i, seconds in enumerate(clip_lengths(options.clips))]
    path = options.output or RESULTS / f"emotion2vec_{device.type}.json"
    report: dict[str, Any] = {
        "what": "encoder only, arrays in memory to vectors in memory, against FunASR's generate in the same process",
        "command": "python benchmarks/emotion2vec.py "
        + " ".join(f"--{k} {v}" for k, v in vars(options).items() if k in _SHOWN),
        "machine": describe_machine(),
        "weights": f"of {options.model.name}" if options.model else "random weights, full-size (large) architecture",
    }
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.model or write_random_checkpoint(Path(scratch, "model"), size="large")
        report |= _compare(folder, waves, device, options)
        write_json(path, report)
        if options.memory:
            report["peak_memory"] = _peak_memory(folder, device, options.threads)
            write_json(path, report)
    show(report)
    log.warning("written: %s", path)


_SHOWN = ("clips", "repeats", "device", "threads")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=512)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)), help="for both, on the CPU")
    parser.add_argument("--precisions", nargs="+", help="default: all that the device can")
    parser.add_argument("--model", type=Path, help="a folder with real weights")
    parser.add_argument("--memory", action=argparse.BooleanOptionalAction, default=True, help="measure peak memory too")
    parser.add_argument("--output", type=Path)
    return parser.parse_args()


def _compare(folder: Path, waves: Waves, device: torch.device, options: argparse.Namespace) -> dict[str, Any]:
    generate = _funasr(folder, device, options.threads)
    module: Any = load_model(folder).module
    encoders = _encoders(module, device, options.precisions)
    ways: dict[str, Callable[[Waves], list[np.ndarray]]] = {"funasr": generate}
    for name, encoder in encoders.items():
        ways[name] = lambda group, encoder=encoder: [mean.numpy() for mean in encoder.encode(group, pool=True)]
        if device.type == "cuda":
            ways[f"{name} frames"] = lambda group, encoder=encoder: [part.numpy() for part in encoder.encode(group)]
    groups = [waves[i : i + GROUP] for i in range(0, len(waves), GROUP)]
    vectors: dict[str, np.ndarray] = {}
    seconds: dict[str, list[list[float]]] = {name: [] for name in ways}  # of each repeat's groups
    rates = [matmul_rates(device, options.threads)]
    with Progress(console=Console(stderr=True)) as progress:
        task = progress.add_task("encoding", total=options.repeats * len(groups) * len(ways))
        for way in ways.values():
            way(waves[:3])  # what only the first call costs
        for _ in range(options.repeats):
            spent: dict[str, list[float]] = {name: [] for name in ways}
            found: dict[str, list[np.ndarray]] = {name: [] for name in ways}
            for group in groups:
                for name, way in ways.items():
                    start = time.perf_counter()
                    found[name] += way(group)
                    spent[name].append(time.perf_counter() - start)
                    progress.advance(task)
            for name in ways:
                seconds[name].append(spent[name])
            rates.append(matmul_rates(device, options.threads))
            vectors = {name: np.stack(found[name]) for name in ("funasr", *encoders)}
    audio = sum(map(len, waves)) / 16_000
    work = count_flops(module, map(len, waves))
    ceilings = {kind: statistics.median(rate[kind] for rate in rates) for kind in rates[0] if kind != "threads"}
    speed = {name: speed_of(name, times, seconds["funasr"], audio, work, ceilings) for name, times in seconds.items()}
    head = None if module.proj is None else (module.proj.weight.numpy(), module.proj.bias.numpy())
    losses = {name: losses_of(vectors[name], vectors["funasr"], head) for name in encoders}
    _frame_losses(folder, waves[:FRAME_CLIPS], encoders, losses, device, options.threads)
    return {
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
        "threads": options.threads,
        "clips": len(waves),
        "audio_seconds": round(audio, 1),
        "gflop_per_audio_second": round(work / audio / 1e9, 2),
        "ceilings_gflops": {kind: round(rate / 1e9, 1) for kind, rate in ceilings.items()},
        "max_tokens": {name: encoder.max_tokens for name, encoder in encoders.items()},
        "speed": speed,
        "losses": losses,
    }


def _funasr(folder: Path, device: torch.device, threads: int, **settings: Any) -> Callable[[Waves], list[np.ndarray]]:
    """FunASR's `generate`, kept from changing thread counts: `ncpu` is what the packed encoder runs with."""
    with undisturbed():
        from funasr import AutoModel

        model: Any = AutoModel(
            model=str(folder.resolve()),
            disable_update=True,
            disable_pbar=True,
            device=str(device),
            ncpu=threads,
            log_level="ERROR",
        )
    return lambda waves: [found["feats"] for found in model.generate(waves, **settings)]


def _encoders(module: Any, device: torch.device, precisions: list[str] | None) -> dict[str, PackedEncoder]:
    encoders = {}
    for precision in precisions or PRECISIONS[device.type]:
        try:
            encoders[precision] = PackedEncoder(module, device=device, precision=precision)  # type: ignore[arg-type]
        except InputError as error:
            log.warning("%s", error)
    return encoders


def _frame_losses(
    folder: Path,
    waves: Waves,
    encoders: dict[str, PackedEncoder],
    losses: dict[str, Any],
    device: torch.device,
    threads: int,
) -> None:
    """Adds the largest difference of single frames to `losses`."""
    expected = _funasr(folder, device, threads, granularity="frame")(waves)
    for name, encoder in encoders.items():
        pairs = zip(encoder.encode(waves), expected, strict=True)
        losses[name]["largest_difference_of_frames"] = max(float(np.abs(a.numpy() - b).max()) for a, b in pairs)


def _peak_memory(folder: Path, device: torch.device, threads: int) -> dict[str, Any]:
    """GiB at most, in a fresh process each: of a 20 s clip, and of one of 300 s (windows would cut it; FunASR fails there)."""
    peaks: dict[str, Any] = {}
    for way in ("funasr", "float32"):
        for seconds in (20, 300) if way != "funasr" else (20,):
            with multiprocessing.get_context("spawn").Pool(1) as pool:
                peaks[f"{way}, {seconds} s"] = pool.apply(_peak, (way, folder, seconds, str(device), threads))
    return peaks


def _peak(way: str, folder: Path, seconds: int, device: str, threads: int) -> dict[str, float]:
    logging.disable(logging.WARNING)
    torch.set_num_threads(threads)
    wave = voice_like(seconds, 0)
    if way == "funasr":
        generate = _funasr(folder, torch.device(device), threads)
        generate([wave])
    else:
        loaded = load_model(folder)
        encoder = PackedEncoder(loaded.module, device=device, precision=way)  # type: ignore[arg-type]
        loaded.module.to("meta")
        encoder.encode([wave], pool=True)
    # not `getrusage`: on Linux a child inherits its parent's peak there
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    peak = {"process_gib": round(int(status.partition("VmHWM:")[2].split()[0]) * 1024 / GIB, 2)}
    if device.startswith("cuda"):
        peak["cuda_gib"] = round(torch.cuda.max_memory_allocated() / GIB, 2)
    return peak


if __name__ == "__main__":
    main()
