"""The engine that trains many fits together."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.utilities.seed import isolate_rng

from extractors.errors import InputError
from fusion.data.table import FeatureTable
from fusion.engines.base import Job
from fusion.engines.batched.builder import Builder
from fusion.engines.batched.crew import can_fork, train_here, train_in_processes
from fusion.engines.batched.outcome import Outcome
from fusion.engines.batched.progress import StackLog, seconds_between
from fusion.engines.batched.reasons import reasons_against
from fusion.engines.batched.records import write_history
from fusion.engines.batched.trial import try_head
from fusion.engines.batched.worker import Worker
from fusion.fitted import FittedFold
from fusion.quiet import quiet_lightning
from fusion.threads import fitting_threads

SETTINGS = ("modality_dropout", "mixup", "auxiliary_loss")  # that EmotionClassifier tells loggers, and the seed
BYTES = 16  # of a parameter, its gradient and two moments
STACK_BYTES = 256 * 2**20  # of these in one stack; a hundred small heads, one that is large
WORTH_A_PROCESS = 3e10  # multiply-adds of all forward passes; below it, a few seconds are shared out


class BatchedEngine:
    """Trains the fits of a run together, as stacks of models with one forward and one backward pass for all; see `Engine`.

    A fit comes out as `fit_fold` would have it, to the rounding of its sums: it has the same initial weights, order of rows,
    dropout (on a CPU), optimizer, schedule and callbacks, all of them its own. A fit that ends makes room for the next.

    `FittedFold.seconds` is a fit's share of the time: that of each epoch of its stack by steps, over the stacks that are
    trained at once. Together they are about the time that the run took.

    Args:
        workers: processes with a stack each; None for as many as torch would use threads where the work is worth it, and
            one on a GPU.
        stack_bytes: of a stack's parameters, gradients and moments on a CPU.

    Raises InputError with `reasons_against` where the recipe is none for it.
    """

    def __init__(self, *, workers: int | None = None, stack_bytes: int = STACK_BYTES) -> None:
        self.workers, self.stack_bytes = workers, stack_bytes

    def fit(
        self,
        table: FeatureTable,
        jobs: Sequence[Job],
        recipe: Mapping[str, Any],
        *,
        done: Callable[[Job, FittedFold], None],
    ) -> list[FittedFold]:
        reasons = reasons_against(recipe, table, jobs)
        if reasons:
            raise InputError(
                "engine=batched: these fits cannot be trained together", reasons, "engine=auto trains them one by one."
            )
        with quiet_lightning():
            trainer = recipe["trainer"](callbacks=[], logger=False)
        places = {id(job): place for place, job in enumerate(jobs)}
        fits: dict[int, FittedFold] = {}
        diverged: dict[int, Outcome] = {}
        for modalities in dict.fromkeys(job.modalities for job in jobs):
            alike = _by_fold([job for job in jobs if job.modalities == modalities])
            builder = Builder(table, alike, recipe, trainer.strategy.root_device)
            with closing(self._train(builder, alike, recipe, trainer)) as outcomes:
                for outcome in outcomes:
                    job = alike[outcome.place]
                    if outcome.best_epoch < 0:
                        diverged[places[id(job)]] = outcome
                        continue
                    fitted = outcome.fitted(builder.model(job), builder.excluded(job))
                    settings = {name: recipe.get(name, 0.0) for name in SETTINGS} | {"seed": job.seed}
                    steps = builder.steps(job)
                    write_history(recipe.get("logger"), job.place, fitted.history, steps=steps, settings=settings)
                    fits[places[id(job)]] = fitted
                    done(job, fitted)
        if diverged:
            raise _divergence([jobs[place] for place in sorted(diverged)], diverged[min(diverged)])
        return [fits[place] for place in range(len(jobs))]

    def _train(
        self, builder: Builder, jobs: Sequence[Job], recipe: Mapping[str, Any], trainer: pl.Trainer
    ) -> Generator[Outcome]:
        trial = try_head(recipe["head"], builder.dims(jobs[0]), len(builder.table.labels))
        max_epochs = None if trainer.max_epochs in (None, -1) else trainer.max_epochs
        steps = sum((max_epochs or 1000) * builder.steps(job) for job in jobs)
        multiply_adds = recipe["batch_size"] * trial.parameters
        # a head that draws otherwise than by dropout draws from the one generator of a process: all in one, for repetition
        alone = builder.device.type != "cpu" or not can_fork() or trial.draws_otherwise
        workers = 1 if alone else self._workers(jobs, steps * multiply_adds)
        width = -(-len(jobs) // workers)
        if builder.device.type == "cpu":
            width = max(1, min(width, self.stack_bytes // (BYTES * trial.parameters)))
        worker = Worker(
            builder, width, max_epochs, recipe.get("modality_dropout", 0.0), workers, not trial.draws_otherwise
        )
        log = StackLog(
            fits=len(jobs),
            steps=None if max_epochs is None else steps,
            every_seconds=seconds_between(recipe["callbacks"]),
        )
        if workers > 1:
            yield from train_in_processes(worker, jobs, log.advance)
            return
        with fitting_threads(multiply_adds), isolate_rng():
            torch.manual_seed(jobs[0].seed)
            yield from train_here(worker, jobs, log.advance)

    def _workers(self, jobs: Sequence[Job], multiply_adds: float) -> int:
        if self.workers is not None:
            return min(self.workers, len(jobs))
        return min(torch.get_num_threads(), len(jobs)) if multiply_adds >= WORTH_A_PROCESS else 1


def _by_fold(jobs: Sequence[Job]) -> list[Job]:
    """Fits of a fold beside each other: they share its rows, and end their epochs at the same step."""
    first: dict[int, int] = {}
    for place, job in enumerate(jobs):
        first.setdefault(id(job.fold), place)
    return sorted(jobs, key=lambda job: first[id(job.fold)])


def _divergence(jobs: Sequence[Job], outcome: Outcome) -> InputError:
    """What `fit_fold` raises, with the fits that it is about."""
    return InputError(
        f"training: none of {len(outcome.history)} epochs ended with a finite {outcome.monitor}, so none can be chosen",
        [f"fold {job.fold.name}, seed {job.seed}, {' + '.join(job.modalities)}" for job in jobs],
        "Lower optimizer.lr where training diverged; set trainer.max_epochs to 1 or more where it never began.",
    )
