"""The hash of a model's weights, taken beside other work and never in its way."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Event, Lock

from torch import Tensor


class WeightHash:
    """SHA-256 over name, shape and float32 values of `tensors`, its first 32 hex digits.

    It covers what decides the numbers and not how they are stored: the published file holds the weights three times,
    and a copy that holds them once is the same model. Nothing is read before `start` or `result`; the tensors are let
    go when it is done.

    >>> import torch
    >>> weights = WeightHash({"weight": torch.ones(2, 3)})
    >>> weights.result() == weights.result() == WeightHash({"weight": torch.ones(2, 3).half()}).result()
    True
    """

    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        self._tensors: Mapping[str, Tensor] = tensors
        self._lock = Lock()
        self._future: Future[str] | None = None
        self._may_run = Event()
        self._may_run.set()
        self._asked = False

    def start(self) -> Future[str]:
        """Begins in a thread, if it has not begun."""
        with self._lock:
            if self._future is None:
                runner = ThreadPoolExecutor(max_workers=1, thread_name_prefix="hash-weights")
                self._future = runner.submit(_hash, self._tensors, self._may_run)
                runner.shutdown(wait=False)
                self._tensors = {}
            return self._future

    def result(self) -> str:
        """The digest; waits for it."""
        with self._lock:
            self._asked = True  # somebody waits: from now on it is in nobody's way
            self._may_run.set()
        return self.start().result()

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """Keeps the thread still meanwhile, unless somebody waits for it: on few cores it would slow other threads,
        all of which wait for the slowest."""
        with self._lock:
            if not self._asked:
                self._may_run.clear()
        try:
            yield
        finally:
            self._may_run.set()


def _hash(tensors: Mapping[str, Tensor], may_run: Event) -> str:
    digest = hashlib.sha256()  # twice as fast as BLAKE2 where the processor has instructions for it, as most have
    for name, value in sorted(tensors.items()):
        may_run.wait()
        digest.update(f"{name} {tuple(value.shape)}".encode())
        digest.update(value.float().contiguous().numpy().data)
    return digest.hexdigest()[:32]
