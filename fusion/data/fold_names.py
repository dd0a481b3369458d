"""Folds' names, fit for folders."""

from __future__ import annotations

import re
from collections.abc import Sequence

LONGEST_NAME = 80  # characters
DEVICE = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)  # names that Windows keeps to itself


def file_names(names: Sequence[str]) -> list[str]:
    """Names that may stand in a path on any system, for a fold has a folder of its own; distinct, whatever their case.

    >>> file_names(["anna", "Anna", "a/b", "a b", "a_b-2", "CON"])
    ['anna', 'Anna-2', 'a_b', 'a_b-2', 'a_b-2-2', 'CON_']
    """
    taken: set[str] = set()
    found = []
    for name in names:
        plain = re.sub(r"[^\w.-]|^\.|\.$", "_", name)[:LONGEST_NAME] or "_"
        plain += "_" if DEVICE.fullmatch(plain) else ""
        unique, number = plain, 1
        while unique.casefold() in taken:
            number += 1
            unique = f"{plain}-{number}"
        taken.add(unique.casefold())
        found.append(unique)
    return found
