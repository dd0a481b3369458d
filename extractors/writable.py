"""Whether something can be written, asked before hours of work; the answer names the setting that said where."""

from __future__ import annotations

import tempfile
from pathlib import Path

from extractors.errors import InputError


def check_writable_folder(folder: Path, setting: str) -> None:
    """Make sure that files can be written into `folder`, which need not exist. Nothing is left there, nor made.

    Raises InputError that names the setting.

    >>> with tempfile.TemporaryDirectory() as place:
    ...     check_writable_folder(Path(place) / "new" / "out", "output")
    """
    _check(folder, folder, setting)


def check_writable_file(path: Path, setting: str) -> None:
    """The same of one file: `path` must be no folder, and its folder must be one or be possible to make."""
    if path.is_dir():
        raise _refusal(path, setting, "it is a folder; expected the name of a file")
    _check(path.parent, path, setting)


def _check(folder: Path, given: Path, setting: str) -> None:
    try:
        there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
        if not there.is_dir():
            raise _refusal(given, setting, f"{there} is a file")
        with tempfile.TemporaryFile(dir=there):
            pass
    except OSError as error:
        raise _refusal(given, setting, error.strerror or str(error)) from None


def _refusal(given: Path, setting: str, reason: str) -> InputError:
    return InputError(f"{setting}={given} cannot be written: {reason}", hint=f"Give another {setting}=….")
