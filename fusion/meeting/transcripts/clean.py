"""Text of a cue, made one line without what no reader can see."""

from __future__ import annotations

import re

# C0 and C1 controls, lone surrogates (JSON may hold them, UTF-8 cannot), byte-order marks
UNSEEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ufeff]")
SURROGATE = re.compile("[\ud800-\udfff]")


def clean(text: object) -> str:
    r"""One line, single spaces, nothing that cannot be written as UTF-8. What is no text gives "".

    >>> clean(" two\r\n lines\x00 "), clean(None), clean("half \ud83d")
    ('two lines', '', 'half \ufffd')
    """
    if not isinstance(text, str):
        return ""
    if not text.isascii():
        text = SURROGATE.sub("\ufffd", text)
    if not text.isprintable():  # no word has anything to take out
        text = UNSEEN.sub("", text)
    return " ".join(text.split())
