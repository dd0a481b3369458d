"""What an engine is: many fits to be done, by whatever means, with the same outcome."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from extractors.types import Modality
from fusion.data.folds import Fold
from fusion.data.table import FeatureTable
from fusion.training import FittedFold


@dataclass(frozen=True)
class Job:
    """One fit.

    fold       : which rows teach, and which choose the epoch
    modalities : those to train on
    seed       : of the initial weights, the order of rows, and dropout
    place      : folder that the fit may write to
    checkpoint : `last.ckpt` of the same fit in an interrupted run, to go on from
    """

    fold: Fold
    modalities: tuple[Modality, ...]
    seed: int
    place: Path
    checkpoint: Path | None = None


class Engine(Protocol):
    """Does the jobs of a run. Which engine it was must not be seen in the figures, beyond chance."""

    def fit(
        self,
        table: FeatureTable,
        jobs: Sequence[Job],
        recipe: Mapping[str, Any],
        *,
        done: Callable[[Job, FittedFold], None],
    ) -> list[FittedFold]:
        """Fit all `jobs` on the rows of `table` by `recipe`, the other keyword arguments of `fit_fold`.

        `done` is called with each fit as soon as it is finished. Returns the fits in the order of `jobs`.
        Raises InputError as `fit_fold` does.
        """
