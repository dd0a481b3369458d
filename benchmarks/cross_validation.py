"""5 folds × 5 seeds × 100 epochs of the gated head, trained together, against a plain Lightning loop.

    python benchmarks/cross_validation.py              # how fast, about 4 minutes
    python benchmarks/cross_validation.py --agreement  # whether the metrics are the same, about 20 minutes

Made-up data of the size of four-way IEMOCAP: 5,531 rows of 1,024 + 384 numbers, ten speakers in five sessions, classes as
uneven as there, a tenth of the labels wrong. Each fold tests a session and chooses the epoch on the next; nothing stops
early.

Three ways of doing it. The plain loop is what one writes with Lightning: a LightningModule with the same head, loss,
optimizer and modality dropout, features standardised beforehand, a DataLoader over a TensorDataset, the best weights kept
in memory, and neither logger nor checkpoint nor progress bar. Then our `SequentialEngine`, and our `BatchedEngine`.

The batched way does all fits, as a run would. The others do `--sample` fits, half of them before it and half after, so
that a machine that grows busy slows all; their time is scaled by steps to all fits: each of theirs costs the same.

The floor is the time that the floating-point operations would take at the rate of matrix products on this machine: the
best of `torch.mm` and `torch.bmm` in float32 on all threads over the shapes listed in the results, at its median over the
turns.

`--agreement` does all fits in all three ways and compares accuracy over all test rows of all fits. The two engines draw the
same numbers; the plain loop draws others.
"""

from __future__ import annotations

import argparse
import logging
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from machine import RESULTS, describe_machine, write_json
from omegaconf import OmegaConf
from plain_lightning import BATCH, HIDDEN, WIDTH, fit_plainly
from torch import Tensor

from fusion.data.folds import Fold
from fusion.data.table import FeatureTable
from fusion.engines.base import Job
from fusion.engines.batched import BatchedEngine
from fusion.engines.sequential import SequentialEngine
from fusion.training import predict_logits

log = logging.getLogger("benchmarks.cross_validation")

CONF = Path(__file__).resolve().parents[1] / "conf"
DIMS = {"speech": 1024, "text": 384}  # emotion2vec+ large, all-MiniLM-L6-v2
CLASS_ROWS = {"angry": 1103, "happy": 1636, "neutral": 1708, "sad": 1084}  # of four-way IEMOCAP, 5,531
SESSIONS, SPEAKERS = 5, 10
AIMS = {"times_faster_than_plain": 4.0, "times_the_floor": 2.0, "points_apart": 0.5}
PARTS = {
    "head": "gated",
    "loss": "weighted",
    "optimizer": "adamw",
    "trainer": "default",
    "callbacks": "early_stopping",
}
SQUARE = 1024  # of the matrices whose product is timed, beside those of the head
Answers = dict[Path, np.ndarray]  # a job's place -> (test rows, classes) logits


def main() -> None:
    """Measure, log and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--sample", type=int, default=2, help="fits that the plain loop and the sequential engine do")
    parser.add_argument("--agreement", action="store_true", help="all fits by both engines, for their metrics")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    table, folds = made_up()
    with tempfile.TemporaryDirectory() as folder:
        jobs = [
            Job(fold, ("speech", "text"), seed, Path(folder) / f"{fold.name}-{seed}")
            for fold in folds
            for seed in range(1, options.seeds + 1)
        ]
        measure = agreement if options.agreement else speed
        name = "cross_validation_agreement.json" if options.agreement else "cross_validation.json"
        figures = measure(table, jobs, options)
    command = f"python benchmarks/cross_validation.py --epochs {options.epochs} --seeds {options.seeds}"
    command += " --agreement" if options.agreement else f" --sample {options.sample}"
    size = {
        "fits": len(jobs),
        "epochs": options.epochs,
        "rows": len(table),
        "training_rows": {fold.name: len(fold.train) for fold in folds},
        "validation_rows": {fold.name: len(fold.val) for fold in folds},
        "dims": DIMS,
        "batch_size": BATCH,
        "head": f"gated, width {WIDTH}",
    }
    machine = describe_machine(("torch", "pytorch-lightning", "numpy"))
    write_json(options.out or RESULTS / name, {"command": command, "machine": machine, **size, **figures})


def speed(table: FeatureTable, jobs: Sequence[Job], options: argparse.Namespace) -> dict[str, Any]:
    """The three ways in turn."""
    BatchedEngine().fit(table, jobs[:2], recipe_of(1), done=ignore)  # warms libraries up
    ways: dict[str, Callable[[Sequence[Job]], Answers]] = {
        "plain": lambda todo: {job.place: fit_plainly(table, job, options.epochs) for job in todo},
        "batched": lambda todo: fit(BatchedEngine(), table, todo, options.epochs),
        "sequential": lambda todo: fit(SequentialEngine(), table, todo, options.epochs),
    }
    spent: dict[str, list[dict[str, float]]] = {way: [] for way in ways}
    logits: dict[str, Answers] = {way: {} for way in ways}
    rates = [matmul_rates()]
    half = options.sample // 2
    spread = [jobs[turn * len(jobs) // options.sample] for turn in range(options.sample)]
    singles = [[("plain", [job]), ("sequential", [job])] for job in spread]
    for turn in [*singles[:half], [("batched", jobs)], *singles[half:]]:
        for way, todo in turn:
            start = time.perf_counter()
            logits[way] |= ways[way](todo)
            seconds, steps = time.perf_counter() - start, sum(steps_of(job, options.epochs) for job in todo)
            spent[way].append({"fits": len(todo), "steps": steps, "seconds": seconds})
            log.info(
                "%-10s %2d fits, %6d steps: %.1f s, %.3f ms each", way, len(todo), steps, seconds, 1e3 * seconds / steps
            )
        rates.append(matmul_rates())
    steps = sum(steps_of(job, options.epochs) for job in jobs)
    each = {
        way: sum(turn["seconds"] for turn in turns) / sum(turn["steps"] for turn in turns)
        for way, turns in spent.items()
    }
    operations = sum(operations_of(job, options.epochs) for job in jobs)
    rate = statistics.median(max(found.values()) for found in rates)  # operations a second
    floor = operations / rate
    figures = {
        "times_faster_than_plain": each["plain"] / each["batched"],
        "times_faster_than_sequential": each["sequential"] / each["batched"],
        "times_the_floor": each["batched"] * steps / floor,
    }
    both = logits["plain"]
    judged = {way: judge(table, [job for job in jobs if job.place in both], found) for way, found in logits.items()}
    log.info("%s", figures)
    log.info("test rows of the %d fits that all did: %s", len(both), judged)
    return {
        "what": "cross-validation of a small head, all fits trained together, against a plain Lightning loop",
        "threads": torch.get_num_threads(),
        "aims": AIMS,
        **figures,
        "seconds": {way: value * steps for way, value in each.items()} | {"floor": floor},
        "seconds_scaled_by_steps": ["plain", "sequential"],
        "steps": steps,
        "milliseconds_a_step": {way: 1e3 * value for way, value in each.items()},
        "turns": spent,
        "tera_operations": operations / 1e12,
        "giga_operations_a_second": {
            "floor": rate / 1e9,
            "batched": operations / (each["batched"] * steps) / 1e9,
            "measured": [{shape: value / 1e9 for shape, value in found.items()} for found in rates],
        },
        "accuracy_of_the_fits_that_all_did": judged,
    }


def agreement(table: FeatureTable, jobs: Sequence[Job], options: argparse.Namespace) -> dict[str, Any]:
    """All fits in all three ways."""
    ways: dict[str, Callable[[], Answers]] = {
        "batched": lambda: fit(BatchedEngine(), table, jobs, options.epochs),
        "sequential": lambda: fit(SequentialEngine(), table, jobs, options.epochs),
        "plain": lambda: {job.place: fit_plainly(table, job, options.epochs) for job in jobs},
    }
    found = {}
    for way, run in ways.items():
        start = time.perf_counter()
        found[way] = run()
        log.info("%s: %.0f s", way, time.perf_counter() - start)
    judged = {way: judge(table, jobs, logits) for way, logits in found.items()}
    apart = {
        way: {metric: abs(judged["batched"][metric] - value) for metric, value in judged[way].items()}
        for way in ("sequential", "plain")
    }
    same = [
        (answers.argmax(axis=1) == found["sequential"][place].argmax(axis=1)).mean()
        for place, answers in found["batched"].items()
    ]
    log.info("%s, points apart %s, same answers %s", judged, apart, np.mean(same))
    return {
        "what": "accuracy on test rows, in percent, over all fits, of fits trained together and one after the other",
        "aims": AIMS,
        "accuracy": judged,
        "points_that_batched_is_apart_from": apart,
        "share_of_rows_with_the_same_answer_as_sequential": float(np.mean(same)),
    }


def made_up() -> tuple[FeatureTable, list[Fold]]:
    """Both modalities say something of the class, and much else; a session is a fold's test, the next its validation."""
    rng = np.random.default_rng(0)
    truth = rng.permutation(np.repeat(np.arange(len(CLASS_ROWS)), list(CLASS_ROWS.values())))
    rows = len(truth)
    speakers = rng.integers(0, SPEAKERS, rows)
    sessions = speakers * SESSIONS // SPEAKERS
    features = {}
    for modality, dim in DIMS.items():
        centres = rng.normal(size=(len(CLASS_ROWS), dim)) / dim**0.5
        voices = rng.normal(size=(SPEAKERS, dim)) / dim**0.5
        noise = rng.normal(size=(rows, dim)) * np.exp(rng.normal(size=dim))
        features[modality] = (noise + 0.4 * centres[truth] * np.sqrt(dim) / 12 + 2.0 * voices[speakers]).astype(
            np.float32
        )
    targets = np.where(rng.random(rows) < 0.1, rng.integers(0, len(CLASS_ROWS), rows), truth)
    table = FeatureTable(
        features=features,
        present={m: np.ones(rows, dtype=bool) for m in DIMS},
        targets=targets.astype(np.int64),
        labels=tuple(CLASS_ROWS),
        rows=pd.DataFrame({"id": [str(row) for row in range(rows)], "speaker": [f"s{one}" for one in speakers]}),
    )
    folds = []
    for session in range(SESSIONS):
        test, val = sessions == session, sessions == (session + 1) % SESSIONS
        folds.append(Fold(f"session-{session + 1}", *(np.flatnonzero(side) for side in (~test & ~val, val, test))))
    return table, folds


def recipe_of(epochs: int) -> dict[str, Any]:
    """The components of conf/ as a run has them, but never stopping early."""
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = OmegaConf.create({group: compose(f"{group}/{name}")[group] for group, name in PARTS.items()})
    config.trainer.max_epochs, config.trainer.accelerator = epochs, "cpu"
    config.callbacks.stop.patience, config.head.width = epochs, WIDTH
    made = {group: instantiate(config[group]) for group in PARTS}
    return {**made, "batch_size": BATCH, "modality_dropout": HIDDEN}


def fit(engine: Any, table: FeatureTable, jobs: Sequence[Job], epochs: int) -> Answers:
    """What the models of an engine say of their test rows."""
    fits = engine.fit(table, jobs, recipe_of(epochs), done=ignore)
    return {
        job.place: predict_logits(fitted.model, table, job.fold.test) for job, fitted in zip(jobs, fits, strict=True)
    }


def ignore(job: Job, fitted: Any) -> None:
    """Nobody waits for single fits here."""


def judge(table: FeatureTable, jobs: Sequence[Job], answers: Answers) -> dict[str, float]:
    """Unweighted and weighted accuracy in percent over the test rows of all `jobs`."""
    truth = np.concatenate([table.targets[job.fold.test] for job in jobs])
    said = np.concatenate([answers[job.place].argmax(axis=1) for job in jobs])
    recalls = [(said[truth == label] == label).mean() for label in range(len(table.labels))]
    return {"ua": 100 * float(np.mean(recalls)), "wa": 100 * float((said == truth).mean())}


def steps_of(job: Job, epochs: int) -> int:
    """Of a fit."""
    return epochs * -(-len(job.fold.train) // BATCH)


def operations_of(job: Job, epochs: int) -> float:
    """Floating-point operations of the matrix products of a fit, an addition and a multiplication being two.

    Of each layer a row costs two for each weight forward, as many for the gradient of the weight, and as many for that of
    the input, which the first layers need not have. Validation is forward only. All that is no matrix product (norms,
    activations, dropout, the optimizer, gathering rows) counts for nothing.
    """
    first = WIDTH * sum(DIMS.values())
    later = (len(DIMS) * WIDTH) ** 2 + WIDTH * len(CLASS_ROWS)
    row = 2 * (2 * first + 3 * later)
    return float(epochs) * (len(job.fold.train) * row + len(job.fold.val) * 2 * (first + later))


def matmul_rates() -> dict[str, float]:
    """Operations a second of torch's matrix products in float32 on all threads: the best of twenty of each shape."""
    big = torch.randn(2, SQUARE, SQUARE)
    rows, weights = torch.randn(16, BATCH, DIMS["speech"]), torch.randn(16, DIMS["speech"], WIDTH)
    products: dict[str, tuple[Callable[[], Tensor], float]] = {
        f"mm {SQUARE}x{SQUARE} @ {SQUARE}x{SQUARE}": (lambda: torch.mm(big[0], big[1]), 2 * SQUARE**3),
        f"bmm 16 x ({BATCH}x{DIMS['speech']} @ {DIMS['speech']}x{WIDTH})": (
            lambda: torch.bmm(rows, weights),
            2 * 16 * BATCH * DIMS["speech"] * WIDTH,
        ),
    }
    rates = {}
    for shape, (product, operations) in products.items():
        seconds = []
        for _ in range(20):
            start = time.perf_counter()
            product()
            seconds.append(time.perf_counter() - start)
        rates[shape] = operations / min(seconds)
    return rates


if __name__ == "__main__":
    main()
