"""Frames and tokens of a table's rows: read when a batch needs them, never all at once."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from extractors.errors import InputError, StoreError
from fusion.heads.base import Sequences

if TYPE_CHECKING:
    from extractors.lance_tables import LocatedFrames
    from extractors.store import EmbeddingStore

log = logging.getLogger(__name__)

Float32 = NDArray[np.float32]
Index = NDArray[np.int64]
SHORTEST = 2  # frames of a batch: attention over one is refused by shape, and padding is inert


class SequenceReader(Protocol):
    """The sequences of one modality of a table's rows, finite.

    dim     : width of a frame
    lengths : (rows,) int64, frames of each row; 0 where it has none
    read    : (frames, dim) float32 of each row of `index`, (0, dim) where it has none; not to be written
    take    : the rows of `index`, in that order
    """

    @property
    def dim(self) -> int: ...
    @property
    def lengths(self) -> Index: ...
    def read(self, index: Index) -> list[Float32]: ...
    def take(self, index: Index) -> SequenceReader: ...


class ArraySequences:
    """Sequences that lie in memory.

    >>> found = ArraySequences([np.ones((3, 2), np.float32), None])
    >>> found.dim, found.lengths.tolist(), [frames.shape for frames in found.read(np.array([1, 0]))]
    (2, [3, 0], [(0, 2), (3, 2)])
    """

    def __init__(self, arrays: Sequence[Float32 | None], *, dim: int | None = None) -> None:
        there = [array for array in arrays if array is not None]
        widths = {array.shape[1] if array.ndim == 2 else -1 for array in there} | ({dim} if dim is not None else set())
        if len(widths) != 1 or -1 in widths:
            raise ValueError(f"expected (frames, dim) of one width each, got {[array.shape for array in there][:5]}")
        if not all(np.isfinite(array).all() for array in there):
            raise ValueError("sequences hold NaN or infinity")
        self.dim = int(widths.pop())
        nothing = np.zeros((0, self.dim), np.float32)
        self._arrays = [nothing if array is None else np.asarray(array, np.float32) for array in arrays]
        self.lengths = np.array([len(array) for array in self._arrays], dtype=np.int64)

    def read(self, index: Index) -> list[Float32]:
        """See `SequenceReader`."""
        return [self._arrays[row] for row in index]

    def take(self, index: Index) -> ArraySequences:
        """See `SequenceReader`."""
        return ArraySequences([self._arrays[row] for row in index], dim=self.dim)


class StoreSequences:
    """Sequences that stay in the embedding store; only keys and lengths are held.

    store : where they were extracted to with `frames=True`
    keys  : (rows,) of one extractor, None where a row has none

    Raises KeyError where a key is not there, or has no frames.
    """

    def __init__(self, store: EmbeddingStore, keys: Sequence[str | None]) -> None:
        self._store, self._keys = store, list(keys)
        self._place = np.cumsum([key is not None for key in self._keys]) - 1  # of a row among those that have a key
        located = self._locate()
        self.dim = located.dim
        self.lengths = np.zeros(len(self._keys), dtype=np.int64)
        self.lengths[[key is not None for key in self._keys]] = located.lengths

    def _locate(self) -> LocatedFrames:
        self._located = self._store.locate_frames([key for key in self._keys if key is not None])
        return self._located

    def read(self, index: Index) -> list[Float32]:
        """See `SequenceReader`. Reads from disk."""
        there = self.lengths[index] > 0
        place = self._place[index[there]]
        try:
            found = iter(self._store.read_located(self._located, place))
        except StoreError:  # most likely another process compacted the store; what is really wrong comes up again
            log.debug("locating the frames of %d rows again", len(self._keys))
            self._locate()
            found = iter(self._store.read_located(self._located, place))
        nothing = np.zeros((0, self.dim), np.float32)
        return [next(found) if one else nothing for one in there]

    def take(self, index: Index) -> SequenceReader:
        """See `SequenceReader`."""
        keys = [self._keys[row] for row in index]
        if not any(keys):
            return ArraySequences([None] * len(keys), dim=self.dim)
        return StoreSequences(self._store, keys)


def pad(sequences: Sequence[Float32], dim: int) -> Sequences:
    """(frames, dim) each -> values (rows, frames, dim) float32 and mask (rows, frames), as long as the longest.

    >>> padded = pad([np.ones((3, 2), np.float32), np.ones((1, 2), np.float32)], 2)
    >>> padded.values.shape, padded.mask.tolist()
    (torch.Size([2, 3, 2]), [[True, True, True], [True, False, False]])
    """
    lengths = np.array([len(sequence) for sequence in sequences], dtype=np.int64)
    longest = max(SHORTEST, int(lengths.max(initial=0)))
    values = np.empty((len(sequences), longest, dim), np.float32)
    for row, sequence in enumerate(sequences):
        values[row, : len(sequence)] = sequence
        values[row, len(sequence) :] = 0.0
    mask = np.arange(longest) < lengths[:, None]
    return Sequences(torch.from_numpy(values), torch.from_numpy(mask))


def check_sequences(there: Sequence[str], asked: Sequence[str]) -> None:
    """Raise InputError where a modality that is asked for has no sequences in a table that has them of `there`."""
    if absent := [modality for modality in asked if modality not in there]:
        raise InputError(
            "this head reads sequences, and there are only pooled vectors of " + ", ".join(absent),
            hint="Train from a manifest, whose frames are extracted, or take a head of pooled vectors, such as head=gated.",
        )
