"""Batches of similar length, as large as the work deserves and memory allows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Generic, TypeVar

Item = TypeVar("Item")

WINDOW = 8  # budgets of look-ahead that are sorted together: padding would then waste 16 % rather than 55 % (2 budgets)
MOST_ITEMS = 1024  # per batch, however small they are
TARGET_SECONDS = 2.0  # per batch: often enough for progress and commits, seldom enough to cost nothing


class LengthBatcher(Generic[Item]):
    """Cuts a stream into batches of similar cost; never holds more than `WINDOW` budgets of it, plus one item.

    cost   : item -> its cost, in seconds of audio or characters
    budget : cost of a batch to begin with. An item that costs more is a batch of its own.
    limit  : the budget grows to this where batches are quick (`observe`); None: it stays as it is.

    The first window is one budget, the next two, so that the encoder need not wait for a long look-ahead.

    >>> batcher = LengthBatcher(cost=len, budget=4)
    >>> list(batcher.batches(["aa", "b", "c", "dddd", "e", "ff", "g"]))
    [['aa', 'b', 'c'], ['dddd'], ['ff', 'e', 'g']]
    """

    def __init__(self, *, cost: Callable[[Item], float], budget: float, limit: float | None = None) -> None:
        if not budget > 0:
            raise ValueError(f"a batch needs a budget above 0, got {budget}")
        self._cost, self.budget, self._limit = cost, budget, limit

    def batches(self, items: Iterable[Item]) -> Iterator[list[Item]]:
        """All items, once each; by descending cost within a window."""
        window: list[Item] = []
        total, budgets = 0.0, 1
        for item in items:
            window.append(item)
            total += self._cost(item)
            if total >= budgets * self.budget or len(window) >= budgets * MOST_ITEMS:
                yield from self._cut(window)
                window, total, budgets = [], 0.0, min(2 * budgets, WINDOW)
        yield from self._cut(window)

    def observe(self, cost: float, seconds: float) -> None:
        """Learn from a batch of `cost` that took `seconds`: steer towards `TARGET_SECONDS` a batch, at most doubling."""
        if self._limit is not None and seconds > 0 and cost >= self.budget / 2:
            wanted = cost / seconds * TARGET_SECONDS
            self.budget = min(max(wanted, self.budget / 2, self._limit / 64), 2 * self.budget, self._limit)

    def shrink(self) -> None:
        """A batch did not fit into memory: halve the budget, and do not grow beyond that again."""
        self.budget /= 2
        self._limit = None if self._limit is None else self.budget

    def _cut(self, window: list[Item]) -> Iterator[list[Item]]:
        batch: list[Item] = []
        total = 0.0
        for item in sorted(window, key=self._cost, reverse=True):
            cost = self._cost(item)
            if batch and (total + cost > self.budget or len(batch) >= MOST_ITEMS):
                yield batch
                batch, total = [], 0.0
            batch.append(item)
            total += cost
        if batch:
            yield batch
