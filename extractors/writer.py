"""Embeddings into the store, in a thread of its own, while the next batch computes."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from queue import Empty, Queue
from threading import Thread
from types import TracebackType
from typing import Self

from extractors.store import EmbeddingStore
from extractors.types import Embedding, Extractor

log = logging.getLogger(__name__)

COMMIT_SECONDS = 3.0  # between commits: what a killed run loses
COMMIT_SHARE = 0.01  # of the time so far, once that is more: a long run must not end in 10,000 small files …
COMMIT_MOST = 20.0  # … but never more than this
COMMIT_BYTES = 64 * 2**20  # or as soon as this much waits
COMPACT_EVERY = 200  # commits

Batch = tuple[Sequence[str], Sequence[Embedding]]


class StoreWriter:
    """`write` hands over; a thread commits every few seconds. Leaving the block commits the rest, also after an error.

    At most two batches wait beyond `COMMIT_BYTES`. What the store raises comes out of the next `write`, or of leaving.
    """

    def __init__(self, store: EmbeddingStore, extractor: Extractor) -> None:
        self._store, self._extractor = store, extractor
        self._queue: Queue[Batch | None] = Queue(maxsize=2)
        self._error: Exception | None = None
        self._thread = Thread(target=self._run, name="emofuse-store", daemon=True)
        self.commits = 0

    def write(self, keys: Sequence[str], embeddings: Sequence[Embedding]) -> None:
        """Returns at once unless two batches are waiting already."""
        self._raise()
        self._queue.put((keys, embeddings))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._queue.put(None)
        self._thread.join()
        if error is None:
            self._raise()

    def _raise(self) -> None:
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        started = last = time.monotonic()
        keys: list[str] = []
        embeddings: list[Embedding] = []
        size, open_ = 0, True
        while open_:
            interval = min(max(COMMIT_SECONDS, COMMIT_SHARE * (last - started)), COMMIT_MOST)
            try:
                batch = self._queue.get(timeout=max(0.01, last + interval - time.monotonic()) if keys else None)
                open_ = batch is not None
                if batch is not None:
                    keys += batch[0]
                    embeddings += batch[1]
                    size += sum(_bytes(embedding) for embedding in batch[1])
            except Empty:
                pass
            now = time.monotonic()
            if keys and (not open_ or size >= COMMIT_BYTES or now >= last + interval):
                self._commit(keys, embeddings)
                keys, embeddings, size, last = [], [], 0, time.monotonic()

    def _commit(self, keys: list[str], embeddings: list[Embedding]) -> None:
        if self._error is not None:  # go on emptying the queue, so that nobody waits for room in it
            return
        try:
            self._store.put(self._extractor, keys, embeddings)
            self.commits += 1
            if self.commits % COMPACT_EVERY == 0:
                self._store.compact()
        except Exception as error:
            self._error = error


def _bytes(embedding: Embedding) -> int:
    return embedding.vector.nbytes + (0 if embedding.frames is None else embedding.frames.nbytes)
