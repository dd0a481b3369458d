"""A fold's rows: pooled vectors as tensors that stay on the device, sequences as they are needed."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pytorch_lightning as pl
import torch
from numpy.typing import NDArray
from torch import Tensor

from extractors.errors import InputError
from extractors.types import Modality
from fusion.data.batches import MAX_FRAMES
from fusion.data.loaders import Batch as Batch
from fusion.data.loaders import BatchLoader as BatchLoader
from fusion.data.loaders import SequenceLoader
from fusion.data.order import Sampling, shown_counts
from fusion.data.sequences import SequenceReader, check_sequences
from fusion.data.table import FeatureTable

if TYPE_CHECKING:
    from fusion.data.splits import Fold

log = logging.getLogger(__name__)

VALIDATION_ROWS = 4096  # in one validation batch; nothing is learnt from it, so only memory sets it


class EmbeddingDataModule(pl.LightningDataModule):
    """The training and validation rows of one fold, through the chosen modalities.

    Rows with no label, or with none of the chosen modalities, teach nothing: they are left out and counted in
    `excluded`, side -> reason -> rows. Test rows are not seen here at all.

    Args:
        table: all rows; its arrays are shared with, not copied for, a CPU.
        fold: with `.train` and `.val`, indices into the table.
        modalities: those to train on.
        batch_size: training rows a step, in each process.
        sampling: see `epoch_order`.
        sequences: whether batches are of sequences rather than of pooled vectors.
        max_frames: of a batch of sequences, with its padding; see `bucketed`.
        seed: of the order of the rows.

    Raises InputError where a side is left without rows, a modality is not in the table or has no sequences there, or a
    vector that is present is not finite.
    """

    def __init__(
        self,
        table: FeatureTable,
        fold: Fold,
        *,
        modalities: Sequence[Modality],
        batch_size: int = 64,
        sampling: Sampling = "shuffled",
        sequences: bool = False,
        max_frames: int = MAX_FRAMES,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.sampling: Sampling = sampling
        self.sequences, self.max_frames = sequences, max_frames
        absent = [m for m in modalities if m not in table.features]
        if absent or not modalities:
            raise InputError(
                f"modalities: the table has {', '.join(table.features)}; asked for {', '.join(modalities) or 'none'}"
            )
        self.table, self.modalities, self.batch_size, self.seed = table, tuple(modalities), batch_size, seed
        if sequences:
            check_sequences(list(table.sequences), modalities)
        self.excluded: dict[str, dict[str, int]] = {}
        self.rows = {"train": self._usable("train", fold.train), "val": self._usable("val", fold.val)}
        used = np.concatenate(list(self.rows.values()))
        if sequences:
            _check_lengths(table, self.modalities, used)
        else:
            check_finite(table, self.modalities, used)
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
        """Training rows of each class as an epoch shows them, in the order of the table's labels."""
        targets = self.table.targets[self.rows["train"]]
        counts = np.bincount(targets, minlength=len(self.table.labels)).tolist()
        return shown_counts(counts, sampling=self.sampling)

    @property
    def frames_per_row(self) -> float:
        """Frames of a training row on average, all modalities together; 1 for pooled vectors."""
        if not self.sequences:
            return 1.0
        return float(sum(self.table.sequences[m].lengths[self.rows["train"]].mean() for m in self.modalities))

    def tensors(self) -> Batch:
        """The chosen modalities of the whole table on the trainer's device, moved once; without features where these are
        sequences.
        """
        device = self.trainer.strategy.root_device if self.trainer is not None else torch.device("cpu")
        if self._tensors is None or self._tensors.targets.device != device:
            vectors = () if self.sequences else self.modalities
            self._tensors = Batch(
                {m: _tensor(self.table.features[m]).to(device) for m in vectors},
                {m: _tensor(self.table.present[m]).to(device) for m in self.modalities},
                _tensor(self.table.targets).to(device),
                None if self.table.soft is None else _tensor(self.table.soft).to(device),
            )
        return self._tensors

    def _loader(self, side: str, **options: Any) -> BatchLoader | SequenceLoader:
        if not self.sequences:
            return BatchLoader(self.tensors(), self.rows[side], **options)
        readers: dict[str, SequenceReader] = {m: self.table.sequences[m] for m in self.modalities}
        return SequenceLoader(readers, self.tensors(), self.rows[side], max_frames=self.max_frames, **options)

    def train_dataloader(self) -> BatchLoader | SequenceLoader:
        """This process's share of the training rows, in a new order each epoch."""
        rank, world = (self.trainer.global_rank, self.trainer.world_size) if self.trainer is not None else (0, 1)
        loader = self._loader(
            "train",
            batch_size=self.batch_size,
            shuffle=True,
            sampling=self.sampling,
            seed=self.seed,
            rank=rank,
            world_size=world,
        )
        if self.trainer is not None:
            # Lightning tells each epoch, but fetches a batch of a loader without length before it tells the first
            loader.set_epoch(self.trainer.fit_loop.epoch_progress.current.processed)  # type: ignore[attr-defined]
        return loader

    def val_dataloader(self) -> BatchLoader | SequenceLoader:
        """All validation rows, in every process: so few that sharing them out would only blur the metric."""
        return self._loader("val", batch_size=VALIDATION_ROWS)

    def transfer_batch_to_device(self, batch: Any, device: torch.device, dataloader_idx: int) -> Any:
        """Nothing to do: the loaders put their batches on the device."""
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


def _check_lengths(table: FeatureTable, modalities: Sequence[Modality], index: NDArray[np.int64]) -> None:
    """Raise InputError where a sequence that is present in the rows `index` has no frames."""
    problems = [
        f"row {row}: {modality} has no frames"
        for modality in modalities
        for row in np.sort(index[table.present[modality][index] & (table.sequences[modality].lengths[index] == 0)])
    ]
    if problems:
        raise InputError(f"{len(problems)} sequences are empty", problems, "Mark them as absent from these rows.")


def _tensor(values: NDArray[Any]) -> Tensor:
    # torch shares the memory of an array, and wants it writable even where it only reads
    return torch.from_numpy(values if values.flags.writeable else values.copy())
