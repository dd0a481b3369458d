"""Tell a program that a meeting is done: one POST, signed, never to where a redirect points.

Off by default. What is sent says which meeting and where its files lie, and no estimate.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import os
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping
from http.client import HTTPMessage
from typing import IO, Any

from extractors.errors import EmofuseError, InputError

log = logging.getLogger(__name__)

SIGNATURE = "X-Emofuse-Signature"  # sha256=HEX of HMAC-SHA256(secret, timestamp + "." + body)
TIMESTAMP = "X-Emofuse-Timestamp"  # seconds since 1970; refuse what is old, or it could be sent again by others
LEAST_SECRET = 16  # characters
TIMEOUT = 10.0  # s
PASSING = frozenset([408, 425, 429, 500, 502, 503, 504])  # answers that another try may change


class NotifyError(EmofuseError):
    """The webhook was not taken, in any of the tries. The meeting's files are written all the same."""


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A redirect could lead inside a network, or carry the message to somebody else."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> None:
        return None


def notify(
    url: str,
    content: Mapping[str, Any],
    *,
    secret: str,
    attempts: int = 4,
    wait: float = 1.0,
    sleep: Callable[[float], None] = time.sleep,
) -> int:
    """POST `content` as JSON to `url`, signed by `secret`. Returns the status of the answer, 200 to 299.

    A try that fails for a passing reason (no connection, 408, 425, 429, 5xx) is made again after `wait`, 2 · `wait`,
    4 · `wait` … seconds. Raises InputError for settings that cannot be, NotifyError where nobody took it.
    """
    check_settings(url, secret)
    body = json.dumps(content, ensure_ascii=False, sort_keys=True, allow_nan=False).encode()
    opener = urllib.request.build_opener(_NoRedirects)
    why = ""
    for attempt in range(attempts):
        if attempt:
            sleep(wait * 2 ** (attempt - 1))
        stamp = str(int(time.time()))
        headers = {"Content-Type": "application/json", TIMESTAMP: stamp, SIGNATURE: signature(secret, stamp, body)}
        request = urllib.request.Request(url, data=body, headers=headers, method="POST")
        try:
            with opener.open(request, timeout=TIMEOUT) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            error.close()
            why = f"HTTP {error.code}"
            if 300 <= error.code < 400:
                raise NotifyError(
                    f"notify: {_shown(url)} answered with a redirect ({why}), which is not followed"
                ) from None
            if error.code not in PASSING:
                break
        except (urllib.error.URLError, OSError) as error:
            why = str(getattr(error, "reason", error))
        log.debug("notify: try %d of %d: %s", attempt + 1, attempts, why)
    raise NotifyError(f"notify: {_shown(url)} did not take the message: {why}")


def signature(secret: str, stamp: str, body: bytes) -> str:
    """What the receiver computes again and compares (with hmac.compare_digest).

    >>> signature("sixteen letters!", "1700000000", b"{}")[:19]
    'sha256=96ab549f48d7'
    """
    return "sha256=" + hmac.new(secret.encode(), f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()


def check_settings(url: str, secret: str | None) -> None:
    """Raise InputError where nothing could be sent: before hours of work, not after."""
    problems = []
    parts = urllib.parse.urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        problems.append(f"notify.url: expected https://HOST/…, got {_shown(url)}")
    if parts.username or parts.password:
        problems.append("notify.url: holds a password, which logs would show; sign with the secret instead")
    if not secret or len(secret) < LEAST_SECRET:
        problems.append(f"the secret: expected {LEAST_SECRET} characters or more, got {len(secret or '')}")
    if problems:
        raise InputError(
            "notify: cannot send", problems, hint="The secret is read from the environment: notify.secret_env."
        )


def secret_of(variable: str) -> str | None:
    """The secret, from the environment: a configuration is written into every run's folder."""
    return os.environ.get(variable)


def _shown(url: str) -> str:
    """A URL without what may be secret in it."""
    parts = urllib.parse.urlsplit(url)
    return f"{parts.scheme}://{parts.hostname or ''}{parts.path}"
