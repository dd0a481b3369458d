"""environment.json: what a run ran on and from, so that it can be repeated, or known why it cannot.

    python, emofuse, machine, distributions, variables (a few, by name), command, overrides, folder, seed
    git.{package,folder} = {"folder", "commit", "branch", "dirty", "untracked", "untracked_files"} or null
    data = {"data.path": {"path", "bytes", "hash"}, …}: every file that the data's configuration names
    started, finished, status

The configuration is in .hydra/. Differences to the commits are in git.diff.
"""

from __future__ import annotations

import json
import os
import platform
import re
import sys
from datetime import UTC, datetime
from hashlib import blake2b
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

import fusion
from extractors.files import write_text
from fusion.tracking.git import git_state
from fusion.tracking.machine import distributions, machine, variables
from fusion.tracking.secrets import scrub, scrub_values

ENVIRONMENT, DIFF = "environment.json", "git.diff"


def record_environment(run_dir: Path, cfg: DictConfig) -> None:
    """Write environment.json, and git.diff where files differ from their commit. Called as a run begins; of several
    processes only the first writes.
    """
    from pytorch_lightning.utilities import rank_zero_only  # seconds, which a reader of records need not wait for

    if rank_zero_only.rank != 0:  # type: ignore[attr-defined]
        return
    package = Path(fusion.__file__).parent
    code, code_diff = git_state(package, of="__init__.py")
    folder, folder_diff = git_state(Path.cwd())
    if code and folder and code["folder"] == folder["folder"]:
        folder_diff = ""
    diff = code_diff + folder_diff
    write_environment(
        run_dir,
        {
            "started": now(),
            "finished": None,
            "status": "running",
            "command": [scrub(argument) for argument in sys.argv],
            "overrides": _overrides(),
            "folder": str(Path.cwd()),
            "seed": OmegaConf.select(cfg, "seed"),
            "python": platform.python_version(),
            "emofuse": fusion.__version__,
            "git": {"package": code, "folder": folder},
            "machine": machine(),
            "variables": variables(),
            "data": data_files(cfg),
            "distributions": distributions(),
        },
    )
    if diff:
        write_text(run_dir / DIFF, scrub_values(diff))
    else:
        (run_dir / DIFF).unlink(missing_ok=True)  # of an earlier run in the same folder


def finish_environment(run_dir: Path, status: str) -> None:
    """Note when a run ended and how, where it had begun to be recorded."""
    from pytorch_lightning.utilities import rank_zero_only

    if rank_zero_only.rank != 0:  # type: ignore[attr-defined]
        return
    recorded = read_environment(run_dir)
    if recorded is not None:
        write_environment(run_dir, {**recorded, "finished": now(), "status": status})


def read_environment(run_dir: Path) -> dict[str, Any] | None:
    """environment.json, None where there is none that can be read."""
    try:
        recorded = json.loads((Path(run_dir) / ENVIRONMENT).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return recorded if isinstance(recorded, dict) else None


def write_environment(run_dir: Path, recorded: dict[str, Any]) -> None:
    write_text(Path(run_dir) / ENVIRONMENT, json.dumps(recorded, ensure_ascii=False, indent=2) + "\n")


def data_files(cfg: DictConfig) -> dict[str, dict[str, Any]]:
    """Configuration key -> path, size and content hash of the file that it names, for every file below `data`.

    >>> import tempfile
    >>> with tempfile.NamedTemporaryFile(suffix=".csv") as file:
    ...     list(data_files(OmegaConf.create({"data": {"path": file.name, "delimiter": ","}})))
    ['data.path']
    """
    data = cfg.get("data")
    tree = OmegaConf.to_container(data, resolve=True) if isinstance(data, DictConfig) else {}
    found = {}
    for key, value in _texts(tree, "data"):
        files = [value] if _is_file(value) else _matches(value)
        for number, file in enumerate(files):
            name = key if len(files) == 1 else f"{key}.{number}"
            size = Path(file).stat().st_size
            found[name] = {"path": os.fspath(Path(file).absolute()), "bytes": size, "hash": file_hash(file)}
    return found


def file_hash(path: str | Path) -> str:
    """blake2b of the content, 32 hex digits."""
    digest = blake2b(digest_size=16)
    with Path(path).open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _overrides() -> list[str]:
    overrides = HydraConfig.get().overrides.task if HydraConfig.initialized() else []
    return [scrub(override) for override in overrides]


def _texts(tree: Any, key: str) -> list[tuple[str, str]]:
    if isinstance(tree, dict):
        return [found for name, value in tree.items() for found in _texts(value, f"{key}.{name}")]
    if isinstance(tree, list):
        return [found for number, value in enumerate(tree) for found in _texts(value, f"{key}.{number}")]
    return [(key, tree)] if isinstance(tree, str) else []


def _matches(text: str) -> list[str]:
    """The files of a pattern such as `out/fold{fold}/*.csv`."""
    pattern = Path(re.sub(r"\{\w+\}", "*", text))
    if "/" not in text or not re.search(r"[*?]", str(pattern)):
        return []
    parts = pattern.parts
    fixed = next(place for place, part in enumerate(parts) if re.search(r"[*?]", part))
    return sorted(str(path) for path in Path(*parts[:fixed]).glob(str(Path(*parts[fixed:]))) if path.is_file())


def _is_file(text: str) -> bool:
    try:
        return Path(text).is_file()
    except (OSError, ValueError):  # a notice of many words is no path
        return False
