"""Times as files write them, read to seconds."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime
from typing import Any

CLOCK = re.compile(r"([-−+]?)(?:(\d{1,6}):)?(\d{1,6}):(\d{1,6})(?:[.,](\d{1,9}))?")
ISO_DURATION = re.compile(r"(-?)PT(?:(\d{1,9})H)?(?:(\d{1,9})M)?(?:(\d{1,9}(?:\.\d{1,9})?)S)?")
TICKS_PER_SECOND = 10_000_000  # of 100 ns
SECONDS_PER_HOUR, SECONDS_PER_MINUTE = 3600, 60


def clock_seconds(text: str) -> float | None:
    """Seconds of "HH:MM:SS.mmm", "M:SS" or "0:0:0.0", comma or point, signed; None where it is no clock time.

    >>> clock_seconds("01:02:03.5"), clock_seconds("0:09"), clock_seconds("-0:0:2.500"), clock_seconds("soon")
    (3723.5, 9.0, -2.5, None)
    """
    found = CLOCK.fullmatch(text.strip())
    if found is None:
        return None
    sign, hours, minutes, seconds, fraction = found.groups()
    value = float(int(hours or 0) * SECONDS_PER_HOUR + int(minutes) * SECONDS_PER_MINUTE + int(seconds))
    if fraction:
        value += float(f"0.{fraction}")
    return -value if sign in ("-", "−") else value


def number(value: Any, scale: float = 1.0) -> float | None:
    """A finite number times `scale`, from a number or its text ("1.5", "1.5s"); None for anything else.

    >>> number("1.5s"), number(1200, 1e-3), number(None), number("nan"), number(True)
    (1.5, 1.2, None, None, None)
    """
    if type(value) is float:  # what nearly all are, and there are many
        return value * scale if math.isfinite(value * scale) else None
    if isinstance(value, str):
        value = value.strip().removesuffix("s")
    elif isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        read = float(value) * scale
    except (ValueError, OverflowError):
        return None
    return read if math.isfinite(read) else None


def milliseconds(value: Any) -> float | None:
    """Seconds of a number of milliseconds.

    >>> milliseconds(2150), milliseconds("380")
    (2.15, 0.38)
    """
    read = number(value)
    return None if read is None else read / 1000  # dividing, as 2150 * 1e-3 is 2.1500000000000004


def ticks(value: Any) -> float | None:
    """Seconds of a number of ticks of 100 ns.

    >>> ticks(5_000_000)
    0.5
    """
    read = number(value)
    return None if read is None else read / TICKS_PER_SECOND


def iso_duration(value: Any) -> float | None:
    """Seconds of an ISO 8601 duration.

    >>> iso_duration("PT1M2.5S"), iso_duration("soon")
    (62.5, None)
    """
    found = ISO_DURATION.fullmatch(value) if isinstance(value, str) else None
    if found is None or not any(found.groups()[1:]):
        return None
    sign, hours, minutes, seconds = found.groups()
    total = int(hours or 0) * SECONDS_PER_HOUR + int(minutes or 0) * SECONDS_PER_MINUTE + float(seconds or 0)
    return -total if sign else total


def moment(value: Any) -> datetime | None:
    """A point in time as RFC 3339 writes it, up to nanoseconds; without a zone it is taken as UTC.

    >>> (moment("2026-03-02T09:00:05.020Z") - moment("2026-03-02T09:00:04.120000000Z")).total_seconds()
    0.9
    """
    if not isinstance(value, str) or len(value) > 40:
        return None
    try:
        read = datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", value.strip()))
    except ValueError:
        return None
    return read if read.tzinfo else read.replace(tzinfo=UTC)
