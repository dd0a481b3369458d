"""Where a verb writes JSON Lines: its own earlier files may be replaced, nothing else is."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from extractors.errors import InputError

LONGEST = 1_000_000  # characters read of a first line


def check_lines(output: Path, names: Iterable[str], what: str) -> bool:
    """Whether an earlier file of the same kind will be replaced, asked before the long work.

    names : keys that every line of such a file has
    what  : what is in it, in a word

    Raises InputError where a folder lies there, or a file of another origin.

    >>> check_lines(Path("no-such-folder/hits.jsonl"), ["rank"], "hits")
    False
    """
    if output.is_dir():
        raise InputError(f"output: expected a file for the {what}, got the folder {output}")
    if not output.exists():
        return False
    try:
        with output.open(encoding="utf-8") as file:
            first = file.readline(LONGEST)
        ours = not first or set(names) <= json.loads(first).keys()
    except (OSError, ValueError, AttributeError):
        ours = False
    if not ours:
        raise InputError(
            f"output: {output} is there already and holds no {what}; it would be written over",
            hint="Give another file: output=…, or move it.",
        )
    return True
