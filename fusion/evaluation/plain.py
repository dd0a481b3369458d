"""Plain data of whatever was computed, for strict JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np


def plain(value: Any) -> Any:
    """JSON-able: numpy and tuples as Python's own, NaN and infinities as None, anything else as its text.

    >>> plain({"a": np.float64("nan"), "b": (np.int64(1), np.array([0.5]))})
    {'a': None, 'b': [1, [0.5]]}
    """
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, Mapping):
        return {str(key): plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [plain(entry) for entry in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, str | bool | int) else str(value)
