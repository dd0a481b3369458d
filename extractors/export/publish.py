"""Files that appear whole or not at all, and never over another.

`extractors.files` replaces what is there; an export must not. So everything is written aside, on the same disk, and
moved into place by operations that fail where something is.
"""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from extractors.errors import EmofuseError, InputError
from extractors.writable import check_writable_folder

HINT = "Nothing is ever overwritten. Set export.path to another folder, or move these away."


def refuse_existing(folder: Path, names: Iterable[str]) -> None:
    """Raise InputError with all of `names` that are in `folder` already, or where nothing can be written there."""
    check_writable_folder(folder, "export.path", beside=True)
    there = names_in(folder)
    if taken := [name for name in names if name in there]:
        raise InputError(f"export: {len(taken):,} of these files are in {folder} already", taken, HINT)


def names_in(folder: Path) -> set[str]:
    """What is in `folder`; nothing where there is none."""
    return {entry.name for entry in folder.iterdir()} if folder.is_dir() else set()


@contextmanager
def new_entries(folder: Path) -> Iterator[Path]:
    """An empty folder beside `folder`; what the block writes there is moved into `folder`, all of it or nothing.

    Where `folder` does not exist yet, that is one rename. Raises InputError where a name was taken meanwhile,
    EmofuseError where the disk refuses; either way nothing of this is left.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as place:
    ...     with new_entries(Path(place) / "out") as aside:
    ...         _ = (aside / "a.txt").write_text("a")
    ...     sorted(os.listdir(place)), os.listdir(Path(place) / "out")
    (['out'], ['a.txt'])
    """
    aside = (
        folder.parent / f".{folder.name}-{uuid.uuid4().hex[:12]}"
    )  # not mkdtemp: its folders are for their owner only
    try:
        aside.mkdir(parents=True)
        yield aside
        _publish(aside, folder)
    except OSError as error:
        raise EmofuseError(f"export: {folder} cannot be written: {error}. Nothing of it was kept.") from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _publish(aside: Path, folder: Path) -> None:
    if not folder.exists():
        try:
            aside.rename(folder)
            return
        except OSError:
            if not folder.is_dir():
                raise
    moved: list[Path] = []
    try:
        for entry in sorted(aside.iterdir()):
            target = folder / entry.name
            _move_to_new(entry, target)
            moved.append(target)
    except BaseException as error:
        for target in moved:
            shutil.rmtree(target) if target.is_dir() else target.unlink(missing_ok=True)
        if isinstance(error, FileExistsError):
            raise InputError(
                f"export: {folder / entry.name} was made by another program meanwhile", hint=HINT
            ) from None
        raise


def _move_to_new(entry: Path, target: Path) -> None:
    """Raises FileExistsError where `target` is there, in the same step that would make it."""
    if entry.is_dir():
        target.mkdir()
        entry.rename(target)  # over the empty folder that is ours
        return
    try:
        os.link(entry, target)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links
        target.open("x").close()
        os.replace(entry, target)
