"""How long Emotion2Vec+ takes until it can encode, over the time of reading its weights file, and against FunASR.

    python benchmarks/encoder_load.py [--repeats 7]

Each way in a fresh process, all of them in turn; the median seconds, and the median of the ratios within each turn.
"read" is the whole file into memory, in order. Before the clock starts everything is imported (torch, FunASR, Emofuse),
but for the ways "from scratch", which import FunASR and Emofuse themselves. "Cold": the file was dropped from the page
cache before; "warm": it lies there. What is measured while other processes take more than a tenth of a core
is measured again. Random weights, of the full-size architecture, in float32 on the CPU.
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
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np
from disturbance import Disturbance, wait_for_quiet
from machine import GIB, RESULTS, describe_machine, write_json
from rich.console import Console
from rich.table import Table

from extractors.emotion2vec.synthetic import write_random_checkpoint

log = logging.getLogger("benchmarks.encoder_load")

WHAT = {
    "read": "the weights file, read in order into memory",
    "module": "load_model: FunASR's module, checked, every weight touched",
    "ready": "Emotion2vecExtractor: checked, and laid out for this CPU's products",
    "first answer": "the same, and the vector of a first clip of 1 s",
    "fingerprint": "the same as ready, and the weights hashed",
    "second answer": "that clip once more: what of the first answer is encoding (not a way to load)",
    "funasr": "FunASR's AutoModel",
    "ready from scratch": "as ready, imports of Emofuse and of FunASR's class included",
    "funasr from scratch": "as funasr, import of FunASR included",
}
MOST_DISTURBANCE = 0.1  # cores
MOST_TRIES = 60


def main() -> None:
    """Measure, show and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--output", type=Path, default=RESULTS / "encoder_load.json")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    with tempfile.TemporaryDirectory() as scratch:
        folder = write_random_checkpoint(Path(scratch, "model"), size="large")
        weights = next(folder.glob("*.pt"))
        report: dict[str, Any] = {
            "what": "seconds until Emotion2Vec+ can encode, medians, and over reading the weights file",
            "command": f"python benchmarks/encoder_load.py --repeats {options.repeats}",
            "ways": WHAT,
            "machine": describe_machine(),
            "weights_gib": round(weights.stat().st_size / GIB, 3),
        }
        for state in ("warm", "cold"):
            report[state] = _turns(state, options.repeats, folder, weights)
    write_json(options.output, report)
    _show(report)


def _turns(state: str, repeats: int, folder: Path, weights: Path) -> dict[str, Any]:
    seconds: dict[str, list[float]] = {}
    disturbed = 0
    for _ in range(repeats):
        for way in WAYS:
            found, tries = _undisturbed(state, way, folder, weights)
            disturbed += tries - 1
            for name, spent in found.items():
                seconds.setdefault(name, []).append(spent)
    figures: dict[str, Any] = {"turns": repeats, "disturbed_and_repeated": disturbed}
    for way, times in seconds.items():
        ratio = statistics.median(own / base for own, base in zip(times, seconds["read"], strict=True))
        figures[way] = {"seconds": round(statistics.median(times), 3), "over_reading": round(ratio, 3)}
    return figures


def _undisturbed(state: str, way: str, folder: Path, weights: Path) -> tuple[dict[str, float], int]:
    """Seconds of `way`, and how often it was measured until nobody else was at work."""
    for tries in range(1, MOST_TRIES + 1):
        wait_for_quiet(MOST_DISTURBANCE)
        if state == "cold":
            _forget(weights)
        disturbance = Disturbance()
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            found = pool.apply(_measure, (way, folder, weights))
            pool.close()
            pool.join()  # what a process used is known when it has been waited for
        share = disturbance.share()
        log.info("%s, %s: %s (others: %.2f)", state, way, found, share)
        if share <= MOST_DISTURBANCE:
            return found, tries
    raise SystemExit("Other processes are at work all the time: nothing can be measured.")


def _forget(path: Path) -> None:
    """Drop a file from the page cache."""
    descriptor = os.open(path, os.O_RDONLY)
    os.fsync(descriptor)
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(descriptor)


def _measure(way: str, folder: Path, weights: Path) -> dict[str, float]:
    logging.disable(logging.WARNING)
    import torch

    torch.set_num_threads(len(os.sched_getaffinity(0)))
    with redirect_stdout(None):
        run = WAYS[way](folder, weights)
        start = time.perf_counter()
        kept = run()
        found = {way: time.perf_counter() - start}
        if way == "first answer":
            start = time.perf_counter()
            kept.extract([_clip()])
            found["second answer"] = time.perf_counter() - start
    del kept
    return found


def _read(folder: Path, weights: Path) -> Callable[[], Any]:
    return weights.read_bytes


def _module(folder: Path, weights: Path) -> Callable[[], Any]:
    import funasr.models.emotion2vec.model  # noqa: F401

    from extractors.emotion2vec.load import load_model

    def load() -> object:
        loaded = load_model(folder)
        return [float(parameter.sum()) for parameter in loaded.module.parameters()]  # mapped: read it all

    return load


def _ready(folder: Path, weights: Path) -> Callable[[], Any]:
    import funasr.models.emotion2vec.model  # noqa: F401

    return _ready_from_scratch(folder, weights, imported=True)


def _ready_from_scratch(folder: Path, weights: Path, *, imported: bool = False) -> Callable[[], Any]:
    def load() -> object:
        from extractors import Emotion2vecExtractor

        return Emotion2vecExtractor(str(folder), device="cpu")

    if imported:
        from extractors import Emotion2vecExtractor  # noqa: F401
    return load


def _first_answer(folder: Path, weights: Path) -> Callable[[], Any]:
    load = _ready(folder, weights)

    def answer() -> object:
        extractor = load()
        extractor.extract([_clip()])
        return extractor

    return answer


def _fingerprint(folder: Path, weights: Path) -> Callable[[], Any]:
    load = _ready(folder, weights)

    def know() -> object:
        extractor = load()
        return extractor, extractor.fingerprint

    return know


def _funasr(folder: Path, weights: Path) -> Callable[[], Any]:
    import funasr.models.emotion2vec.model  # noqa: F401
    from funasr import AutoModel  # noqa: F401

    return _funasr_from_scratch(folder, weights)


def _funasr_from_scratch(folder: Path, weights: Path) -> Callable[[], Any]:
    def load() -> object:
        from funasr import AutoModel

        settings = {"disable_update": True, "disable_pbar": True, "device": "cpu", "log_level": "ERROR"}
        return AutoModel(model=str(folder), **settings)

    return load


def _clip() -> np.ndarray:
    return np.sin(np.arange(16_000, dtype=np.float32))


WAYS: dict[str, Callable[[Path, Path], Callable[[], Any]]] = {
    "read": _read,
    "module": _module,
    "ready": _ready,
    "first answer": _first_answer,
    "fingerprint": _fingerprint,
    "funasr": _funasr,
    "ready from scratch": _ready_from_scratch,
    "funasr from scratch": _funasr_from_scratch,
}


def _show(report: dict[str, Any]) -> None:
    table = Table("", "warm", "× reading", "cold", "× reading", title=report["what"])
    for way in WHAT:
        cells = [report[state][way] for state in ("warm", "cold")]
        table.add_row(way, *(f"{cell[key]:.2f}" for cell in cells for key in ("seconds", "over_reading")))
    Console().print(table)


if __name__ == "__main__":
    main()
