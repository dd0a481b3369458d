"""How far a long run is: a bar where someone watches, a line in the log now and then where nobody does."""

from __future__ import annotations

import logging
import sys
import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

log = logging.getLogger(__name__)

LOG_EVERY = 10.0  # s


class ProgressReport:
    """Counts clips done, of `total` where it is known, and the work done a second in `unit`. Threads may share it."""

    def __init__(self, what: str, *, total: int | None, unit: str, shown: bool = True) -> None:
        self._what, self._total, self._unit = what, total, unit
        self._shown, self._terminal = shown, shown and sys.stderr.isatty()
        self._done, self._work = 0, 0.0
        self._started = self._logged = time.monotonic()
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            disable=not self._terminal,
        )
        self._task = self._bar.add_task(what, total=total, rate="")

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._bar.stop()

    def show(self, done: int, work: float = 0.0) -> None:
        """`done` clips are dealt with so far; `work` more units of it were embedded just now."""
        self._done, self._work = done, self._work + work
        now = time.monotonic()
        rate = f"{self._work / max(now - self._started, 1e-9):,.1f} {self._unit}/s" if self._work else ""
        if self._terminal:
            self._bar.update(self._task, completed=done, rate=rate)
        elif self._shown and now - self._logged >= LOG_EVERY:
            self._logged = now
            log.info("%s: %s", self._what, ", ".join(filter(None, [self._of_total(), rate, self._left(now)])))

    def _of_total(self) -> str:
        return f"{self._done:,}" if self._total is None else f"{self._done:,} of {self._total:,}"

    def _left(self, now: float) -> str:
        if not self._total or not self._done:
            return ""
        minutes, seconds = divmod(int((now - self._started) * (self._total - self._done) / self._done), 60)
        return f"{minutes // 60}:{minutes % 60:02}:{seconds:02} left"
