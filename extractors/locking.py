"""Who is using a folder: shared by those who read or append, exclusive for the one who removes old files.

The lock is the kernel's (flock): it ends with the process, so that a killed run leaves nothing behind.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

IN_USE = ".lock"


@contextmanager
def in_use(folder: Path) -> Iterator[None]:
    """Keep others from removing files of `folder` meanwhile. Any number of threads and processes may hold this."""
    handle = _open(folder / IN_USE)
    try:
        if handle is not None:
            fcntl.flock(handle, fcntl.LOCK_SH)
        yield
    finally:
        if handle is not None:
            os.close(handle)


@contextmanager
def alone(folder: Path, lock: str = IN_USE) -> Iterator[bool]:
    """True where nobody else uses `folder` now, and then nobody else may begin to until the block ends. Never waits.

    Another `lock` than the usual stands for one kind of use, that only one process may be at.
    """
    handle = _open(folder / lock)
    try:
        yield handle is not None and _try_exclusive(handle)
    finally:
        if handle is not None:
            os.close(handle)


def _open(lock: Path) -> int | None:
    try:
        return os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except OSError:  # a store that may only be read: nobody removes files there either
        return None


def _try_exclusive(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:  # held by others, or a file system without locks
        return False
    return True
