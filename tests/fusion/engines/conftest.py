"""Jobs of several folds and seeds, and both engines on them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fusion.data.folds import Fold
from fusion.engines.base import Job
from fusion.engines.batched import BatchedEngine
from fusion.fitted import FittedFold
from fusion.training import fit_fold


@pytest.fixture
def folds() -> list[Fold]:
    """Of 120 rows: 4, 5 and 4 steps an epoch in batches of 16, the last of them short by different numbers."""
    rows = np.random.default_rng(1).permutation(120).astype(np.int64)
    return [
        Fold("a", np.sort(rows[:62]), np.sort(rows[62:90]), np.sort(rows[90:])),
        Fold("b", np.sort(rows[20:91]), np.sort(rows[:20]), np.sort(rows[91:])),
        Fold("c", np.sort(rows[70:120]), np.sort(rows[40:70]), np.sort(rows[:40])),
    ]


@pytest.fixture
def jobs_of(folds: list[Fold], tmp_path: Path) -> Callable[..., list[Job]]:
    def build(seeds: Sequence[int] = (1, 2), modalities: tuple[Any, ...] = ("speech", "text")) -> list[Job]:
        return [Job(fold, modalities, seed, tmp_path / f"{fold.name}-{seed}") for seed in seeds for fold in folds]

    return build


@pytest.fixture
def shared_recipe(recipe: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    """As `recipe`, without what a job carries."""

    def build(**changes: Any) -> dict[str, Any]:
        return {name: part for name, part in recipe(**changes).items() if name != "run_dir"}

    return build


@pytest.fixture
def one_by_one() -> Callable[..., list[FittedFold]]:
    """The reference."""

    def run(table: Any, jobs: Sequence[Job], recipe: dict[str, Any]) -> list[FittedFold]:
        return [
            fit_fold(table, job.fold, modalities=job.modalities, run_dir=job.place, seed=job.seed, **recipe)
            for job in jobs
        ]

    return run


@pytest.fixture
def together() -> Callable[..., list[FittedFold]]:
    def run(
        table: Any, jobs: Sequence[Job], recipe: dict[str, Any], done: Any = lambda job, fitted: None, **settings: Any
    ) -> list[FittedFold]:
        return BatchedEngine(**settings).fit(table, jobs, recipe, done=done)

    return run
