"""Batches are slices: every row once an epoch, in an order that follows from seed and epoch, shared out fairly."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch

from extractors.errors import InputError
from fusion.data.datamodule import Batch, BatchLoader, EmbeddingDataModule, check_finite
from fusion.data.splits import Fold
from fusion.data.table import FeatureTable

BOTH = ("speech", "text")


def loader(rows: int, **options: object) -> BatchLoader:
    """Over rows 100, 101, … whose targets are their own numbers."""
    numbers = torch.arange(100 + rows)
    tensors = Batch({"text": numbers[:, None].float()}, {"text": torch.ones_like(numbers, dtype=torch.bool)}, numbers)
    return BatchLoader(tensors, np.arange(100, 100 + rows), **options)  # type: ignore[arg-type]


def order(batches: BatchLoader, epoch: int = 0) -> list[int]:
    batches.set_epoch(epoch)
    return torch.cat([batch.targets for batch in batches]).tolist()


@pytest.mark.parametrize("rows", [1, 7, 8, 9, 100])
@pytest.mark.parametrize("shuffle", [False, True])
def test_every_row_once(rows: int, shuffle: bool) -> None:
    batches = loader(rows, batch_size=8, shuffle=shuffle)
    assert sorted(order(batches)) == list(range(100, 100 + rows))
    assert len(list(batches)) == len(batches) == -(-rows // 8)
    for batch in batches:
        assert torch.equal(batch.features["text"][:, 0], batch.targets.float()), "rows stay together"


def test_order_follows_from_seed_and_epoch() -> None:
    batches = loader(50, batch_size=8, shuffle=True, seed=3)
    assert order(batches, 1) == order(loader(50, batch_size=5, shuffle=True, seed=3), 1)
    assert order(batches, 1) != order(batches, 2)
    assert order(batches, 1) != order(loader(50, batch_size=8, shuffle=True, seed=4), 1)
    assert order(loader(50, batch_size=8)) == list(range(100, 150))
    torch.manual_seed(0)
    before = torch.random.get_rng_state()
    order(batches)
    assert torch.equal(torch.random.get_rng_state(), before), "the global random state is not drawn from"


@pytest.mark.parametrize(("rows", "world"), [(40, 2), (41, 2), (41, 4), (3, 4), (100, 3)])
def test_processes_share_the_rows(rows: int, world: int) -> None:
    """All rows are seen, all processes step as often, and no more is seen twice than evenness needs."""
    parts = [loader(rows, batch_size=4, shuffle=True, seed=1, rank=rank, world_size=world) for rank in range(world)]
    assert len({len(part) for part in parts}) == 1
    orders = [order(part, epoch=2) for part in parts]
    assert all(len(list(part)) == len(part) for part in parts)
    assert {len(seen) for seen in orders} == {-(-rows // world)}
    everything = [row for seen in orders for row in seen]
    assert set(everything) == set(range(100, 100 + rows))
    assert len(everything) - rows < world


def test_tensors_share_the_tables_memory(table: FeatureTable, fold: Fold) -> None:
    data = EmbeddingDataModule(table, fold, modalities=BOTH)
    tensors = data.tensors()
    assert tensors.features["speech"].data_ptr() == table.features["speech"].ctypes.data
    assert data.tensors() is tensors, "moved once"
    batch = next(iter(data.train_dataloader()))
    assert data.transfer_batch_to_device(batch, torch.device("cpu"), 0) is batch


def test_read_only_arrays_are_fine(table: FeatureTable, fold: Fold) -> None:
    for array in (*table.features.values(), *table.present.values(), table.targets):
        array.flags.writeable = False
    assert len(list(EmbeddingDataModule(table, fold, modalities=BOTH).val_dataloader())) == 1


def test_sides(table: FeatureTable, fold: Fold) -> None:
    data = EmbeddingDataModule(table, fold, modalities=BOTH, batch_size=16)
    rows = {row.tobytes(): number for number, row in enumerate(table.features["text"] + 1)}
    for batches, side in ((data.train_dataloader(), fold.train), (data.val_dataloader(), fold.val)):
        for batch in batches:
            numbers = [rows[(row + 1).numpy().tobytes()] for row in batch.features["text"] if row.any()]
            assert set(numbers) <= set(side.tolist())
        assert sum(len(batch.targets) for batch in batches) == len(side)
    assert data.class_counts == np.bincount(table.targets[fold.train], minlength=3).tolist()


def test_rows_that_teach_nothing_are_left_out_and_counted(table: FeatureTable, fold: Fold) -> None:
    table.targets[fold.train[:3]] = -1
    silent = fold.train[2:7]
    for m in BOTH:
        table.present[m][silent] = False
    data = EmbeddingDataModule(table, fold, modalities=BOTH)
    assert data.excluded == {
        "train": {"no label": 3, "neither of speech, text": 4},
        "val": {"no label": 0, "neither of speech, text": 0},
    }
    assert data.rows["train"].tolist() == fold.train[7:].tolist()
    assert sum(data.class_counts) == len(fold.train) - 7
    speech = EmbeddingDataModule(table, fold, modalities=["speech"])
    heard = table.present["speech"][fold.train] & (table.targets[fold.train] >= 0)
    assert speech.rows["train"].tolist() == fold.train[heard].tolist()
    assert speech.excluded["train"]["no speech"] == int((~table.present["speech"][fold.train[3:]]).sum())
    assert list(next(iter(speech.train_dataloader())).features) == ["speech"]


@pytest.mark.parametrize("side", ["train", "val"])
def test_an_empty_side_is_refused(table: FeatureTable, fold: Fold, side: str) -> None:
    with pytest.raises(InputError, match=f"{side}: no row is left"):
        EmbeddingDataModule(table, replace(fold, **{side: np.array([], dtype=np.int64)}), modalities=BOTH)
    table.present["text"][getattr(fold, side)] = False
    with pytest.raises(InputError, match="no text: "):
        EmbeddingDataModule(table, fold, modalities=["text"])


@pytest.mark.parametrize("modalities", [[], ["smell"], ["text", "smell"]])
def test_unknown_modalities_are_refused(table: FeatureTable, fold: Fold, modalities: list[str]) -> None:
    with pytest.raises(InputError, match="speech, text"):
        EmbeddingDataModule(table, fold, modalities=modalities)  # type: ignore[arg-type]


def test_broken_vectors_are_named_together(
    table: FeatureTable, fold: Fold, toy_table: Callable[..., FeatureTable]
) -> None:
    table.features["speech"][5, 2] = np.nan
    table.features["text"][70, 0] = -np.inf
    table.features["text"][71] = [np.inf, -np.inf, 0, 0]
    for m in BOTH:
        table.present[m][[5, 70, 71]] = True
    with pytest.raises(InputError) as caught:
        EmbeddingDataModule(table, fold, modalities=BOTH)
    assert len(caught.value.problems) == 3
    assert "row 5: speech" in caught.value.problems[0]
    check_finite(table, ["speech"], fold.val)
    for m in BOTH:
        table.present[m][[5, 70, 71]] = False
    EmbeddingDataModule(table, fold, modalities=BOTH)
    big = toy_table()
    big.features["speech"][:] = 3e38
    check_finite(big, ["speech"], np.arange(len(big)))
