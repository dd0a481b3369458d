"""Names in the order in which people count: fold 2 before fold 10, numbers before words."""

from __future__ import annotations

import re


def natural(name: object) -> list[tuple[int, int, str]]:
    """A key to sort by.

    >>> sorted(["fold 10", "fold 2", "b", "10", "9"], key=natural)
    ['9', '10', 'b', 'fold 2', 'fold 10']
    """
    parts = [part for part in re.split(r"(\d+)", str(name)) if part]
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts]
