"""Whether something can be written, asked before hours of work; the answer names the setting that said where."""

from __future__ import annotations

import tempfile
from pathlib import Path

from extractors.errors import InputError


def check_writable_folder(folder: Path, setting: str, *, beside: bool = False) -> None:
    """Make sure that files can be written into `folder`, which need not exist. Nothing is left there, nor made.

    beside : also into the folder above it, for what is written aside and then moved

    Raises InputError that names the setting.

    >>> with tempfile.TemporaryDirectory() as place:
    ...     check_writable_folder(Path(place) / "new" / "out", "output")
    """
    _check(folder, folder, setting)
    if beside:
        _check(folder.parent, folder, setting)


def check_writable_file(path: Path, setting: str) -> None:
    """The same of one file: `path` must be no folder, and its folder must be one or be possible to make."""
    _check(path.parent, path, setting, name=path)


def _check(folder: Path, given: Path, setting: str, *, name: Path | None = None) -> None:
    """`name`: of the file; its draft gets a longer one, see `files.atomic_path`."""
    try:
        if name is not None and name.is_dir():
            raise _refusal(given, setting, "it is a folder; expected the name of a file")
        there = _nearest(folder)
        if not there.is_dir():
            raise _refusal(given, setting, f"{there} is {'a file' if there.exists() else 'a link to nowhere'}")
        prefix, suffix = (f".{name.stem}-", name.suffix) if name is not None else (None, None)
        with tempfile.NamedTemporaryFile(dir=there, prefix=prefix, suffix=suffix):
            pass
    except OSError as error:
        raise _refusal(given, setting, error.strerror or str(error)) from None


def _nearest(folder: Path) -> Path:
    """The folder, or the first above it where there is anything."""
    return next(path for path in (folder, *folder.absolute().parents) if path.is_symlink() or path.exists())


def _refusal(given: Path, setting: str, reason: str) -> InputError:
    return InputError(f"{setting}={given} cannot be written: {reason}", hint=f"Give another {setting}=….")
