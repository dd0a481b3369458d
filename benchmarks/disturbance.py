"""Whether others were at work on this machine while something was measured."""

from __future__ import annotations

import resource
import time
from pathlib import Path

TICKS = 100  # of /proc/stat a second


class Disturbance:
    """From its making to `share`: cores that other processes kept busy. Linux alone; 0.0 elsewhere.

    Children count as own once they have been waited for.
    """

    def __init__(self) -> None:
        self._start = time.monotonic()
        self._others = _busy() - _own()

    def share(self) -> float:
        """Cores, on average: 0.0 is nobody, 1.0 one core all the time."""
        return max(0.0, (_busy() - _own() - self._others) / (time.monotonic() - self._start))


def wait_for_quiet(most: float, *, hours: float = 2.0) -> None:
    """Returns when others kept at most `most` cores busy for a second, or after `hours` all the same."""
    give_up = time.monotonic() + hours * 3600
    while time.monotonic() < give_up:
        disturbance = Disturbance()
        time.sleep(1)
        if disturbance.share() <= most:
            return


def _busy() -> float:
    """Seconds that all cores together have worked since the machine started."""
    try:
        names = Path("/proc/stat").read_text(encoding="utf-8").partition("\n")[0].split()[1:]
    except OSError:
        return _own()
    user, nice, system, _idle, _wait, irq, softirq = map(int, names[:7])
    return (user + nice + system + irq + softirq) / TICKS


def _own() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in used)
