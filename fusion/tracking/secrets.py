"""Keeps passwords and keys out of everything that is written down or sent to a tracker."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

HIDDEN = "‹hidden›"
# `api_key`, `HF_TOKEN` and `secret_file` are meant; `max_tokens`, `token_pooling` and `keyboard` are not
_NAME = re.compile(r"secret|passw(or)?d|credential|(^|[^a-z])(token|auth|(api|access)?_?key)($|[.\[])", re.IGNORECASE)
_LOGIN = re.compile(r"(?<=://)[^/\s@]+@")  # of a URL
_ASSIGNED = re.compile(r"(?P<name>[\w.+~/-]+)=(?P<value>\S+)")
SHORTEST = 6  # characters of an environment variable; a shorter value would be found in harmless words


def is_secret(name: str) -> bool:
    """Whether something of this name is better not shown.

    >>> [is_secret(name) for name in ("WANDB_API_KEY", "hub.token", "max_tokens", "data.path")]
    [True, True, False, False]
    """
    return bool(_NAME.search(name))


def scrub(text: str, environment: Mapping[str, str] | None = None) -> str:
    """`text` as `scrub_values` leaves it, and without `name=value` of secret names.

    >>> scrub("uri=https://me:1234@host/x hub.token=abc seed=1", {})
    'uri=https://‹hidden›@host/x hub.token=‹hidden› seed=1'
    """
    text = scrub_values(text, environment)
    return _ASSIGNED.sub(lambda found: f"{found['name']}={HIDDEN}" if is_secret(found["name"]) else found[0], text)


def scrub_values(text: str, environment: Mapping[str, str] | None = None) -> str:
    """`text` without logins in URLs and without the values of secret environment variables.

    >>> scrub_values("data.path=hunter22.csv", {"MY_SECRET": "hunter22"})
    'data.path=‹hidden›.csv'
    """
    for name, value in (os.environ if environment is None else environment).items():
        if len(value) >= SHORTEST and is_secret(name):
            text = text.replace(value, HIDDEN)
    return _LOGIN.sub(f"{HIDDEN}@", text)
