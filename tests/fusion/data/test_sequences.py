"""Sequences come from the store as they were put there, a batch at a time; batches are planned fairly and bounded."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from extractors import EmbeddingStore
from extractors.errors import InputError
from extractors.types import Embedding
from fusion.data import batches
from fusion.data.batches import batches_of, bucketed, cut, in_order
from fusion.data.datamodule import EmbeddingDataModule
from fusion.data.loaders import SequenceLoader
from fusion.data.sequences import ArraySequences, SequenceReader, StoreSequences, pad
from fusion.data.splits import Fold
from fusion.data.table import FeatureTable

DIMS = {"speech": 3, "text": 2}


class Numbers:
    """An encoder whose frames are narrower than its vectors."""

    name, modality, dim, frames_dim, frame_rate, fingerprint = "numbers", "speech", 5, 3, 50.0, "numbers"

    def describe(self) -> dict[str, Any]:
        return {"name": self.name}

    def extract(self, clips: Sequence[Any], *, frames: bool = False) -> list[Embedding]:
        raise NotImplementedError


def sequence(row: int, length: int, dim: int = 3) -> np.ndarray:
    """(length, dim) that tell whose they are."""
    return (100 * row + np.arange(length * dim, dtype=np.float32)).reshape(length, dim)


@pytest.fixture
def stored(tmp_path: Path) -> tuple[EmbeddingStore, list[str | None], list[np.ndarray | None]]:
    """Twelve rows, of which two have nothing and two are the same."""
    store, encoder = EmbeddingStore(tmp_path / "store"), Numbers()
    arrays = [None if row in (3, 11) else sequence(row % 10, 1 + 5 * (row % 10) % 7) for row in range(12)]
    keys = [None if a is None else store.key(str(row % 10), None, None, "numbers") for row, a in enumerate(arrays)]
    for row in range(10):
        if keys[row] is not None:
            store.put(encoder, [str(keys[row])], [Embedding(np.zeros(5, np.float32), frames=arrays[row])])
    return store, keys, arrays


def check_reader(reader: SequenceReader, arrays: Sequence[np.ndarray | None]) -> None:
    assert reader.dim == 3
    assert reader.lengths.tolist() == [0 if a is None else len(a) for a in arrays]
    for index in ([5], [7, 0, 3, 7, 11, 10], list(range(len(arrays))), []):
        found = reader.read(np.array(index, dtype=np.int64))
        assert len(found) == len(index)
        for row, frames in zip(index, found, strict=True):
            wanted = arrays[row]
            assert frames.dtype == np.float32
            np.testing.assert_array_equal(frames, np.zeros((0, 3)) if wanted is None else wanted)
    some = np.array([8, 3, 1, 8])
    taken = reader.take(some)
    assert taken.lengths.tolist() == reader.lengths[some].tolist()
    np.testing.assert_array_equal(taken.read(np.array([3]))[0], arrays[8])
    nothing = reader.take(np.array([3, 11]))
    assert (nothing.dim, nothing.lengths.tolist(), nothing.read(np.array([1]))[0].shape) == (3, [0, 0], (0, 3))


def test_sequences_in_memory() -> None:
    arrays = [None if row in (3, 11) else sequence(row, 1 + row) for row in range(12)]
    check_reader(ArraySequences(arrays), arrays)
    with pytest.raises(ValueError, match="one width"):
        ArraySequences([np.zeros((2, 3), np.float32), np.zeros((2, 4), np.float32)])
    with pytest.raises(ValueError, match="NaN"):
        ArraySequences([np.full((2, 3), np.nan, np.float32)])


def test_sequences_in_the_store(stored: Any) -> None:
    store, keys, arrays = stored
    check_reader(StoreSequences(store, keys), arrays)


def test_another_process_may_compact_meanwhile(stored: Any) -> None:
    """What was located is gone then, and is looked for again."""
    store, keys, arrays = stored
    reader = StoreSequences(store, keys)
    before = {path.name for path in store.path.glob("*.lance/data/*")}
    EmbeddingStore(store.path).compact()
    assert not before & {path.name for path in store.path.glob("*.lance/data/*")}, "the test's own premise"
    check_reader(reader, arrays)


def test_keys_without_frames_are_named(stored: Any) -> None:
    store, keys, _ = stored
    other = store.key("no frames", None, None, "numbers")
    store.put(Numbers(), [other], [Embedding(np.zeros(5, np.float32))])
    with pytest.raises(KeyError, match="frames of 1 keys"):
        StoreSequences(store, [*keys, other])
    with pytest.raises(KeyError, match="1 keys are not in"):
        StoreSequences(store, [*keys, store.key("unknown", None, None, "numbers")])


def test_padding() -> None:
    padded = pad([sequence(0, 4), np.zeros((0, 3), np.float32), sequence(1, 2)], 3)
    assert padded.values.shape == (3, 4, 3)
    assert padded.mask.sum(dim=1).tolist() == [4, 0, 2]
    assert (padded.values[~padded.mask] == 0).all()
    np.testing.assert_array_equal(padded.values[2, :2], sequence(1, 2))
    assert pad([sequence(0, 1)], 3).values.shape == (1, 2, 3), "a head refuses a batch of one token by its shape"
    assert pad([], 3).values.shape == (0, 2, 3)


def test_batches_are_bounded() -> None:
    lengths = np.random.default_rng(0).integers(1, 50, (500, 2))
    parts = cut(lengths, rows=16, frames=400)
    assert [row for part in parts for row in range(500)[part]] == list(range(500))
    for part in parts:
        rows = lengths[part]
        assert len(rows) <= 16
        assert len(rows) * rows.max(axis=0).sum() <= 400
    assert [part.stop - part.start for part in cut(np.array([[900], [1], [900]]), rows=9, frames=400)] == [1, 1, 1]
    assert cut(np.zeros((0, 2), np.int64), rows=4, frames=9) == []


@pytest.mark.parametrize("world", [1, 2, 3])
def test_every_row_once_in_batches_of_like_length(world: int) -> None:
    rng = np.random.default_rng(0)
    lengths = rng.integers(1, 300, (3000, 1))
    order = rng.permutation(3000)
    plans = [
        bucketed(
            order,
            lengths,
            batch_size=16,
            max_frames=3000,
            generator=torch.Generator().manual_seed(1),
            rank=rank,
            world_size=world,
        )
        for rank in range(world)
    ]
    assert len({len(plan) for plan in plans}) == 1, "as many steps in every process"
    everything = np.concatenate([batch for plan in plans for batch in plan])
    assert sorted(everything.tolist()) == list(range(3000))
    for together in zip(*plans, strict=True):
        assert len({len(batch) for batch in together}) == 1
        longest = [lengths[batch].max() for batch in together]
        assert all(
            len(batch) <= 16 and len(batch) * most <= 3000 for batch, most in zip(together, longest, strict=True)
        )
    shown = lengths[everything].sum()
    padded = sum(len(batch) * lengths[batch].max() for plan in plans for batch in plan)
    assert padded < 1.1 * shown, "little of a batch is padding"
    means = np.array([lengths[batch].mean() for batch in plans[0]])
    assert abs(np.corrcoef(means, np.arange(len(means)))[0, 1]) < 0.2, "neither short ones first nor long ones"


def toy(rows: int = 90, seed: int = 0) -> FeatureTable:
    rng = np.random.default_rng(seed)
    present = {m: rng.random(rows) > 0.1 for m in DIMS}
    present["text"] |= ~present["speech"]
    arrays = {
        m: [rng.normal(size=(rng.integers(1, 40), dim)).astype(np.float32) if there else None for there in present[m]]
        for m, dim in DIMS.items()
    }
    return FeatureTable(
        features={m: np.zeros((rows, 7), np.float32) for m in DIMS},
        present=present,
        targets=np.arange(rows) % 3,
        labels=("a", "b", "c"),
        rows=pd.DataFrame({"id": [str(row) for row in range(rows)]}),
        sequences={m: ArraySequences(arrays[m]) for m in DIMS},
    )


def fold(rows: int = 90) -> Fold:
    index = np.arange(rows)
    return Fold("toy", index[: rows // 2], index[rows // 2 : 3 * rows // 4], index[3 * rows // 4 :])


def loader(table: FeatureTable, **options: Any) -> SequenceLoader:
    data = EmbeddingDataModule(table, fold(len(table)), modalities=tuple(DIMS), sequences=True, **options)
    found = data.train_dataloader()
    assert isinstance(found, SequenceLoader)
    return found


def test_the_loader_shows_every_row_with_its_own_frames() -> None:
    table = toy()
    rows = {reader.read(np.array([row]))[0].tobytes(): row for reader in table.sequences.values() for row in range(90)}
    seen = []
    for batch in loader(table, batch_size=8):
        assert list(batch.features) == ["speech", "text"]
        for place, target in enumerate(batch.targets.tolist()):
            there = [m for m in DIMS if batch.present[m][place]]
            frames = {m: batch.features[m].values[place][batch.features[m].mask[place]] for m in there}
            [row] = {rows[values.numpy().tobytes()] for values in frames.values()}
            assert target == table.targets[row]
            assert [bool(table.present[m][row]) for m in DIMS] == [m in there for m in DIMS]
            seen.append(row)
    assert sorted(seen) == list(range(45))


def test_the_order_follows_from_seed_and_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "POOL", 2)

    def order(seed: int, epoch: int) -> list[list[int]]:
        found = loader(toy(), batch_size=4, seed=seed)
        found.sampler.set_epoch(epoch)
        return [batch.tolist() for batch in found.plan()]

    assert order(1, 3) == order(1, 3)
    assert order(1, 3) != order(1, 4)
    assert order(1, 3) != order(2, 3)
    companions = [{frozenset(batch) for batch in order(1, epoch)} for epoch in (0, 1)]
    assert not companions[0] & companions[1], "rows meet others in another epoch"


def test_only_a_few_batches_are_read_at_a_time() -> None:
    class Counting(ArraySequences):
        read_rows = 0

        def read(self, index: np.ndarray) -> list[np.ndarray]:
            self.read_rows += len(index)
            return super().read(index)

    rows = 400
    table = toy(rows)
    counting = Counting([sequence(row, 3) for row in range(rows)])
    table.sequences["speech"] = counting
    table.present["speech"][:] = True
    shown = iter(loader(table, batch_size=4))
    next(shown)
    next(shown)
    assert counting.read_rows <= 4 * (2 + batches.AHEAD + 2)
    shown.close()  # type: ignore[attr-defined]
    assert counting.read_rows < rows / 2 / 2


def test_what_a_reader_raises_comes_out(tmp_path: Path) -> None:
    class Broken(ArraySequences):
        def read(self, index: np.ndarray) -> list[np.ndarray]:
            raise OSError("no such disk")

    table = toy()
    table.sequences["text"] = Broken([sequence(row, 2) for row in range(90)])
    with pytest.raises(OSError, match="no such disk"):
        list(loader(table))


def test_validation_rows_are_all_there() -> None:
    table = toy()
    data = EmbeddingDataModule(table, fold(), modalities=["speech"], sequences=True, max_frames=60)
    batches = list(data.val_dataloader())
    assert sum(len(batch.targets) for batch in batches) == table.present["speech"][fold().val].sum()
    assert all(batch.features["speech"].mask.numel() <= 60 or len(batch.targets) == 1 for batch in batches)
    assert data.tensors().features == {}, "no pooled vector is moved to the device"


def test_tables_without_sequences_are_refused() -> None:
    table = toy()
    del table.sequences["text"]
    with pytest.raises(InputError, match="only pooled vectors of text"):
        EmbeddingDataModule(table, fold(), modalities=tuple(DIMS), sequences=True)
    with pytest.raises(InputError, match="only pooled vectors of text"):
        list(batches_of(table, np.arange(4), ["text"], sequences=True))
    EmbeddingDataModule(table, fold(), modalities=["speech"], sequences=True)


def test_empty_sequences_are_named() -> None:
    table = toy()
    table.sequences["text"] = ArraySequences([None, *(sequence(row, 2) for row in range(89))])
    table.present["text"][0] = True
    with pytest.raises(InputError, match="row 0: text has no frames"):
        EmbeddingDataModule(table, fold(), modalities=tuple(DIMS), sequences=True)


def test_tables_carry_their_sequences() -> None:
    table = toy()
    index = np.array([5, 80, 5, 2])
    some = table.take(index).only(["text"])
    assert list(some.sequences) == ["text"]
    assert some.sequences["text"].lengths.tolist() == table.sequences["text"].lengths[index].tolist()


@pytest.mark.parametrize("sequences", [False, True])
def test_predictions_come_in_order(sequences: bool) -> None:
    table = toy()
    table.features["speech"][:, 0] = np.arange(90)
    index = np.random.default_rng(1).permutation(90)[:50]
    found = list(batches_of(table, index, ["speech"], sequences=sequences, max_frames=200))
    assert (len(found) > 3) == sequences
    assert torch.cat([here["speech"] for _, here in found]).tolist() == table.present["speech"][index].tolist()
    if sequences:
        lengths = torch.cat([features["speech"].mask.sum(dim=1) for features, _ in found])
        assert lengths.tolist() == table.sequences["speech"].lengths[index].tolist()
        assert max(features["speech"].mask.numel() for features, _ in found) <= 200
    else:
        assert torch.cat([features["speech"] for features, _ in found])[:, 0].tolist() == index.tolist()
    assert len(list(in_order({"speech": table.sequences["speech"]}, {}, index[:0]))) == 1, "one batch of no rows"
