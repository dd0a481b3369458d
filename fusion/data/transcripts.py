"""When two utterances count as the same words."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

APOSTROPHES = frozenset("'’‘ʼ＇`´")


class _Plain(dict[int, str]):
    """Character -> what is left of it. Punctuation goes by its Unicode category: \\w would break Hindi vowel signs."""

    def __missing__(self, point: int) -> str:
        char = chr(point)
        if char in APOSTROPHES:
            plain = ""  # "don't" and "dont" are one word
        elif unicodedata.category(char)[0] == "P":
            plain = " "
        else:
            plain = char
        self[point] = plain
        return plain


_PLAIN = _Plain()


def normalise(text: str) -> str:
    """Compatibility forms unified (NFKC), case folded, punctuation dropped, white space collapsed.

    A text of nothing but punctuation keeps it.

    >>> normalise("  Okay, I'm\\u00a0FINE! "), normalise("Straße"), normalise("?!")
    ('okay im fine', 'strasse', '?!')
    """
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return " ".join(folded.translate(_PLAIN).split()) or " ".join(folded.split())


def transcript_codes(texts: Iterable[str | None] | pd.Series) -> NDArray[np.int64]:
    """(rows,) int64: the same number for the same words, -1 where there are none.

    >>> transcript_codes(["Okay.", None, "okay", "no", ""])
    array([ 0, -1,  0,  1, -1])
    """
    written, distinct = pd.factorize(pd.Series(texts, dtype=object))  # -1 where missing
    plain = pd.Series([normalise(str(text)) or None for text in distinct], dtype=object)
    codes, _ = pd.factorize(plain)
    return np.append(codes, -1)[written].astype(np.int64)
