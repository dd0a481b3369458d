"""Names as files can hold them: of recordings and people, which come from anywhere."""

from __future__ import annotations

_CONTROL = dict.fromkeys((*range(32), 0x7F, 0xFFFE, 0xFFFF, *range(0xD800, 0xE000)), " ")  # no XML, no Praat, no UTF-8


def plain(text: str) -> str:
    """Text on one line, of characters that files may hold.

    >>> plain("a\\nb\\x00")
    'a b'
    """
    return " ".join(text.translate(_CONTROL).split())
