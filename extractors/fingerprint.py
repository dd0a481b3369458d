"""A short, stable digest of everything that changes an extractor's numbers."""

from __future__ import annotations

import hashlib
import json
from typing import Any


def fingerprint(settings: dict[str, Any]) -> str:
    """32 hex digits of `settings`, whatever the order of its keys.

    >>> fingerprint({"model": "a", "dim": 3}) == fingerprint({"dim": 3, "model": "a"})
    True
    """
    canonical = json.dumps(settings, sort_keys=True, ensure_ascii=True, separators=(",", ":"), allow_nan=False)
    return hashlib.blake2b(canonical.encode(), digest_size=16).hexdigest()
