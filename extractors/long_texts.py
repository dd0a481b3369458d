"""Texts longer than a model reads: cut between words into parts of about equal length, so that no word is lost."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil


def split_text(text: str, offsets: Sequence[tuple[int, int]], room: int) -> list[tuple[str, int]]:
    """(part, tokens) of `text`, each of at most `room` tokens.

    `offsets` holds the (start, end) characters of each token. A part ends before a token that begins a word, where one
    is found in its second half; in writing without spaces it ends between any two tokens.

    >>> text = "aa bb cc dd ee"
    >>> split_text(text, [(0, 2), (3, 5), (6, 8), (9, 11), (12, 14)], 3)
    [('aa bb cc', 3), ('dd ee', 2)]
    """
    parts, first = [], 0
    while first < len(offsets):
        left = len(offsets) - first
        size = ceil(left / ceil(left / room))
        last = first + size
        if last < len(offsets):
            starts = (i for i in range(last, first + size // 2, -1) if _begins_word(text, offsets[i][0]))
            last = next(starts, last)
        part = text[offsets[first][0] : offsets[last - 1][1]].strip()
        if part:
            parts.append((part, last - first))
        first = last
    return parts


def _begins_word(text: str, start: int) -> bool:
    return start == 0 or text[start - 1].isspace() or text[start : start + 1].isspace()
