"""The order in which an epoch shows its training rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

import torch
from torch import Tensor

from extractors.errors import InputError

Sampling = Literal["shuffled", "balanced"]


def epoch_order(rows: Tensor, targets: Tensor, *, sampling: Sampling = "shuffled", seed: int, epoch: int) -> Tensor:
    """(rows,) int64: `rows` in the order of one epoch, which follows from `seed` and `epoch` alone.

    Args:
        rows: (rows,) int64, what there is to show.
        targets: (rows,) int64, the class of each.
        sampling: "shuffled" shows every row once. "balanced" shows as many rows, of every class the same number to
            within one: of a class with fewer rows, all before any of them again; of one with more, another choice each
            epoch.
        seed: of the fit.
        epoch: counted from 0.

    >>> epoch_order(torch.arange(5), torch.zeros(5), seed=1, epoch=0).sort().values.tolist()
    [0, 1, 2, 3, 4]
    >>> targets = torch.tensor([0, 0, 0, 0, 0, 1])
    >>> targets[epoch_order(torch.arange(6), targets, sampling="balanced", seed=1, epoch=0)].bincount().tolist()
    [3, 3]
    """
    if sampling not in get_args(Sampling):
        raise InputError(f"sampling: expected {' or '.join(get_args(Sampling))}, got {sampling!r}")
    generator = torch.Generator().manual_seed(1_000_003 * seed + epoch)
    if sampling == "shuffled":
        return rows[torch.randperm(len(rows), generator=generator)]
    classes, place = torch.unique(targets, return_inverse=True)
    wanted = torch.full((len(classes),), len(rows) // max(len(classes), 1))
    wanted[torch.randperm(len(classes), generator=generator)[: len(rows) - int(wanted.sum())]] += 1
    chosen = [torch.empty(0, dtype=torch.int64)]
    for number, count in enumerate(wanted.tolist()):
        members = torch.nonzero(place == number).squeeze(1)
        for shown in range(0, count, len(members)):
            chosen.append(members[torch.randperm(len(members), generator=generator)][: count - shown])
    order = torch.cat(chosen)
    return rows[order[torch.randperm(len(order), generator=generator)]]


def shown_counts(counts: Sequence[int], *, sampling: Sampling = "shuffled") -> list[int]:
    """Rows of each class that an epoch shows on average, from `counts`, those that there are.

    Class weights are made of these: rows that the sampler has balanced already are not to be weighted once more. A
    class without rows is shown none; where the classes do not divide the rows evenly, the numbers are rounded up.

    >>> shown_counts([90, 0, 10]), shown_counts([90, 0, 10], sampling="balanced")
    ([90, 0, 10], [50, 0, 50])
    """
    if sampling == "shuffled":
        return list(counts)
    there = sum(count > 0 for count in counts)
    return [-(-sum(counts) // there) if count else 0 for count in counts]
