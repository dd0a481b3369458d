"""Files written whole or not at all: a temporary file beside the target, then one rename."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def atomic_path(target: Path) -> Iterator[Path]:
    """A temporary path in the target's folder; renamed over `target` when the block ends well, else removed.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     target = Path(folder) / "results.json"
    ...     with atomic_path(target) as draft:
    ...         _ = draft.write_text("{}")
    ...     target.read_text()
    '{}'
    """
    target = Path(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{target.stem}-", suffix=target.suffix, dir=target.parent)
    os.close(handle)
    draft = Path(name)
    try:
        yield draft
        with draft.open("rb") as written:
            os.fsync(written.fileno())  # or a power cut could leave the new name on an empty file
        umask = os.umask(0)
        os.umask(umask)
        draft.chmod(0o666 & ~umask)  # mkstemp makes files that only their owner reads
        os.replace(draft, target)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def write_bytes(target: Path, content: bytes) -> Path:
    """`content`, atomically. Returns the target."""
    with atomic_path(target) as draft:
        draft.write_bytes(content)
    return Path(target)


def write_text(target: Path, text: str) -> Path:
    """`text` as UTF-8, atomically. Returns the target."""
    return write_bytes(target, text.encode())
