"""Orders of an epoch: every row once, or every class alike; the same again from the same seed and epoch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from extractors.errors import InputError
from fusion.data.datamodule import EmbeddingDataModule
from fusion.data.order import epoch_order, shown_counts
from fusion.data.splits import Fold
from fusion.data.table import FeatureTable


def test_shuffled_is_as_it_was() -> None:
    """The order that earlier runs had, number by number: their figures must come again."""
    rows = torch.arange(100, 120)
    generator = torch.Generator().manual_seed(1_000_003 * 7 + 3)
    expected = rows[torch.randperm(20, generator=generator)]
    assert torch.equal(epoch_order(rows, torch.zeros(20), seed=7, epoch=3), expected)


@settings(max_examples=80, deadline=None)
@given(st.lists(st.integers(1, 30), min_size=1, max_size=6), st.integers(0, 2**20), st.integers(0, 50))
def test_balanced_shares(counts: list[int], seed: int, epoch: int) -> None:
    targets = torch.repeat_interleave(torch.arange(len(counts)) * 3, torch.tensor(counts))  # some classes have no rows
    targets = targets[torch.randperm(len(targets))]
    rows = torch.arange(len(targets)) + 1000
    order = epoch_order(rows, targets, sampling="balanced", seed=seed, epoch=epoch)
    assert len(order) == len(rows)
    shown = targets[order - 1000].bincount(minlength=3 * len(counts))[::3]
    assert shown.max() - shown.min() <= 1
    for number, count in enumerate(counts):
        times = torch.bincount(order[targets[order - 1000] == 3 * number] - 1000, minlength=len(rows))
        times = times[targets == 3 * number]
        assert len(times) == count
        assert times.max() - times.min() <= 1, "every row of a class before any of them again"


def test_balanced_follows_from_seed_and_epoch() -> None:
    targets = torch.tensor([0] * 40 + [1] * 10)

    def order(seed: int, epoch: int) -> list[int]:
        return epoch_order(torch.arange(50), targets, sampling="balanced", seed=seed, epoch=epoch).tolist()

    torch.manual_seed(0)
    before = torch.random.get_rng_state()
    assert order(1, 2) == order(1, 2)
    assert torch.equal(torch.random.get_rng_state(), before), "the global random state is not drawn from"
    assert order(1, 2) != order(1, 3)
    assert order(1, 2) != order(2, 2)
    assert len({row for epoch in range(20) for row in order(1, epoch)}) == 50, "over epochs, every row is seen"
    first = torch.tensor(order(1, 2))
    assert not torch.equal(targets[first], targets[first].sort().values), "classes come mixed"


def test_more_classes_than_rows_and_none() -> None:
    assert len(epoch_order(torch.arange(1), torch.tensor([4]), sampling="balanced", seed=0, epoch=0)) == 1
    empty = torch.empty(0, dtype=torch.int64)
    assert len(epoch_order(empty, empty, sampling="balanced", seed=0, epoch=0)) == 0


def test_unknown_sampling() -> None:
    with pytest.raises(InputError, match="expected shuffled or balanced, got 'fair'"):
        epoch_order(torch.arange(3), torch.zeros(3), sampling="fair", seed=0, epoch=0)  # type: ignore[arg-type]


def test_loaders_show_classes_alike_and_weights_do_not_do_it_twice(table: FeatureTable, fold: Fold) -> None:
    rare = fold.train[table.targets[fold.train] == 2][3:]
    train = np.setdiff1d(fold.train, rare)
    some = Fold("rare", train, fold.val, fold.test)
    options: dict[str, Any] = {"modalities": ["speech", "text"], "batch_size": 7}
    plain = EmbeddingDataModule(table, some, **options)
    data = EmbeddingDataModule(table, some, sampling="balanced", **options)
    shown = torch.cat([batch.targets for batch in data.train_dataloader()]).bincount(minlength=3)
    assert int(shown.sum()) == len(train)
    assert int(shown.max() - shown.min()) <= 1
    assert plain.class_counts == np.bincount(table.targets[train], minlength=3).tolist()
    assert len(set(data.class_counts)) == 1
    validated = torch.cat([batch.targets for batch in data.val_dataloader()])
    assert validated.tolist() == table.targets[fold.val].tolist(), "validation is as it is"
    assert shown_counts([9, 1], sampling="balanced") == [5, 5]
