from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from extractors.batching import MOST_ITEMS, TARGET_SECONDS, WINDOW, LengthBatcher

lengths = st.lists(st.floats(0.01, 40), max_size=200)


def batcher(budget: float, limit: float | None = None) -> LengthBatcher[float]:
    return LengthBatcher(cost=float, budget=budget, limit=limit)


@given(items=lengths, budget=st.floats(0.5, 100))
def test_every_item_comes_once_and_batches_keep_to_the_budget(items, budget):
    batches = list(batcher(budget).batches(items))
    assert sorted(item for batch in batches for item in batch) == sorted(items)
    for batch in batches:
        assert batch
        assert len(batch) == 1 or sum(batch) <= budget * (1 + 1e-9)


@given(items=lengths, budget=st.floats(0.5, 100))
def test_the_look_ahead_is_bounded(items, budget):
    held = 0.0

    def source():
        nonlocal held
        for item in items:
            assert held <= WINDOW * budget + max(items)  # before one more is asked for
            held += item
            yield item

    for batch in batcher(budget).batches(source()):
        held -= sum(batch)
    assert abs(held) < 1e-6


def test_lengths_in_a_batch_are_similar():
    items = np.random.default_rng(0).lognormal(np.log(4), 0.7, 2000).clip(0.5, 30).tolist()

    def wasted(batches):
        return sum(max(batch) * len(batch) - sum(batch) for batch in batches) / sum(items)

    in_order = [items[i : i + 12] for i in range(0, len(items), 12)]
    assert wasted(in_order) > 1.0
    assert wasted(batcher(60).batches(items)) < 0.2


def test_the_first_batch_does_not_wait_for_a_whole_window():
    asked = []
    first = next(batcher(10).batches(asked.append(i) or 1.0 for i in range(1000)))
    assert len(first) == len(asked) == 10


def test_many_tiny_items_are_cut_by_number():
    assert max(map(len, batcher(1e9).batches([1e-6] * 5000))) <= MOST_ITEMS


def test_quick_batches_grow_and_slow_ones_shrink_towards_the_target():
    quick = batcher(60, limit=600)
    for _ in range(10):
        quick.observe(quick.budget, quick.budget / 1e4)
    assert quick.budget == 600
    slow = batcher(60, limit=600)
    for _ in range(10):
        slow.observe(slow.budget, slow.budget / 10)  # ten audio seconds a second
    assert slow.budget == pytest.approx(10 * TARGET_SECONDS)
    fixed = batcher(60)
    fixed.observe(60, 1e-3)
    assert fixed.budget == 60


def test_a_small_last_batch_teaches_nothing():
    steady = batcher(60, limit=600)
    steady.observe(1.0, 1.0)
    assert steady.budget == 60


def test_after_running_out_of_memory_the_budget_stays_down():
    tight = batcher(64, limit=600)
    tight.shrink()
    assert tight.budget == 32
    tight.observe(32, 1e-3)
    assert tight.budget == 32
    tight.shrink()
    assert tight.budget == 16


def test_a_budget_of_nothing_is_refused():
    with pytest.raises(ValueError, match="above 0"):
        batcher(0)
