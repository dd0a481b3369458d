"""Frames of a clip's windows: their sum for the vector, and laid end to end where they are wanted."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from torch import Tensor, float64

from extractors.types import Float32


class Window(NamedTuple):
    """The window `number` of the clip at position `clip` of a call."""

    clip: int
    number: int
    wave: Float32  # (samples,)


@dataclass
class Pool:
    """What is known of a clip whose windows come in any order. `start`: seconds taken off its beginning."""

    windows: int
    start: float = 0.0
    seen: int = 0
    frames: int = 0
    total: Any = 0.0  # (dim,) float64
    kept: dict[int, Float32] = field(default_factory=dict)

    def add(self, number: int, found: Tensor, *, keep: bool) -> None:
        """found (frames, dim) float32, of the window `number`."""
        self.seen += 1
        self.frames += found.shape[0]
        self.total = self.total + found.sum(dim=0, dtype=float64).numpy()
        if keep:
            self.kept[number] = found.numpy()

    def add_mean(self, mean: Tensor, frames: int) -> None:
        """mean (dim,) float32 over the `frames` of one more window, none of which are kept."""
        self.seen += 1
        self.frames += frames
        self.total = self.total + mean.to(float64).numpy() * frames

    @property
    def whole(self) -> bool:
        return self.seen == self.windows

    def vector(self) -> Float32:
        """(dim,) mean over all frames of the clip, so that each window counts as long as it is."""
        mean: Float32 = (self.total / self.frames).astype(np.float32)
        return mean

    def stitched(self) -> Float32 | None:
        """(frames, dim) of the whole clip, None where they were not kept."""
        return np.concatenate([self.kept[number] for number in range(self.windows)]) if self.kept else None
