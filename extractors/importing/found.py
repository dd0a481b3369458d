"""Which vectors a folder holds, and what is said of them beside them. Nothing is judged yet, and no array is read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from extractors.errors import InputError
from extractors.export.names import id_of
from extractors.export.npy import DESCRIPTION, SCORES, SUFFIX
from extractors.export.webui import AUDIO, EMBEDDING, RESULT

LARGEST_JSON = 2**20  # bytes of a result.json or of a line; they have about a thousand


@dataclass(frozen=True, slots=True)
class FoundVector:
    """An .npy file.

    names  : what its clip may be called; a KEY may be an id written as a file name, or as it is
    audio  : the WebUI's copy of the audio beside it
    result : what is said of this clip (`scores`, `labels`, `model`, `granularity` …), unchecked
    """

    path: Path
    names: tuple[str, ...]
    audio: Path | None = None
    result: Mapping[str, Any] = field(default_factory=dict)


def find_vectors(folder: Path) -> tuple[list[FoundVector], list[str]]:
    """The vectors of `folder`, in the order of their names, and what could not be read of the texts beside them.

    FunASR's layout: `KEY.npy` in the folder, with `export.json` and `scores.jsonl` where Emofuse wrote it. The WebUI's:
    `embedding.npy` beside a `result.json`, in the folder itself or in any folder in it. Both may be mixed.

    Raises InputError where there is no such folder, or not one vector in it.
    """
    if not folder.is_dir():
        raise InputError(
            f"path={folder}: " + ("a file; expected a folder" if folder.exists() else "no such folder"),
            hint="Give the folder of the vectors, as FunASR's output_dir or an export wrote it: path=FOLDER.",
        )
    problems: list[str] = []
    found = _web_ui(folder, problems)
    found += [vector for inner in sorted(folder.iterdir()) if inner.is_dir() for vector in _web_ui(inner, problems)]
    taken = {vector.path for vector in found}
    files = [f for f in sorted(folder.glob(f"*{SUFFIX}")) if f.is_file() and f not in taken and f.name[0] != "."]
    if files:
        about = _read_object(folder / DESCRIPTION, problems)
        lines = _read_lines(folder / SCORES, problems)
        for file in files:
            names = tuple(dict.fromkeys(name for name in (id_of(file.stem), file.stem) if name is not None))
            line = next((lines[name] for name in names if name in lines), {})
            found.append(FoundVector(file, names, result={**about, **line}))
    if not found and not problems:
        raise InputError(
            f"import: no vectors in {folder}",
            hint=f"Expected KEY{SUFFIX} files, or folders of {RESULT} and {EMBEDDING} as the WebUI writes them.",
        )
    return found, problems


def _web_ui(folder: Path, problems: list[str]) -> list[FoundVector]:
    if not ((folder / RESULT).is_file() and (folder / EMBEDDING).is_file()):
        return []
    result = _read_object(folder / RESULT, problems)
    key = result.get("key")
    names = (key,) if isinstance(key, str) else (folder.name,)
    return [FoundVector(folder / EMBEDDING, names, folder / AUDIO, result)]


def _read_object(path: Path, problems: list[str]) -> dict[str, Any]:
    """{} where there is no such file."""
    if not path.is_file():
        return {}
    if path.stat().st_size > LARGEST_JSON:
        problems.append(f"{_shown(path)}: {path.stat().st_size:,} bytes; expected the few of a result")
        return {}
    return _object(path.read_bytes(), _shown(path), problems)


def _read_lines(path: Path, problems: list[str]) -> dict[str, dict[str, Any]]:
    """JSON Lines by their `key`."""
    found: dict[str, dict[str, Any]] = {}
    if path.is_file():
        with path.open("rb") as file:
            number = 0
            while line := file.readline(LARGEST_JSON):
                number += 1
                record = _object(line, f"{_shown(path)}, line {number}", problems)
                key = record.get("key")
                if isinstance(key, str):
                    found[key] = record
                elif record:
                    problems.append(f"{_shown(path)}, line {number}: expected a `key`, got {key!r}")
    return found


def _object(content: bytes, where: str, problems: list[str]) -> dict[str, Any]:
    try:
        value = json.loads(content)
    except (ValueError, RecursionError) as error:
        problems.append(f"{where}: no JSON: {error}")
        return {}
    if not isinstance(value, dict):
        problems.append(f"{where}: expected a JSON object, got a {type(value).__name__}")
        return {}
    return value


def _shown(path: Path) -> str:
    return f"{path.parent.name}/{path.name}"
