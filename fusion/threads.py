"""How many CPU threads a fit is worth."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

WORTH_SHARING = 1e8  # multiply-adds of a forward pass; below it two threads wait for each other longer than they work


@contextmanager
def fitting_threads(multiply_adds: float) -> Iterator[None]:
    """Inside, small products run on one thread; the caller's setting comes back afterwards.

    Fusion heads are small: a step is some hundred operations of microseconds each, with a barrier after every one. On cores
    that anything else wants too, those barriers made fits 20 times slower.

    >>> with fitting_threads(1e6):
    ...     torch.get_num_threads()
    1
    """
    before = torch.get_num_threads()
    if multiply_adds < WORTH_SHARING:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
