"""Features of wild scale to comparable ones, by what the training rows show."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

LIMIT = 10.0  # standard deviations; beyond it, a value says "very far", and how far is noise that would drown the rest
CHUNK = 65_536  # rows held in double precision at a time
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
        spread = np.sqrt(squares / len(index))
        size = np.maximum.reduce([np.abs(values[chunk]).max(axis=0) for chunk in chunks])
        constant = spread <= np.maximum(RESOLUTION * size, np.finfo(np.float32).tiny)
        self.mean.copy_(torch.from_numpy(np.asarray(mean)))
        self.scale.copy_(torch.from_numpy(np.where(constant, 1.0, spread)))

    def forward(self, values: Tensor) -> Tensor:
        """(..., dim) float -> the same shape, in standard deviations."""
        return ((values - self.mean) / self.scale).clamp(-LIMIT, LIMIT)
