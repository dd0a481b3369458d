"""Makes the members of stacks, each as `fit_fold` would begin it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from weakref import WeakValueDictionary

import pytorch_lightning as pl
import torch
from pytorch_lightning.utilities.seed import isolate_rng

from fusion.data.datamodule import EmbeddingDataModule
from fusion.data.table import FeatureTable
from fusion.engines.base import Job
from fusion.engines.batched.member import Member
from fusion.engines.batched.rows import FoldRows
from fusion.model import FusionModel
from fusion.quiet import quiet_lightning


class Builder:
    """Builds one member at a time, when there is room for it in a stack; the caller's random state stays as it was.

    Args:
        table: all rows.
        jobs: what will be asked for; of the same modalities.
        recipe: as an engine is given it.
        device: where they are trained.

    Raises InputError where a fold has no usable rows or a vector is not finite, before anything is trained.
    """

    def __init__(
        self, table: FeatureTable, jobs: Sequence[Job], recipe: Mapping[str, Any], device: torch.device
    ) -> None:
        self.table, self.recipe, self.device = table, recipe, device
        self._data: dict[int, EmbeddingDataModule] = {}
        for job in jobs:
            if id(job.fold) not in self._data:
                self._data[id(job.fold)] = EmbeddingDataModule(
                    table,
                    job.fold,
                    modalities=job.modalities,
                    batch_size=recipe["batch_size"],
                    sampling=recipe.get("sampling", "shuffled"),
                )
        # a fold's rows go when its last fit is finished
        self._rows: WeakValueDictionary[int, FoldRows] = WeakValueDictionary()

    def steps(self, job: Job) -> int:
        """Of one epoch."""
        return -(-len(self._data[id(job.fold)].rows["train"]) // self.recipe["batch_size"])

    def dims(self, job: Job) -> dict[str, int]:
        """Modality -> width of its vectors."""
        return {m: self.table.dims[m] for m in self._data[id(job.fold)].modalities}

    def excluded(self, job: Job) -> dict[str, dict[str, int]]:
        """Side -> reason -> rows that could not be used."""
        return self._data[id(job.fold)].excluded

    def model(self, job: Job) -> FusionModel:
        """A model of the right shape, whose weights are not yet anything."""
        with isolate_rng():
            return self._model(job)

    def _model(self, job: Job) -> FusionModel:
        return FusionModel(self.recipe["head"](dims=self.dims(job), num_classes=len(self.table.labels)))

    def build(self, job: Job) -> Member:
        """The member for `job`, at its first epoch."""
        data = self._data[id(job.fold)]
        with quiet_lightning(), isolate_rng():
            pl.seed_everything(job.seed, workers=True, verbose=False)
            model = self._model(job)
            rows = self._rows.get(id(job.fold))
            if rows is None:
                rows = self._rows[id(job.fold)] = FoldRows(data, model, self.device)
            return Member(job, data, model, rows, self.recipe, self.device)
