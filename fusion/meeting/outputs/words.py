"""Numbers, pools and people in the words that all outputs share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fusion.clock import clock
from fusion.meeting.meeting import Item
from fusion.meeting.pooling import NOT_FOUND, Pooled


def signed(value: float) -> str:
    """
    >>> signed(-0.256), signed(-0.001)
    ('−0.26', '0.00')
    """
    shown = f"{value:+.2f}".replace("-", "−")
    return shown[1:] if shown[1:] == "0.00" else shown


def percent(value: float) -> str:
    """
    >>> percent(0.123)
    '12 %'
    """
    return f"{100 * value:.0f} %"


def says(pooled: Pooled) -> str:
    """A pool in a few words, for a badge.

    >>> says(Pooled("topic", "x", withheld="too little speech"))
    'too little speech'
    """
    if pooled.withheld is not None:
        return pooled.withheld
    if pooled.valence is None:
        return f"{pooled.label}, no valence"
    if pooled.interval is None:
        return f"valence {signed(pooled.valence)}"
    low, high = map(signed, pooled.interval)
    if low == high:  # an interval of no width says how alike these few are, not how sure one may be
        return f"valence {signed(pooled.valence)}, its {pooled.counted} utterances agree"
    return f"valence {signed(pooled.valence)} ({low} to {high})"


def not_found(item: Item) -> str:
    """Of an item that was not found itself: that, and where its section is if that was.

    >>> from fusion.meeting.alignment.types import Aligned
    >>> from fusion.meeting.minutes import parse_minutes
    >>> not_found(Item(Aligned(parse_minutes("- so be it").items[0], (), "not said"), Pooled("item", "1")))
    'not found in what was said'
    """
    best = item.aligned.best
    return NOT_FOUND if best is None else f"{NOT_FOUND}; its section is around {clock(best.start_s)}"


def whose(scope: str, name: str | None) -> str:
    """
    >>> whose("speaker", "Speaker B"), whose("speaker", "Anna"), whose("meeting", None)
    ('Speaker B', 'speaker Anna', '')
    """
    if not name:
        return ""
    return name if name.casefold().startswith(scope) else f"{scope} {name}"


def figure(value: Any) -> str | None:
    """One of a bundle's figures as people read it; None for what is no single figure.

    >>> figure(60), figure(60.0), figure(0.9604), figure({"value": 0.96, "low": 0.91, "high": 1.0})
    ('60', '60', '0.960', '0.960 (0.910 to 1.000)')
    >>> figure([1]), figure({"a": 1}), figure(True)
    (None, None, None)
    """
    if isinstance(value, Mapping):
        parts = [value.get(name) for name in ("value", "low", "high")]
        if not all(isinstance(part, int | float) for part in parts):
            return figure(parts[0]) if isinstance(parts[0], int | float) else None
        middle, low, high = (f"{part:.3f}" for part in parts)
        return f"{middle} ({low} to {high})"
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:.3f}"
