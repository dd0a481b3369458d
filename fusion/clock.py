"""Times into a recording as people read them, and the marks of a time axis."""

from __future__ import annotations

TICK_STEPS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 14_400)  # s


def clock(seconds: float, *, tenths: bool = False) -> str:
    """A time into a recording as people read it, hours only where there are any.

    >>> clock(75.26), clock(75.26, tenths=True), clock(3_700)
    ('1:15', '1:15.3', '1:01:40')
    """
    whole = round(seconds * 10) if tenths else round(seconds) * 10
    minutes, rest = divmod(whole, 600)
    hours, minutes = divmod(minutes, 60)
    tail = f"{rest / 10:04.1f}" if tenths else f"{rest // 10:02d}"
    return f"{hours}:{minutes:02d}:{tail}" if hours else f"{minutes}:{tail}"


def tick_step(seconds: float, most: int = 10) -> float:
    """Seconds between the marks of a time axis of that length: a round time, and at most `most` steps of it.

    >>> tick_step(28.9), tick_step(200), tick_step(3_700)
    (5, 30, 600)
    """
    return next((step for step in TICK_STEPS if seconds / step <= most), TICK_STEPS[-1])
