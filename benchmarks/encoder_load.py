"""How long Emotion2Vec+ takes until it can encode, over the time of reading its weights file, and against FunASR.

    python benchmarks/encoder_load.py [--repeats 5]

In a fresh process each, everything imported before the clock starts. "Cold": the file was dropped from the page cache
before; "warm": it lies there. Ready means weights checked, hashed and prepacked for this CPU. Random weights, of the
full-size architecture.
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

from machine import GIB, RESULTS, describe_machine, write_json
from rich.console import Console

from extractors.emotion2vec.synthetic import write_random_checkpoint


def main() -> None:
    """Measure, show and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--output", type=Path, default=RESULTS / "encoder_load.json")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = write_random_checkpoint(Path(scratch, "model"), size="large")
        weights = next(folder.glob("*.pt"))
        report = {
            "what": "seconds until Emotion2Vec+ can encode, medians, and over reading the weights file",
            "command": f"python benchmarks/encoder_load.py --repeats {options.repeats}",
            "machine": describe_machine(),
            "weights_gib": round(weights.stat().st_size / GIB, 3),
        }
        for state in ("cold", "warm"):
            seconds: dict[str, list[float]] = {way: [] for way in WAYS}
            for _ in range(options.repeats):
                for way in WAYS:
                    if state == "cold":
                        _forget(weights)
                    with multiprocessing.get_context("spawn").Pool(1) as pool:
                        seconds[way].append(pool.apply(_measure, (way, folder, weights)))
            ratios = {
                way: statistics.median(own / base for own, base in zip(times, seconds["read"], strict=True))
                for way, times in seconds.items()
            }
            report[state] = {
                way: {"seconds": round(statistics.median(times), 3), "over_reading": round(ratios[way], 3)}
                for way, times in seconds.items()
            }
    write_json(options.output, report)
    Console().print_json(data={state: report[state] for state in ("cold", "warm")})


def _forget(path: Path) -> None:
    """Drop a file from the page cache."""
    descriptor = os.open(path, os.O_RDONLY)
    os.fsync(descriptor)
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(descriptor)


def _measure(way: str, folder: Path, weights: Path) -> float:
    logging.disable(logging.WARNING)
    import torch

    torch.set_num_threads(len(os.sched_getaffinity(0)))
    run = WAYS[way](folder, weights)
    start = time.perf_counter()
    kept = run()
    spent = time.perf_counter() - start
    del kept
    return spent


def _read(folder: Path, weights: Path) -> Callable[[], object]:
    return weights.read_bytes


def _module(folder: Path, weights: Path) -> Callable[[], object]:
    from extractors.emotion2vec.load import load_model

    def load() -> object:
        loaded = load_model(folder)
        return [float(parameter.sum()) for parameter in loaded.module.parameters()]  # mapped: read it all

    return load


def _ready(folder: Path, weights: Path) -> Callable[[], object]:
    import funasr  # noqa: F401

    from extractors import Emotion2vecExtractor

    return lambda: Emotion2vecExtractor(str(folder), device="cpu")


def _funasr(folder: Path, weights: Path) -> Callable[[], object]:
    from funasr import AutoModel

    return lambda: AutoModel(model=str(folder), disable_update=True, disable_pbar=True, device="cpu", log_level="ERROR")


WAYS = {"read": _read, "module": _module, "ready": _ready, "funasr": _funasr}


if __name__ == "__main__":
    main()
