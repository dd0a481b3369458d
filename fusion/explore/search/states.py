"""What tells that a collection may have changed, without reading all of it."""

from __future__ import annotations

import hashlib
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from extractors.errors import InputError
from extractors.fingerprint import fingerprint
from fusion.data.sources import ManifestSource


def manifest_state(manifest: ManifestSource) -> str:
    """Of the file and of how its columns are read."""
    try:
        content = hashlib.blake2b(manifest.path.read_bytes(), digest_size=16).hexdigest()
    except OSError as error:
        raise InputError(f"{manifest.path}: {error.strerror or error}") from error
    return fingerprint(
        {
            "file": content,
            "columns": manifest.columns,
            "extra": list(manifest.extra_columns),
            "delimiter": manifest.delimiter,
        }
    )


def rows_about(path: Path) -> int:
    """How many rows a manifest has, by its lines: enough to choose how to search it."""
    try:
        if path.suffix.lower() == ".parquet":
            return int(pq.read_metadata(path).num_rows)
        with path.open("rb") as file:
            return sum(block.count(b"\n") for block in iter(partial(file.read, 2**20), b""))
    except (OSError, pa.ArrowInvalid):
        return 0  # whoever reads it says what is wrong


def file_state(path: Path | None) -> str:
    """Path, size and time of change; another content reads otherwise, but for one of the same size at the same time."""
    if path is None:
        return ""
    try:
        said = path.stat()
    except OSError:
        return f"{path} is missing"
    return f"{path} {said.st_size} {said.st_mtime_ns}"
