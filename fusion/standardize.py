"""Features of wild scale to comparable ones, by what the training rows show."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

if TYPE_CHECKING:
    from fusion.data.sequences import SequenceReader

LIMIT = 10.0  # standard deviations; beyond it, a value says "very far", and how far is noise that would drown the rest
CHUNK = 65_536  # rows held in double precision at a time
SAMPLED_ROWS = 2_000  # whose frames are looked at: an error of the mean of 2 % of the spread between rows
SAMPLED_FRAMES = 400_000  # at most, of all of them: 1.6 GB read of 1,024 float32 values each, a few MB at a time
ROWS_AT_ONCE = 32
RESOLUTION = 1e-6  # a spread below this share of a column's size is rounding of float32, not signal


class Standardizer(nn.Module):
    """(x - mean) / scale by column, clamped to ±LIMIT, with `mean` and `scale` saved in the state dict.

    Fitted on training rows that are present, and on nothing else. A column that does not vary there has the
    scale 1, so that its rounding noise is not blown up. Before `fit` it only clamps.

    >>> standardize = Standardizer(dim=2)
    >>> standardize.fit(np.array([[0.0, 7.0], [200.0, 7.0]], dtype=np.float32))
    >>> standardize(torch.tensor([[300.0, 7.0], [1e9, 7.0]])).tolist()
    [[2.0, 0.0], [10.0, 0.0]]
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, *, dim: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(dim))
        self.register_buffer("scale", torch.ones(dim))

    def fit(self, values: NDArray[np.float32], index: NDArray[np.int64] | None = None) -> None:
        """Learn from the rows `index` of `values` (rows, dim), finite; from all of them where it is None.

        With no rows at all it stays as it is. In double precision and in chunks: a million rows are not copied.
        """
        index = np.arange(len(values)) if index is None else index
        if not len(index):
            return
        chunks = [index[start : start + CHUNK] for start in range(0, len(index), CHUNK)]
        mean = sum(values[chunk].sum(axis=0, dtype=np.float64) for chunk in chunks) / len(index)
        squares = sum(((values[chunk] - mean) ** 2).sum(axis=0) for chunk in chunks)  # float32 - float64: float64
        size = np.maximum.reduce([np.abs(values[chunk]).max(axis=0) for chunk in chunks])
        self._set(mean, np.sqrt(squares / len(index)), size)

    def fit_sequences(self, reader: SequenceReader, index: NDArray[np.int64]) -> None:
        """Learn from the frames of the rows `index`, each frame alike, read a few rows at a time.

        Of more than `SAMPLED_ROWS` rows, or more than `SAMPLED_FRAMES` frames, a part is looked at: rows are taken in an
        order that is random and always the same, until either is reached. With no frames at all it stays as it is.
        """
        index = np.sort(index[reader.lengths[index] > 0])
        index = np.random.default_rng(0).permutation(index)[:SAMPLED_ROWS]
        index = index[: 1 + np.searchsorted(np.cumsum(reader.lengths[index]), SAMPLED_FRAMES)]
        count, mean, squares, size = 0, np.zeros(reader.dim), np.zeros(reader.dim), np.zeros(reader.dim, np.float32)
        for start in range(0, len(index), ROWS_AT_ONCE):
            for frames in reader.read(np.sort(index[start : start + ROWS_AT_ONCE])):
                # Chan, Golub & LeVeque, 1983, eq. 2.1: one pass, and no difference of large numbers
                total = count + len(frames)
                own = frames.mean(axis=0, dtype=np.float64)
                squares += ((frames - own) ** 2).sum(axis=0) + (own - mean) ** 2 * (count * len(frames) / total)
                mean += (own - mean) * (len(frames) / total)
                np.maximum(size, np.abs(frames).max(axis=0), out=size)
                count = total
        if count:
            self._set(mean, np.sqrt(squares / count), size)

    def _set(self, mean: NDArray[np.float64], spread: NDArray[np.float64], size: NDArray[np.float32]) -> None:
        constant = spread <= np.maximum(RESOLUTION * size, np.finfo(np.float32).tiny)
        self.mean.copy_(torch.from_numpy(np.asarray(mean)))
        self.scale.copy_(torch.from_numpy(np.where(constant, 1.0, spread)))

    def forward(self, values: Tensor) -> Tensor:
        """(..., dim) float -> the same shape, in standard deviations."""
        # in place where nobody sees it: of frames, each copy is many megabytes
        return (values - self.mean).div_(self.scale).clamp_(-LIMIT, LIMIT)
