"""An iterator that runs ahead in a thread of its own, as far as a bounded queue lets it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from queue import Full, Queue
from threading import Event, Thread
from typing import TypeVar

Item = TypeVar("Item")

NOTICE_STOP = 0.1  # s; how often a thread that waits for room looks whether anyone still wants it


@dataclass(frozen=True, slots=True)
class _End:
    error: BaseException | None = None


@contextmanager
def computed_ahead(items: Iterable[Item], size: int) -> Iterator[Iterator[Item]]:
    """`items`, made in a thread, at most `size` of them waiting. Errors of the thread are raised where they are read.

    Leaving the block, for whatever reason, ends the thread before its next item.

    >>> with computed_ahead((n * n for n in range(4)), size=2) as squares:
    ...     list(squares)
    [0, 1, 4, 9]
    """
    queue: Queue[Item | _End] = Queue(maxsize=size)
    stop = Event()
    thread = Thread(target=_fill, args=(items, queue, stop), name="emofuse-ahead", daemon=True)
    thread.start()
    try:
        yield _drain(queue)
    finally:
        stop.set()
        thread.join()


def _fill(items: Iterable[Item], queue: Queue[Item | _End], stop: Event) -> None:
    end = _End()
    try:
        for item in items:
            if not _put(queue, item, stop):
                return
    except BaseException as error:
        end = _End(error)
    _put(queue, end, stop)


def _put(queue: Queue[Item | _End], item: Item | _End, stop: Event) -> bool:
    while not stop.is_set():
        try:
            queue.put(item, timeout=NOTICE_STOP)
        except Full:
            continue
        return True
    return False


def _drain(queue: Queue[Item | _End]) -> Iterator[Item]:
    while not isinstance(item := queue.get(), _End):
        yield item
    if item.error is not None:
        raise item.error
