"""Names of embeddings: by what was embedded and by what embedded it, never by where it lay."""

from __future__ import annotations

import hashlib
import unicodedata
from collections import defaultdict
from collections.abc import Sequence
from functools import lru_cache
from math import isfinite

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

PREFIX_DIGITS = 16  # hex digits that say which extractor, and so which table
KEY_DIGITS = PREFIX_DIGITS + 32


def embedding_key(content_hash: str, start: float | None, end: float | None, fingerprint: str) -> str:
    """48 hex digits for one span of one content under one extractor.

    The first 16 are a digest of `fingerprint`, the rest a digest (BLAKE2b-128) of everything. `start` and `end` are
    seconds, taken to the nanosecond, so that 0.1 + 0.2 and 0.3 are one span; None is the beginning and the end.
    Raises ValueError for spans that are no numbers.

    >>> embedding_key("c0ffee", None, None, "a1") == embedding_key("c0ffee", 0.0, None, "a1")
    True
    >>> embedding_key("c0ffee", 0.1 + 0.2, 2, "a1") == embedding_key("c0ffee", 0.3, 2.0, "a1")
    True
    >>> embedding_key("c0ffee", 0, 2, "a1") == embedding_key("c0ffee", 0, 2, "a2")
    False
    """
    span = f"{_nanoseconds(start or 0.0)}\0{'' if end is None else _nanoseconds(end)}"
    content = f"{content_hash}\0{span}\0{fingerprint}"
    return key_prefix(fingerprint) + hashlib.blake2b(content.encode(), digest_size=16).hexdigest()


def text_hash(text: str) -> str:
    """32 hex digits of a text, the same for every way Unicode has to write it (NFC).

    >>> text_hash("caf\\u00e9") == text_hash("cafe\\u0301")
    True
    """
    composed = unicodedata.normalize("NFC", text).encode("utf-8", "surrogatepass")
    return hashlib.blake2b(composed, digest_size=16).hexdigest()


@lru_cache(maxsize=64)
def key_prefix(fingerprint: str) -> str:
    """The 16 hex digits that every key of this extractor begins with."""
    return hashlib.blake2b(fingerprint.encode(), digest_size=PREFIX_DIGITS // 2).hexdigest()


def by_prefix(keys: Sequence[str]) -> dict[str, list[int]]:
    """Prefix -> the places of its keys in `keys`."""
    groups: defaultdict[str, list[int]] = defaultdict(list)
    for i, key in enumerate(keys):
        groups[key[:PREFIX_DIGITS]].append(i)
    return groups


class KnownKeys:
    """The stored keys of one extractor as they were at one moment, in 16 bytes each, asked for many at a time.

    Holds the last 32 digits of each key as two 64-bit numbers, sorted by the first. Of two keys with the same first
    number (one chance in 10⁷ among a million) only one is found; the other is merely computed again.

    >>> known = KnownKeys(pa.array([embedding_key("b", 0, 1, "f"), embedding_key("a", 0, 1, "f")]))
    >>> known.contains([embedding_key("a", 0, 1, "f"), embedding_key("a", 0, 2, "f")])
    array([ True, False])
    """

    def __init__(self, keys: pa.Array) -> None:
        high, low = _numbers("".join(keys.to_pylist()))
        order = np.argsort(high)
        self._high, self._low = high[order], low[order]

    def __len__(self) -> int:
        return len(self._high)

    def contains(self, keys: Sequence[str]) -> NDArray[np.bool_]:
        """(keys,) bool."""
        high, low = _numbers("".join(keys))
        if not len(self):
            return np.zeros(len(high), dtype=bool)
        place = np.minimum(np.searchsorted(self._high, high), len(self) - 1)
        return (self._high[place] == high) & (self._low[place] == low)


def _numbers(joined: str) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """Keys written without a gap -> the last 32 digits of each, as the two halves, (keys,) uint64 each."""
    values = np.frombuffer(bytes.fromhex(joined), dtype=">u8").reshape(-1, KEY_DIGITS // 16)
    return values[:, -2].astype(np.uint64), values[:, -1].astype(np.uint64)


def _nanoseconds(seconds: float) -> int:
    if not isfinite(seconds):
        raise ValueError(f"start and end must be numbers of seconds, got {seconds}")
    return round(seconds * 1e9)
