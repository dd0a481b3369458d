"""Whether anything beyond this machine may be reached for."""

from __future__ import annotations

import os

VARIABLES = ("EMOFUSE_OFFLINE", "MODELSCOPE_OFFLINE", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")


def is_offline(offline: bool | None) -> bool:
    """The argument, or where it is None what the environment says: any of `VARIABLES` set to 1, true, yes or on.

    >>> is_offline(True), is_offline(False)
    (True, False)
    """
    if offline is not None:
        return offline
    return any(os.environ.get(name, "").strip().lower() in ("1", "true", "yes", "on") for name in VARIABLES)
