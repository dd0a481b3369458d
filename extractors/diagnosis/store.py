"""The embedding store: where it is, what it holds, how much room it takes, whether it can be written."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from rich.filesize import decimal

from extractors.diagnosis.finding import Finding, from_error
from extractors.diagnosis.machine import nearest_existing
from extractors.errors import EmofuseError

if TYPE_CHECKING:
    from extractors.store import EmbeddingStore


def check_store(open_store: Callable[[], EmbeddingStore]) -> list[Finding]:
    """One finding for the store itself and one for each extractor that has rows in it. Writes nothing that stays.

    >>> from extractors.store import EmbeddingStore
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     [finding] = check_store(lambda: EmbeddingStore(f"{folder}/store"))
    >>> finding.status, finding.details["exists"]
    ('ok', False)
    """
    try:
        store = open_store()
        tables = store.tables()
    except EmofuseError as error:
        return [from_error("folder", error)]
    refused = why_not_writable(store.path)
    if not store.path.exists():
        details = {"path": str(store.path), "exists": False, "writable": refused is None}
        if refused:
            return [
                Finding("folder", "fail", f"{store.path} cannot be made: {refused}", "Set store.path=FOLDER.", details)
            ]
        return [
            Finding("folder", "ok", f"{store.path} does not exist yet; the first extraction makes it", details=details)
        ]
    size = sum(_size(path) for path in store.path.rglob("*"))
    rows = sum(table.rows or 0 for table in tables)
    found = f"{store.path}: {rows:,} embeddings, {decimal(size)}, " + ("read only" if refused else "writable")
    todo = (
        f"It cannot be written ({refused}): mend that, or set store.path=FOLDER, before you extract." if refused else ""
    )
    details = {"path": str(store.path), "exists": True, "writable": refused is None, "bytes": size, "rows": rows}
    findings = [Finding("folder", "warn" if refused else "ok", found, todo, details)]
    for table in tables:
        found = f"{table.rows:,} × {table.dim} ({table.modality}), frames as {table.frames_dtype}"
        details = {"table": table.table, "rows": table.rows, "dim": table.dim, "fingerprint": table.fingerprint}
        findings.append(Finding(table.name, "ok", found, details=details))
    return findings


def why_not_writable(folder: Path) -> str | None:
    """Why no file can be made in `folder`, or where it does not exist yet, in the closest parent that does."""
    try:
        # tried, not asked: permissions alone do not tell of full disks and read-only file systems
        with tempfile.TemporaryFile(dir=nearest_existing(folder)) as file:
            file.write(b"emofuse doctor was here")
    except OSError as error:
        return error.strerror or str(error)
    return None


def _size(path: Path) -> int:
    try:
        return path.stat().st_size if path.is_file() else 0
    except OSError:  # gone meanwhile: another process may be compacting
        return 0
