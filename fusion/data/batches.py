"""Rows in batches whose memory is set: which of them share a batch of sequences, and the batches of a prediction."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from extractors.ahead import computed_ahead
from fusion.data.sequences import SequenceReader, check_sequences, pad
from fusion.heads.base import Sequences

if TYPE_CHECKING:
    from fusion.data.table import FeatureTable

Index = NDArray[np.int64]
Shown = tuple[dict[str, Any], dict[str, Tensor]]

MAX_FRAMES = 32_768  # of a batch, padding included: 64 clips of 10 s at 50 Hz, 134 MB of 1,024 float32 values each
MAX_ROWS = 4096  # in one batch of a prediction; a row's logits do not depend on it
POOL = 32  # batches whose rows are sorted by length together
AHEAD = 2  # batches that wait, read already


def cut(lengths: Index, *, rows: int, frames: int, step: int = 1) -> list[slice]:
    """Consecutive rows in batches of at most `rows` rows and `frames` padded frames, all modalities together.

    lengths : (rows, modalities) int64
    step    : batches are cut at multiples of it; a batch of `step` rows is made even where it is too large

    >>> cut(np.array([[5], [5], [9], [1], [1]]), rows=3, frames=10)
    [slice(0, 2, None), slice(2, 3, None), slice(3, 5, None)]
    """
    batches, start = [], 0
    longest = np.zeros(lengths.shape[1], dtype=np.int64)
    for place in range(0, len(lengths), step):
        longer = np.maximum(longest, lengths[place : place + step].max(axis=0))
        more = min(place + step, len(lengths)) - start
        if place > start and (more > rows * step or more * int(longer.sum()) > frames * step):
            batches.append(slice(start, place))
            start, longer = place, lengths[place : place + step].max(axis=0)
        longest = longer
    if len(lengths):
        batches.append(slice(start, len(lengths)))
    return batches


def bucketed(
    order: Index,
    lengths: Index,
    *,
    batch_size: int,
    max_frames: int = MAX_FRAMES,
    generator: torch.Generator | None,
    rank: int = 0,
    world_size: int = 1,
) -> list[Index]:
    """The rows of each batch of an epoch, for one of `world_size` processes: rows of like length together.

    `order` is cut into pools of `POOL` batches; in each, rows are sorted by length and cut into batches, and the batches
    of all pools are shuffled. Who shares a batch thus changes with the order, and every row stands in one batch. A batch
    that would hold more than `max_frames` is cut short: a step of fewer rows. All processes have as many batches, and of
    like length at the same time.

    Args:
        order: (shown,) int64, rows in the order of the epoch; a multiple of `world_size` of them.
        lengths: (rows, modalities) int64, frames of every row of the table.
        batch_size: rows of a batch, in each process.
        max_frames: padded frames of a batch, all modalities together; a single row may be longer.
        generator: of the order of the batches; None leaves pools out: all rows by length.
        rank: which process.
        world_size: of how many.

    >>> lengths = np.array([[2], [9], [3], [8]])
    >>> [batch.tolist() for batch in bucketed(np.arange(4), lengths, batch_size=2, generator=None)]
    [[0, 2], [3, 1]]
    """
    pool = len(order) if generator is None else POOL * batch_size * world_size
    batches = []
    for start in range(0, len(order), max(pool, 1)):
        rows = order[start : start + pool]
        rows = rows[np.argsort(lengths[rows].sum(axis=1), kind="stable")]
        batches += [rows[part] for part in cut(lengths[rows], rows=batch_size, frames=max_frames, step=world_size)]
    if generator is not None:
        batches = [batches[place] for place in torch.randperm(len(batches), generator=generator).tolist()]
    return [batch[rank::world_size] for batch in batches]


def read_batch(readers: Mapping[str, SequenceReader], rows: Index, device: torch.device | str) -> dict[str, Sequences]:
    """The sequences of `rows`, padded, on the device."""
    found = {m: pad(reader.read(rows), reader.dim) for m, reader in readers.items()}
    return {m: Sequences(sequences.values.to(device), sequences.mask.to(device)) for m, sequences in found.items()}


def in_order(
    features: Mapping[str, Any],
    present: Mapping[str, NDArray[np.bool_]],
    index: Index,
    *,
    device: torch.device | str = "cpu",
    max_frames: int = MAX_FRAMES,
) -> Iterator[Shown]:
    """`features[m]`, arrays (rows, dim) or `SequenceReader`s, and `present[m]` (rows,) of the rows `index`, in its order.

    In batches of bounded memory, one at least; sequences are read by a thread a little ahead.
    """
    readers = {m: values for m, values in features.items() if not isinstance(values, np.ndarray)}
    if readers:
        lengths = np.stack([reader.lengths[index] for reader in readers.values()], axis=1)
        parts = cut(lengths, rows=MAX_ROWS, frames=max_frames)
    else:
        parts = [slice(start, start + MAX_ROWS) for start in range(0, len(index), MAX_ROWS)]

    def shown(part: slice) -> Shown:
        rows = index[part]
        vectors = {m: torch.from_numpy(v[rows]).to(device) for m, v in features.items() if m not in readers}
        here = {m: torch.from_numpy(flags[rows]).to(device) for m, flags in present.items()}
        return vectors | read_batch(readers, rows, device), here

    yield from ahead(shown, parts or [slice(0, 0)], wait=bool(readers))


def ahead(make: Callable[[Any], Any], parts: Sequence[Any], *, wait: bool = True) -> Iterator[Any]:
    """`make` of each part; with `wait`, by a thread, while the one before is used."""
    if not wait:
        yield from map(make, parts)
        return
    with computed_ahead(map(make, parts), size=AHEAD) as batches:
        yield from batches


def batches_of(
    table: FeatureTable,
    index: Index,
    modalities: Sequence[str],
    *,
    sequences: bool = False,
    device: torch.device | str = "cpu",
    max_frames: int = MAX_FRAMES,
) -> Iterator[Shown]:
    """What a model is shown of the rows `index` of `table`, in that order: (features, present), batch by batch.

    Args:
        table: rows of any number.
        index: (rows,) int64; where it is empty there is one empty batch.
        modalities: those that the model knows.
        sequences: whether it reads sequences; InputError where the table has none.
        device: where the batches go.
        max_frames: padded frames of a batch of sequences; more only where a single row has more.
    """
    if sequences:
        check_sequences(list(table.sequences), modalities)
    source: Mapping[Any, Any] = table.sequences if sequences else table.features
    present: Mapping[Any, Any] = table.present
    return in_order(
        {m: source[m] for m in modalities},
        {m: present[m] for m in modalities},
        index,
        device=device,
        max_frames=max_frames,
    )
