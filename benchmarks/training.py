"""Steps per second of `fit_fold` against a bare PyTorch loop: same tensors, same head, same loss and optimizer.

    python benchmarks/training.py [--rounds 15] [--epochs 5]

The aim is at least 0.7. Both sides run in turn and the ratio is taken in each round, so that a busy machine slows both;
the ratio of their processor seconds stands beside it, which other processes move least.
Each side's time holds everything from the arrays to the trained weights: building the model, fitting the
standardizers, every training step and a pass over the validation rows after each epoch; ours also chooses the epoch.
Both on as many threads as `fit_fold` takes, one for this size. Three rounds of the bare loop on all threads that torch
would take say what that is worth: a little on idle cores, and all is lost on busy ones.
Then what a small fit costs: one of a single step, and the three fits (fusion, speech, text) of one fold of 1,440 rows.
"""

from __future__ import annotations

import argparse
import logging
import statistics
import tempfile
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from machine import RESULTS, describe_machine, write_json
from omegaconf import OmegaConf

from fusion.data.splits import Fold
from fusion.data.table import FeatureTable
from fusion.modality_dropout import drop_modalities
from fusion.model import FusionModel
from fusion.threads import fitting_threads
from fusion.training import fit_fold

log = logging.getLogger("benchmarks.training")

AIM = 0.7
CONF = Path(__file__).resolve().parents[1] / "conf"
DIMS = {"speech": 1024, "text": 384}  # emotion2vec+ large, all-MiniLM-L6-v2
CLASSES = 4
ROWS = 5531  # of four-way IEMOCAP
BATCH = 64
HIDDEN = 0.3  # modality dropout
PARTS = {
    "head": "gated",
    "loss": "weighted",
    "optimizer": "adamw",
    "trainer": "default",
    "callbacks": "early_stopping",
}


class Seconds(NamedTuple):
    """wall: on the clock; processor: spent by this process, on all its threads."""

    wall: float
    processor: float


class Clock:
    """Starts when made."""

    def __init__(self) -> None:
        self._start = Seconds(time.perf_counter(), time.process_time())

    def seconds(self) -> Seconds:
        """Since it was made."""
        return Seconds(time.perf_counter() - self._start.wall, time.process_time() - self._start.processor)


def main() -> None:
    """Measure, log and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--out", type=Path, default=RESULTS / "training.json")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")

    table, fold = random_rows(ROWS)
    steps = options.epochs * -(-len(fold.train) // BATCH)
    rounds, unlimited = [], []
    for number in range(options.rounds + 1):
        ours, bare = lightning(table, fold, options.epochs), bare_loop(table, fold, options.epochs)
        if number:  # the first warms caches and thread pools up
            rounds.append(
                {
                    "ours": steps / ours.wall,
                    "bare": steps / bare.wall,
                    "ratio": bare.wall / ours.wall,
                    "processor_ratio": bare.processor / ours.processor,
                }
            )
            log.info("%4.0f steps/s ours, %4.0f bare, ratio %.3f, in processor seconds %.3f", *rounds[-1].values())
        if len(unlimited) < 3:
            unlimited.append(steps / bare_loop(table, fold, options.epochs, all_threads=True).wall)
            log.info("%4.0f steps/s bare on %d threads", unlimited[-1], torch.get_num_threads())
    ratio = statistics.median(row["ratio"] for row in rounds)
    processor_ratio = statistics.median(row["processor_ratio"] for row in rounds)
    log.info(
        "steps per second, ours / bare: median %.3f, %.3f in processor seconds (aim: at least %.1f)",
        ratio,
        processor_ratio,
        AIM,
    )

    small, small_fold = random_rows(1440)
    one_step = Fold("one step", small_fold.train[:BATCH], small_fold.val, small_fold.test)
    once = statistics.median(lightning(small, one_step, 1).wall for _ in range(7))
    systems = {
        "+".join(m): lightning(small, small_fold, 50, m).wall for m in (["speech", "text"], ["speech"], ["text"])
    }
    log.info("a fit of one step %.3f s; one fold of 1,440 rows, 50 epochs: %s", once, systems)
    write_json(
        options.out,
        {
            "what": "training steps per second of fit_fold over those of a bare PyTorch loop",
            "command": f"python benchmarks/training.py --rounds {options.rounds} --epochs {options.epochs}",
            "machine": describe_machine(("torch", "pytorch-lightning", "numpy")),
            "threads": 1,
            "rows": len(fold.train),
            "dims": DIMS,
            "batch_size": BATCH,
            "steps": steps,
            "ratio": ratio,
            "processor_ratio": processor_ratio,
            "aim": AIM,
            "rounds": rounds,
            "bare_on_all_threads": {"threads": torch.get_num_threads(), "steps_per_second": unlimited},
            "seconds_of_a_fit_of_one_step": once,
            "seconds_of_50_epochs_of_1440_rows": systems,
        },
    )


def random_rows(rows: int) -> tuple[FeatureTable, Fold]:
    """Noise of the encoders' widths; four fifths train, a tenth validates."""
    rng = np.random.default_rng(0)
    table = FeatureTable(
        features={m: rng.normal(size=(rows, dim)).astype(np.float32) for m, dim in DIMS.items()},
        present={m: np.ones(rows, dtype=bool) for m in DIMS},
        targets=rng.integers(0, CLASSES, rows),
        labels=("angry", "happy", "neutral", "sad"),
        rows=pd.DataFrame({"id": [str(row) for row in range(rows)]}),
    )
    index = np.arange(rows, dtype=np.int64)
    return table, Fold(
        "random", index[: rows * 8 // 10], index[rows * 8 // 10 : rows * 9 // 10], index[rows * 9 // 10 :]
    )


def parts(epochs: int) -> dict[str, Any]:
    """The components of conf/ as a run has them, but never stopping early: noise cannot be learnt."""
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = OmegaConf.create({group: compose(f"{group}/{name}")[group] for group, name in PARTS.items()})
    config.trainer.max_epochs, config.trainer.accelerator = epochs, "cpu"
    config.callbacks.stop.patience = epochs
    return {group: instantiate(config[group]) for group in PARTS}


def lightning(table: FeatureTable, fold: Fold, epochs: int, modalities: Any = tuple(DIMS)) -> Seconds:
    """Of `fit_fold`."""
    made = parts(epochs)
    with tempfile.TemporaryDirectory() as folder:
        clock = Clock()
        fit_fold(
            table,
            fold,
            **made,
            modalities=modalities,
            modality_dropout=HIDDEN,
            batch_size=BATCH,
            run_dir=Path(folder),
        )
        return clock.seconds()


def bare_loop(table: FeatureTable, fold: Fold, epochs: int, all_threads: bool = False) -> Seconds:
    """Of the same in twenty lines."""
    made = parts(epochs)
    clock = Clock()
    torch.manual_seed(1)
    model = FusionModel(made["head"](dims=DIMS, num_classes=CLASSES))
    work = BATCH * sum(parameter.numel() for parameter in model.parameters())
    with nullcontext() if all_threads else fitting_threads(work):
        _bare_epochs(model, made, table, fold, epochs)
    return clock.seconds()


def _bare_epochs(model: FusionModel, made: dict[str, Any], table: FeatureTable, fold: Fold, epochs: int) -> None:
    model.fit_standardizers(table, fold.train)
    criterion = made["loss"](class_counts=np.bincount(table.targets[fold.train]))
    optimizer = made["optimizer"](model.parameters())
    features = {m: torch.from_numpy(values) for m, values in table.features.items()}
    present = {m: torch.from_numpy(flags) for m, flags in table.present.items()}
    targets, train, val = (torch.from_numpy(values) for values in (table.targets, fold.train, fold.val))
    for _ in range(epochs):
        model.train()
        for rows in train[torch.randperm(len(train))].split(BATCH):
            shown = drop_modalities({m: flags[rows] for m, flags in present.items()}, HIDDEN)
            loss = criterion(model({m: values[rows] for m, values in features.items()}, shown).logits, targets[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        model.eval()
        with torch.no_grad():
            judged = model({m: v[val] for m, v in features.items()}, {m: v[val] for m, v in present.items()})
            criterion(judged.logits, targets[val]).item()


if __name__ == "__main__":
    main()
