"""An epoch over frames from the embedding store, against a bare PyTorch DataLoader over .npy files of the same frames.

    python benchmarks/frames.py [--rows 2000] [--rounds 5]

Random frames of the widths that emotion2vec+ large and all-MiniLM-L6-v2 have, float32 on both sides, of 1 to 6 s at 50 Hz:
1.4 GB in the store and as much in files, in a temporary folder, in the page cache for both. The same head, optimizer, rows
a step and threads. Each side in turn, and the ratio is taken in each round, so that a busy machine slows both. "Reading"
is the epoch without the head.

The bare loop is what one would write: a Dataset that loads two .npy a row, a collate function that pads, shuffled. It is
measured without workers and with two. Ours puts rows of like length together, so it pads less; the figure
`padded_frames` says how much less, and `bare_same_batches` is the bare loop given our batches, where only reading differs.

Memory is the highest resident set of a process that trains on 250 of our batches, from 200 rows and from all of them.
"""

from __future__ import annotations

import argparse
import json
import logging
import re
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from machine import RESULTS, describe_machine, write_json
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from extractors import EmbeddingStore
from extractors.keys import text_hash
from extractors.types import Embedding
from fusion.data.loaders import Batch, SequenceLoader
from fusion.data.sequences import StoreSequences, pad
from fusion.heads.base import Sequences
from fusion.heads.cross_attention import CrossAttentionHead
from fusion.model import FusionModel

log = logging.getLogger("benchmarks.frames")

DIMS = {"speech": 1024, "text": 384}
FRAMES = {"speech": (50, 300), "text": (5, 30)}
BATCH, CLASSES, PER_COMMIT, MIB = 32, 4, 100, 2**20
MEMORY_BATCHES = 250

Step = Callable[[dict[str, Sequences], dict[str, Tensor], Tensor], None]
Loader = Iterable[tuple[dict[str, Sequences], dict[str, Tensor], Tensor]]


class Encoder:
    """Whose frames these are, as far as the store needs to know."""

    frame_rate = 50.0

    def __init__(self, modality: str) -> None:
        self.name = self.fingerprint = f"benchmark-{modality}"
        self.modality, self.dim = modality, DIMS[modality]

    def describe(self) -> dict[str, Any]:
        """Nothing more to say."""
        return {"name": self.name}


def main() -> None:
    """Measure, log and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=RESULTS / "frames.json")
    parser.add_argument("--memory-of", type=Path, help=argparse.SUPPRESS)  # for the process whose memory is measured
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    warnings.filterwarnings("ignore", "lancedb fork support")  # the workers of the bare loop know nothing of the store
    if options.memory_of is not None:
        _report_memory(options.memory_of, options.rows)
        return

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        seconds = write(folder, options.rows)
        sides = {
            "ours": lambda: ours(folder, options.rows, seed=1),
            "bare": lambda: bare(folder, options.rows, workers=0),
            "bare_2_workers": lambda: bare(folder, options.rows, workers=2),
            "bare_same_batches": lambda: bare(folder, options.rows, workers=0, plan=ours(folder, options.rows).plan()),
        }
        figures = {}
        for what, step in (("reading", _nothing), ("epoch", None)):
            rounds = []
            for number in range(options.rounds + 1):
                took = {side: _epoch(make(), step or _training()) for side, make in sides.items()}
                if number:  # the first warms caches and thread pools up
                    rounds.append(took)
                    log.info("%s: %s", what, ", ".join(f"{side} {seconds:.2f} s" for side, seconds in took.items()))
            figures[what] = {
                "seconds": {side: statistics.median(row[side] for row in rounds) for side in sides},
                "times_the_speed_of": {
                    side: statistics.median(row[side] / row["ours"] for row in rounds)
                    for side in sides
                    if side != "ours"
                },
                "rounds": rounds,
            }
            log.info("%s, how many times as fast as: %s", what, figures[what]["times_the_speed_of"])
        padded = {
            side: sum(features["speech"].mask.numel() for features, _, _ in make())
            for side, make in sides.items()
            if side in ("ours", "bare")
        }
        memory = {str(rows): _memory(folder, rows) for rows in (200, options.rows)}
        log.info("highest resident set: %s", memory)
        held = sum(BATCH * FRAMES[m][1] * dim * 4 for m, dim in DIMS.items()) / MIB
    write_json(
        options.out,
        {
            "what": f"{options.rows:,} rows of 50 to 300 frames of 1,024 and 5 to 30 tokens of 384 float32 values; "
            f"cross_attention, {BATCH} rows a step",
            "command": f"python benchmarks/frames.py --rows {options.rows} --rounds {options.rounds}",
            "machine": describe_machine(),
            "threads": torch.get_num_threads(),
            **figures,
            "padded_frames": padded,
            "mebibytes": {"largest_batch": held, "highest_resident_set_by_rows": memory},
            "seconds_to_write": seconds,
        },
    )


# the frames, twice ----------------------------------------------------------------------------------------------


def write(folder: Path, rows: int) -> dict[str, float]:
    """Each row's frames into the store and into .npy files."""
    store, seconds = EmbeddingStore(folder / "store"), {"store": 0.0, "npy": 0.0}
    for modality, dim in DIMS.items():
        (folder / modality).mkdir()
        rng, encoder, keys = np.random.default_rng(0), Encoder(modality), _keys(modality, rows)
        for first in range(0, rows, PER_COMMIT):
            chosen = range(first, min(first + PER_COMMIT, rows))
            frames = [rng.standard_normal((rng.integers(*FRAMES[modality]), dim), dtype=np.float32) for _ in chosen]
            start = time.perf_counter()
            embeddings = [Embedding(each.mean(axis=0), frames=each) for each in frames]
            store.put(encoder, [keys[row] for row in chosen], embeddings)  # type: ignore[arg-type]
            seconds["store"] += time.perf_counter() - start
            start = time.perf_counter()
            for row, each in zip(chosen, frames, strict=True):
                np.save(folder / modality / f"{row}.npy", each)
            seconds["npy"] += time.perf_counter() - start
    start = time.perf_counter()
    store.compact()
    seconds["store"] += time.perf_counter() - start
    return seconds


def _keys(modality: str, rows: int) -> list[str]:
    return [EmbeddingStore.key(text_hash(str(row)), None, None, f"benchmark-{modality}") for row in range(rows)]


def _targets(rows: int) -> Tensor:
    return torch.arange(rows) % CLASSES


# the two sides --------------------------------------------------------------------------------------------------


class Ours(SequenceLoader):
    """As `EmbeddingDataModule` makes it."""

    def __iter__(self) -> Iterator[Any]:
        for batch in super().__iter__():
            yield batch.features, batch.present, batch.targets


def ours(folder: Path, rows: int, seed: int = 0) -> Ours:
    """An epoch from the store."""
    store = EmbeddingStore(folder / "store")
    readers = {m: StoreSequences(store, _keys(m, rows)) for m in DIMS}
    present = {m: torch.ones(rows, dtype=torch.bool) for m in DIMS}
    tensors = Batch({}, present, _targets(rows))
    return Ours(readers, tensors, np.arange(rows), batch_size=BATCH, shuffle=True, seed=seed)


class Files(Dataset):
    """Two .npy files a row."""

    def __init__(self, folder: Path, rows: int) -> None:
        self.folder, self.rows = folder, rows

    def __len__(self) -> int:
        return self.rows

    def __getitem__(self, row: int) -> dict[str, Any]:
        return {"row": row, **{m: np.load(self.folder / m / f"{row}.npy") for m in DIMS}}


def collate(rows: Sequence[dict[str, Any]]) -> tuple[dict[str, Sequences], dict[str, Tensor], Tensor]:
    """Padded."""
    targets = torch.tensor([row["row"] for row in rows]) % CLASSES
    features = {m: pad([row[m] for row in rows], dim) for m, dim in DIMS.items()}
    return features, {m: torch.ones(len(rows), dtype=torch.bool) for m in DIMS}, targets


def bare(folder: Path, rows: int, *, workers: int, plan: Sequence[Any] | None = None) -> Loader:
    """An epoch from the files."""
    how: dict[str, Any] = {"batch_size": BATCH, "shuffle": True} if plan is None else {"batch_sampler": plan}
    return DataLoader(Files(folder, rows), collate_fn=collate, num_workers=workers, **how)


def _epoch(loader: Loader, step: Step) -> float:
    start = time.perf_counter()
    for features, present, targets in loader:
        step(features, present, targets)
    return time.perf_counter() - start


def _nothing(features: dict[str, Sequences], present: dict[str, Tensor], targets: Tensor) -> None:
    """Reading alone."""


def _training() -> Step:
    """A step of a new model."""
    torch.manual_seed(0)
    model = FusionModel(CrossAttentionHead(dims=DIMS, num_classes=CLASSES)).train()
    optimizer = torch.optim.AdamW(model.parameters())

    def step(features: dict[str, Sequences], present: dict[str, Tensor], targets: Tensor) -> None:
        loss = torch.nn.functional.cross_entropy(model(features, present).logits, targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return step


# memory ---------------------------------------------------------------------------------------------------------


def _memory(folder: Path, rows: int) -> dict[str, float]:
    """In a process of its own."""
    command = [sys.executable, __file__, "--memory-of", str(folder), "--rows", str(rows)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def _report_memory(folder: Path, rows: int) -> None:
    step, loader = _training(), ours(folder, rows)
    before = _highest()
    batches = 0
    while batches < MEMORY_BATCHES:
        _epoch(loader, step)
        batches += len(loader.plan())
        loader.set_epoch(loader.epoch + 1)
    sys.stdout.write(json.dumps({"before_the_first_batch": before, "highest": _highest()}) + "\n")


def _highest() -> int:
    """MiB; not `ru_maxrss`, which a process inherits from the one that started it."""
    found = re.search(r"^VmHWM:\s*(\d+) kB$", Path("/proc/self/status").read_text(encoding="utf-8"), re.MULTILINE)
    assert found is not None
    return round(int(found[1]) / 1024)


if __name__ == "__main__":
    main()
