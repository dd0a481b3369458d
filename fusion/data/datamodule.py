"""A fold's rows as tensors that stay on the device, in batches that are index slices of them."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pytorch_lightning as pl
import torch
from numpy.typing import NDArray
from torch import Tensor

from extractors.errors import InputError
from extractors.types import Modality
from fusion.data.table import FeatureTable

if TYPE_CHECKING:
    from fusion.data.splits import Fold

log = logging.getLogger(__name__)

VALIDATION_ROWS = 4096  # in one validation batch; nothing is learnt from it, so only memory sets it


class Batch(NamedTuple):
    """features[m] (batch, dim) float32, present[m] (batch,) bool, targets (batch,) int64."""

    features: dict[str, Tensor]
    present: dict[str, Tensor]
    targets: Tensor


class BatchLoader:
    """Iterates over `rows` of tensors that lie on the device. No worker, no collation, no copy but the slice.

    With `shuffle` each epoch has an order of its own, which follows from `seed` and the epoch alone, so that a
    resumed run sees what the uninterrupted one saw. No row is dropped: the last batch may be short. Across
    `world_size` processes each takes every world_size-th row of the same order, and as many as the others: where
    the rows do not divide, the first few of the epoch are seen twice.
    """

    def __init__(
        self,
        tensors: Batch,
        rows: NDArray[np.int64],
        *,
        batch_size: int,
        shuffle: bool = False,
        seed: int = 0,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        self.tensors, self.batch_size, self.shuffle, self.seed = tensors, batch_size, shuffle, seed
        self.rows = torch.from_numpy(np.ascontiguousarray(rows))
        self.rank, self.world_size = rank, world_size
        self.epoch = 0

    batch_sampler = None  # Lightning looks for one where there is a sampler

    @property
    def sampler(self) -> BatchLoader:
        """Lightning tells the epoch to `loader.sampler`, as it does for a DataLoader."""
        return self

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    @property
    def share(self) -> int:
        """Rows of this process in one epoch."""
        return -(-len(self.rows) // self.world_size)

    def __len__(self) -> int:
        return -(-self.share // self.batch_size)

    def __iter__(self) -> Iterator[Batch]:
        rows = self.rows
        if self.shuffle:
            generator = torch.Generator().manual_seed(1_000_003 * self.seed + self.epoch)
            rows = rows[torch.randperm(len(rows), generator=generator)]
        if self.world_size > 1:
            places = torch.arange(self.rank, self.share * self.world_size, self.world_size) % len(rows)
            rows = rows[places]
        rows = rows.to(self.tensors.targets.device)
        for chosen in rows.split(self.batch_size):
            yield Batch(
                {m: values.index_select(0, chosen) for m, values in self.tensors.features.items()},
                {m: values.index_select(0, chosen) for m, values in self.tensors.present.items()},
                self.tensors.targets.index_select(0, chosen),
            )


class EmbeddingDataModule(pl.LightningDataModule):
    """The training and validation rows of one fold, through the chosen modalities.

    Rows with no label, or with none of the chosen modalities, teach nothing: they are left out and counted in
    `excluded`, side -> reason -> rows. Test rows are not seen here at all.

    Args:
        table: all rows; its arrays are shared with, not copied for, a CPU.
        fold: with `.train` and `.val`, indices into the table.
        modalities: those to train on.
        batch_size: training rows a step, in each process.
        seed: of the order of the rows.

    Raises InputError where a side is left without rows, a modality is not in the table, or a vector that is
    present is not finite.
    """

    def __init__(
        self,
        table: FeatureTable,
        fold: Fold,
        *,
        modalities: Sequence[Modality],
        batch_size: int = 64,
        seed: int = 0,
    ) -> None:
        super().__init__()
        absent = [m for m in modalities if m not in table.features]
        if absent or not modalities:
            raise InputError(
                f"modalities: the table has {', '.join(table.features)}; asked for {', '.join(modalities) or 'none'}"
            )
        self.table, self.modalities, self.batch_size, self.seed = table, tuple(modalities), batch_size, seed
        self.excluded: dict[str, dict[str, int]] = {}
        self.rows = {"train": self._usable("train", fold.train), "val": self._usable("val", fold.val)}
        check_finite(table, self.modalities, np.concatenate(list(self.rows.values())))
        self._tensors: Batch | None = None

    def _usable(self, side: str, index: NDArray[np.int64]) -> NDArray[np.int64]:
        labelled = self.table.targets[index] >= 0
        heard = np.logical_or.reduce([self.table.present[m][index] for m in self.modalities])
        self.excluded[side] = {
            "no label": int((~labelled).sum()),
            f"neither of {', '.join(self.modalities)}" if len(self.modalities) > 1 else f"no {self.modalities[0]}": int(
                (labelled & ~heard).sum()
            ),
        }
        for reason, count in self.excluded[side].items():
            if count:
                log.info("%s: %d of %d rows left out: %s", side, count, len(index), reason)
        rows = np.asarray(index[labelled & heard], dtype=np.int64)
        if not len(rows):
            raise InputError(
                f"{side}: no row is left to {'train on' if side == 'train' else 'choose the epoch by'}",
                [f"{reason}: {count} of {len(index)}" for reason, count in self.excluded[side].items()],
                "Choose another split, or other modalities.",
            )
        return rows

    @property
    def class_counts(self) -> list[int]:
        """Training rows of each class, in the order of the table's labels."""
        targets = self.table.targets[self.rows["train"]]
        return np.bincount(targets, minlength=len(self.table.labels)).tolist()

    def tensors(self) -> Batch:
        """The chosen modalities of the whole table on the trainer's device, moved once."""
        device = self.trainer.strategy.root_device if self.trainer is not None else torch.device("cpu")
        if self._tensors is None or self._tensors.targets.device != device:
            self._tensors = Batch(
                {m: _tensor(self.table.features[m]).to(device) for m in self.modalities},
                {m: _tensor(self.table.present[m]).to(device) for m in self.modalities},
                _tensor(self.table.targets).to(device),
            )
        return self._tensors

    def train_dataloader(self) -> BatchLoader:
        """This process's share of the training rows, in a new order each epoch."""
        rank, world = (self.trainer.global_rank, self.trainer.world_size) if self.trainer is not None else (0, 1)
        return BatchLoader(
            self.tensors(),
            self.rows["train"],
            batch_size=self.batch_size,
            shuffle=True,
            seed=self.seed,
            rank=rank,
            world_size=world,
        )

    def val_dataloader(self) -> BatchLoader:
        """All validation rows, in every process: so few that sharing them out would only blur the metric."""
        return BatchLoader(self.tensors(), self.rows["val"], batch_size=VALIDATION_ROWS)

    def transfer_batch_to_device(self, batch: Any, device: torch.device, dataloader_idx: int) -> Any:
        """Nothing to do: the batch was cut from tensors that lie on the device."""
        return batch


def check_finite(table: FeatureTable, modalities: Sequence[Modality], index: NDArray[np.int64]) -> None:
    """Raise InputError where a vector that is present in the rows `index` holds NaN or infinity."""
    problems = []
    for modality in modalities:
        # the sum of a row is finite where all of it is: no copy of the table, and float32 cannot overflow float64
        with np.errstate(invalid="ignore"):  # infinity - infinity is what is looked for
            sums = table.features[modality].sum(axis=1, dtype=np.float64)
        broken = ~np.isfinite(sums) & table.present[modality]
        problems += [f"row {row}: {modality} holds NaN or infinity" for row in np.sort(index[broken[index]])]
    if problems:
        raise InputError(
            f"{len(problems)} vectors are not finite", problems, "Mend them, or mark them as absent from these rows."
        )


def _tensor(values: NDArray[Any]) -> Tensor:
    # torch shares the memory of an array, and wants it writable even where it only reads
    return torch.from_numpy(values if values.flags.writeable else values.copy())
