"""Why some fits cannot be trained together."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytorch_lightning as pl
import torch
from torch import nn

from fusion.callbacks import BestEpoch
from fusion.data.table import FeatureTable
from fusion.engines.base import Job
from fusion.engines.batched.trial import try_head
from fusion.engines.batched.watch import unwatched
from fusion.quiet import quiet_lightning

# what a trainer must be like, so that an epoch is every row once in float32 and then all of validation
PLAIN: dict[str, Callable[[Any], bool]] = {
    "precision": lambda trainer: trainer.precision == "32-true",
    "devices": lambda trainer: trainer.world_size == 1,
    "gradient_clip_val": lambda trainer: not trainer.gradient_clip_val,
    "accumulate_grad_batches": lambda trainer: trainer.accumulate_grad_batches == 1,
    "limit_train_batches": lambda trainer: trainer.limit_train_batches == 1.0,
    "limit_val_batches": lambda trainer: trainer.limit_val_batches == 1.0,
    "overfit_batches": lambda trainer: not trainer.overfit_batches,
    "val_check_interval": lambda trainer: trainer.val_check_interval == 1.0,
    "check_val_every_n_epoch": lambda trainer: trainer.check_val_every_n_epoch == 1,
    "fast_dev_run": lambda trainer: not trainer.fast_dev_run,
    "max_steps": lambda trainer: trainer.max_steps == -1,
    "min_epochs": lambda trainer: not trainer.min_epochs,
    "min_steps": lambda trainer: not trainer.min_steps,
}
# callbacks that a trainer brings by itself; of others (max_time makes one too) nothing is known
DISPLAYS = (pl.callbacks.ModelSummary, pl.callbacks.ProgressBar)


def reasons_against(recipe: Mapping[str, Any], table: FeatureTable, jobs: Sequence[Job]) -> list[str]:
    """Why `BatchedEngine` cannot do these jobs; empty where it can.

    Args:
        recipe: as an engine is given it.
        table: all rows.
        jobs: the fits. One group of reasons for all: those of different modalities are stacked apart.
    """
    reasons = _of_settings(recipe, jobs) + _of_trainer(recipe)
    head = recipe["head"]
    kind = getattr(head, "func", head)
    if getattr(kind, "needs_sequences", False):
        return [*reasons, "head: it reads sequences, of which each row has another length"]
    if getattr(kind, "fits_itself", False):
        return [*reasons, "head: it finds its parameters by itself, without epochs"]
    problems: dict[str, None] = {}
    for modalities in dict.fromkeys(job.modalities for job in jobs):
        known = {str(m): table.dims[m] for m in modalities if m in table.dims}
        if known:  # where a modality is not in the table, the fit says so
            problem = try_head(head, known, len(table.labels)).problem
            problems |= {f"head: {problem}": None} if problem else {}
    return [*reasons, *problems]


def _of_settings(recipe: Mapping[str, Any], jobs: Sequence[Job]) -> list[str]:
    reasons = []
    if recipe.get("mixup"):
        reasons.append(f"mixup={recipe['mixup']:g}: rows are blended with numbers that cannot be drawn for each fit")
    if recipe.get("auxiliary_loss"):
        reasons.append(f"auxiliary_loss={recipe['auxiliary_loss']:g}: it takes a pass for each modality")
    going_on = sum(job.checkpoint is not None for job in jobs)
    if going_on:
        reasons.append(f"{going_on} of {len(jobs)} fits go on from a checkpoint, which is of a fit by itself")
    optimizer = recipe["optimizer"]([nn.Parameter(torch.zeros(2, 2))])
    if not type(optimizer).__module__.startswith("torch.optim") or isinstance(optimizer, torch.optim.LBFGS):
        reasons.append(f"optimizer: {type(optimizer).__name__} may want the loss more than once a step")
    if recipe.get("scheduler") is not None:
        scheduler = recipe["scheduler"](optimizer)
        if not isinstance(scheduler, torch.optim.lr_scheduler.LRScheduler):
            reasons.append(f"scheduler: {type(scheduler).__name__} is none of torch's")
    return reasons


def _of_trainer(recipe: Mapping[str, Any]) -> list[str]:
    made = [make() for make in recipe["callbacks"].values()]
    if not any(isinstance(callback, BestEpoch) for callback in made):
        return ["callbacks: none of them chooses the epoch"]
    with quiet_lightning():
        trainer = recipe["trainer"](callbacks=list(made), logger=False)
    brought = [callback for callback in trainer.callbacks if not any(callback is one for one in made)]
    others = [callback for callback in brought if not isinstance(callback, DISPLAYS)]
    reasons = [f"trainer.{setting}: it is not the plain one" for setting, holds in PLAIN.items() if not holds(trainer)]
    return reasons + [f"{type(callback).__name__} wants a Lightning run" for callback in (*others, *unwatched(made))]
