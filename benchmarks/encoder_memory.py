"""Peak memory of Emotion2Vec+ over much audio: does it grow with the manifest, or with the longest file?

    python benchmarks/encoder_memory.py [--clips 10000] [--hours 1] [--precision float32]

Files to store, as `emofuse extract` does it, in a fresh process each: a few clips, all of them, a minute, and a recording
of hours; full-size architecture, random weights. The clips last 0.3 to 2 s, so that ten thousand take minutes: packs are
filled to the same number of frames whatever the lengths. The peak is that of the process (VmHWM), with the libraries, the
weights, what waits to be decoded and what waits to be written; that of loading, where the weights lie in memory as the
file has them and as the products want them, is told apart. Linux only.
"""

from __future__ import annotations

import argparse
import gc
import logging
import multiprocessing
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import torch
from corpus import SAMPLE_RATE, voice_like
from machine import GIB, RESULTS, describe_machine, write_json

from extractors import Clip, EmbeddingStore, Emotion2vecExtractor, extract_to_store
from extractors.emotion2vec.synthetic import write_random_checkpoint

log = logging.getLogger("benchmarks.encoder_memory")

FEW = 500  # clips, to compare with
SHORTEST, LONGEST = 0.3, 2.0  # s
MINUTE = 60  # s


def main() -> None:
    """Measure, log and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=10_000)
    parser.add_argument("--hours", type=float, default=1.0)
    parser.add_argument("--precision", default="float32")
    parser.add_argument("--out", type=Path, default=RESULTS / "encoder_memory.json")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    with tempfile.TemporaryDirectory() as scratch:
        model = write_random_checkpoint(Path(scratch, "model"), size="large")
        clips = _write_clips(Path(scratch, "clips"), options.clips)
        minute, long = (Path(scratch, name) for name in ("minute.wav", "long.wav"))
        _write_recording(minute, 1)
        _write_recording(long, round(60 * options.hours))
        runs = {}
        for name, paths in {
            f"{FEW:,} clips": clips[:FEW],
            f"{options.clips:,} clips": clips,
            "a minute": [minute],
            f"{options.hours:g} h": [long],
        }.items():
            with multiprocessing.get_context("spawn").Pool(1) as pool:
                runs[name] = pool.apply(_peak, (model, paths, Path(scratch, f"store {name}"), options.precision))
            log.info("%s: %s", name, runs[name])
    write_json(
        options.out,
        {
            "what": "peak memory of a process that extracts files to a store with Emotion2Vec+, full size, random weights",
            "command": f"python benchmarks/encoder_memory.py --clips {options.clips} --hours {options.hours:g} "
            f"--precision {options.precision}",
            "machine": describe_machine(),
            "runs": runs,
        },
    )


def _write_clips(folder: Path, count: int) -> list[Path]:
    folder.mkdir()
    rng = np.random.default_rng(0)
    voice = voice_like(60.0, seed=0)
    paths = []
    for number in range(count):
        length = int(rng.uniform(SHORTEST, LONGEST) * SAMPLE_RATE)
        start = rng.integers(len(voice) - length)
        paths.append(folder / f"{number:05}.wav")
        soundfile.write(paths[-1], voice[start : start + length], SAMPLE_RATE, subtype="PCM_16")
    return paths


def _write_recording(path: Path, minutes: int) -> None:
    with soundfile.SoundFile(path, "w", SAMPLE_RATE, 1, subtype="PCM_16") as file:
        for number in range(minutes):
            file.write(voice_like(MINUTE, seed=number))


def _peak(model: Path, paths: Sequence[Path], store: Path, precision: str) -> dict[str, Any]:
    logging.disable(logging.WARNING)
    extractor = Emotion2vecExtractor(str(model), device="auto", precision=precision)  # type: ignore[arg-type]
    _ = extractor.fingerprint  # waits for the hash of the weights, which reads the whole file
    loaded = _process_gib()
    gc.collect()  # lets go of the file's mapping, which would count where the peak begins anew
    Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")  # from here on the peak is that of encoding
    clips = [Clip(path.stem, audio=path) for path in paths]
    summary = extract_to_store(clips, extractor, EmbeddingStore(store))
    if summary.new != len(paths):
        raise RuntimeError(f"not what was to be measured: {summary}")
    peak: dict[str, Any] = {
        "peak_gib": _process_gib(),
        "peak_of_loading_gib": loaded,
        "audio_seconds": round(summary.audio_seconds),
        "max_tokens": extractor.encoder.max_tokens,
    }
    if extractor.device.startswith("cuda"):
        peak["cuda_gib"] = round(torch.cuda.max_memory_allocated() / GIB, 2)
    return peak


def _process_gib() -> float:
    # not `getrusage`: on Linux a child inherits its parent's peak there
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return round(int(status.partition("VmHWM:")[2].split()[0]) * 1024 / GIB, 2)


if __name__ == "__main__":
    main()
