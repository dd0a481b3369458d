"""Words of any script, for counting and for TF-IDF."""

from __future__ import annotations

import re
import unicodedata

# Chinese, Japanese kana, Thai, Lao, Khmer, Burmese: written without spaces, so a character counts as a word
_UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_TOKEN = re.compile(rf"[{_UNSPACED}]+|[^\W_{_UNSPACED}]+(?:['’][^\W_{_UNSPACED}]+)*")
_RUN = re.compile(rf"[{_UNSPACED}]")


def normalize(text: str) -> str:
    """Compatibility forms and case folded away; typographic apostrophes made plain."""
    return unicodedata.normalize("NFKC", text).casefold().replace("’", "'")


def tokens(text: str) -> list[str]:
    """Words, folded; runs of a script without spaces as pairs of neighbouring characters.

    >>> tokens("Abbie’s remote-control: 25 Euros"), tokens("预算太高")
    (["abbie's", 'remote', 'control', '25', 'euros'], ['预算', '算太', '太高'])
    """
    found: list[str] = []
    for token in _TOKEN.findall(normalize(text)):
        if _RUN.match(token):
            found += [token[i : i + 2] for i in range(max(len(token) - 1, 1))]
        else:
            found.append(token)
    return found


def count_words(text: str) -> int:
    """Words, a character for one in a script without spaces.

    >>> count_words("Abbie’s remote-control"), count_words("预算太高")
    (3, 4)
    """
    return sum(len(token) if _RUN.match(token) else 1 for token in _TOKEN.findall(normalize(text)))
