"""A word on how a batched fit goes, where it takes long."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from datetime import timedelta

from pytorch_lightning.callbacks import Callback

from fusion.callbacks import LongFitLog, pace
from fusion.engines.batched.worker import Epoch

log = logging.getLogger(__name__)


class StackLog:
    """A line with rate and time left every so often, as `fusion.callbacks.LongFitLog` gives of a single fit.

    Steps are those of single models, so that the rate can be held against that of one fit after the other.

    Args:
        fits: how many are trained.
        steps: of all of them together, if none stops early; None where nobody knows.
        every_seconds: between two lines; None says nothing.
    """

    def __init__(self, *, fits: int, steps: int | None, every_seconds: float | None) -> None:
        self.fits, self.left, self.every_seconds = fits, steps, every_seconds
        self._start = self._said = time.monotonic()
        self._steps = self._done = 0

    def advance(self, epoch: Epoch) -> None:
        """A stack has done one more epoch."""
        self._steps += epoch.steps
        self._done += epoch.ended
        if self.left is not None:
            self.left -= epoch.steps + epoch.spared
        now = time.monotonic()
        if self.every_seconds is None or now - self._said < self.every_seconds:
            return
        self._said = now
        rate = self._steps / max(now - self._start, 1e-9)
        left = "" if self.left is None else f", at most {timedelta(seconds=round(self.left / max(rate, 1e-9)))} left"
        log.info("training: %d of %d fits done, %s%s", self._done, self.fits, pace(rate), left)


def seconds_between(callbacks: Mapping[str, Callable[[], Callback]]) -> float | None:
    """How often the recipe wants a line; None for never."""
    made = (make() for make in callbacks.values())
    return next((callback.every_seconds for callback in made if isinstance(callback, LongFitLog)), None)
