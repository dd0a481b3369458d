"""Packages that only some trackers need."""

from __future__ import annotations

from importlib.util import find_spec

from extractors.errors import MissingExtraError


def require(package: str) -> None:
    """Raise MissingExtraError, naming the extra of the same name, where `package` cannot be imported.

    >>> require("json")
    """
    found = find_spec(package)
    if found is None or found.origin is None:  # a folder of that name, such as wandb/ leaves, is found without origin
        raise MissingExtraError(package, package)
