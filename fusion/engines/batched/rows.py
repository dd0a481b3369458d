"""The rows of a fold on the device, standardised once rather than in every step."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import deepcopy

import torch
from torch import Tensor, nn

from fusion.data.datamodule import VALIDATION_ROWS, Batch, EmbeddingDataModule
from fusion.model import FusionModel

AHEAD = 512 * 2**20  # bytes of one side; a larger one is standardised batch by batch, and not held twice
CHUNK = 8192  # rows standardised at a time


class SideRows:
    """One side of a fold. Rows are named by their position in it, from 0 on.

    present : (rows, modalities) bool
    targets : (rows,) int64
    soft    : (rows, classes) float32, or None where each row has one label
    """

    def __init__(
        self, data: EmbeddingDataModule, side: str, standardizers: nn.ModuleDict, device: torch.device
    ) -> None:
        table = data.tensors()
        self._rows = torch.from_numpy(data.rows[side])
        self._table, self._standardizers, self._device = table.features, standardizers, device
        self.present = torch.stack([table.present[m][self._rows] for m in data.modalities], dim=1).to(device)
        self.targets = table.targets[self._rows].to(device)
        self.soft = None if table.soft is None else table.soft[self._rows].to(device)
        self._ready: dict[str, Tensor] | None = None
        if len(self) * sum(values.shape[1] for values in table.features.values()) * 4 <= AHEAD:
            parts = [self._standardized(chunk) for chunk in self._rows.split(CHUNK)]
            # with a row of zeros at the end, for those that are not shown
            self._ready = {
                m: torch.cat([*(part[m] for part in parts), parts[0][m].new_zeros(1, parts[0][m].shape[1])])
                for m in parts[0]
            }

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def goals(self) -> Tensor:
        """What the loss is held against: `soft` where labels are divided, else `targets`."""
        return self.targets if self.soft is None else self.soft

    def gather(self, positions: Tensor, shown: Tensor, out: Mapping[str, Tensor]) -> None:
        """Write standardised features into `out`, modality -> (batch, dim) float32; zeros where they are not shown.

        positions : (batch,) int64
        shown     : (batch, modalities) bool, never where a modality is absent
        """
        columns = dict(zip(self._table, shown.unbind(dim=1), strict=True))
        if self._ready is not None:
            for m, values in self._ready.items():
                torch.index_select(values, 0, torch.where(columns[m], positions, len(self)), out=out[m])
        else:
            for m, values in self._standardized(self._rows[positions.cpu()]).items():
                out[m].copy_(torch.where(columns[m][:, None], values, 0.0))

    def batches(self) -> Iterator[Batch]:
        """All rows in their order, as many at a time as validation takes."""
        for start in range(0, len(self), VALIDATION_ROWS):
            span = slice(start, start + VALIDATION_ROWS)
            features = (
                self._standardized(self._rows[span])
                if self._ready is None
                else {m: values[: len(self)][span] for m, values in self._ready.items()}
            )
            present = dict(zip(self._table, self.present[span].unbind(dim=1), strict=True))
            yield Batch(features, present, self.targets[span], None if self.soft is None else self.soft[span])

    def _standardized(self, rows: Tensor) -> dict[str, Tensor]:
        known = self._standardizers
        with torch.no_grad():
            values = {m: values.index_select(0, rows).to(self._device) for m, values in self._table.items()}
            return {m: known[m](part) if m in known else part for m, part in values.items()}


class FoldRows:
    """Both sides of a fold through some modalities, and the standardizers fitted on its training rows.

    Shared by the fits of that fold, whatever their seed.
    """

    def __init__(self, data: EmbeddingDataModule, model: FusionModel, device: torch.device) -> None:
        model.fit_standardizers(data.table, data.rows["train"])
        self.standardizers = {name: value.clone() for name, value in model.standardizers.state_dict().items()}
        on_device = deepcopy(model.standardizers).to(device)
        self.train, self.val = (SideRows(data, side, on_device, device) for side in ("train", "val"))
