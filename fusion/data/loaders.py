"""Loaders of a fold's rows: slices of tensors that lie on the device, or sequences read as they are needed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fusion.data.batches import MAX_FRAMES, ahead, bucketed, read_batch
from fusion.data.order import Sampling, epoch_order
from fusion.data.sequences import SequenceReader


class Batch(NamedTuple):
    """features[m] (batch, dim) float32 or `Sequences`, present[m] (batch,) bool, targets (batch,) int64.

    soft: (batch, classes) float32, what the annotators say of each row together; None where each has one label.
    """

    features: dict[str, Any]
    present: dict[str, Tensor]
    targets: Tensor
    soft: Tensor | None = None


class EpochRows:
    """The rows that a loader shows, in the order of each epoch.

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
        sampling: Sampling = "shuffled",
        seed: int = 0,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        self.tensors, self.batch_size, self.shuffle, self.seed = tensors, batch_size, shuffle, seed
        self.sampling: Sampling = sampling
        self.rows = torch.from_numpy(np.ascontiguousarray(rows))
        self.rank, self.world_size = rank, world_size
        self.epoch = 0

    batch_sampler = None  # Lightning looks for one where there is a sampler

    @property
    def sampler(self) -> EpochRows:
        """Lightning tells the epoch to `loader.sampler`, as it does for a DataLoader."""
        return self

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    @property
    def share(self) -> int:
        """Rows of this process in one epoch."""
        return -(-len(self.rows) // self.world_size)

    def order(self) -> Tensor:
        """(share * world_size,) int64: the rows of all processes in this epoch, on the CPU."""
        rows = self.rows
        if self.shuffle:
            targets = self.tensors.targets.cpu()[rows]
            rows = epoch_order(rows, targets, sampling=self.sampling, seed=self.seed, epoch=self.epoch)
        return rows[torch.arange(self.share * self.world_size) % len(rows)] if self.world_size > 1 else rows


class BatchLoader(EpochRows):
    """Batches of tensors that lie on the device. No worker, no collation, no copy but the slice; see `EpochRows`."""

    def __len__(self) -> int:
        return -(-self.share // self.batch_size)

    def __iter__(self) -> Iterator[Batch]:
        rows = self.order()[self.rank :: self.world_size].to(self.tensors.targets.device)
        for chosen in rows.split(self.batch_size):
            yield Batch(
                {m: values.index_select(0, chosen) for m, values in self.tensors.features.items()},
                *_labels(self.tensors, chosen),
            )


class SequenceLoader(EpochRows):
    """Batches of sequences, read by a thread a little ahead of their use; see `EpochRows`.

    Memory is set by the batch: four are held at a time, however many rows there are. Rows of like length share a batch,
    and long ones a smaller batch, by `fusion.data.batches.bucketed`. How many batches an epoch has depends on who shares
    one, so there is no `len`, and Lightning ends the epoch with the last.

    Args:
        readers: modality -> the sequences of all rows of the table.
        tensors: `present`, `targets` and `soft` of all rows, on the device that batches go to; no features.
        max_frames: padded frames of a batch, all modalities together.
        options: of `EpochRows`.
    """

    def __init__(
        self,
        readers: Mapping[str, SequenceReader],
        tensors: Batch,
        *args: Any,
        max_frames: int = MAX_FRAMES,
        **options: Any,
    ) -> None:
        super().__init__(tensors, *args, **options)
        self.readers, self.max_frames = dict(readers), max_frames
        self.lengths = np.stack([reader.lengths for reader in self.readers.values()], axis=1)  # (rows, modalities)

    def plan(self) -> list[NDArray[np.int64]]:
        """The rows of each batch of this epoch, for this process."""
        # not the numbers that the order of rows was drawn from
        generator = torch.Generator().manual_seed(1_000_003 * self.seed + self.epoch + 500_000)
        return bucketed(
            self.order().numpy(),
            self.lengths,
            batch_size=self.batch_size,
            max_frames=self.max_frames,
            generator=generator if self.shuffle else None,
            rank=self.rank,
            world_size=self.world_size,
        )

    def __iter__(self) -> Iterator[Batch]:
        device = self.tensors.targets.device

        def read(rows: NDArray[np.int64]) -> Batch:
            return Batch(
                read_batch(self.readers, rows, device), *_labels(self.tensors, torch.from_numpy(rows).to(device))
            )

        return ahead(read, self.plan())


def _labels(tensors: Batch, rows: Tensor) -> tuple[dict[str, Tensor], Tensor, Tensor | None]:
    """What a batch has beside its features."""
    return (
        {m: flags.index_select(0, rows) for m, flags in tensors.present.items()},
        tensors.targets.index_select(0, rows),
        None if tensors.soft is None else tensors.soft.index_select(0, rows),
    )
