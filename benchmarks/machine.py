"""What a figure was measured on, and how it is written down."""

from __future__ import annotations

import json
import os
import platform
import re
import sys
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).resolve().parent / "results"
LIBRARIES = ("torch", "numpy", "lancedb", "pyarrow", "soundfile", "soxr", "librosa", "funasr", "sentence-transformers")
GIB = 2**30  # bytes


def describe_machine(libraries: Iterable[str] = LIBRARIES) -> dict[str, Any]:
    """The machine and the versions under a figure, as JSON-able data.

    Returns `cpu` (model name), `cores` (that this process may use), `load_average` (of the last minute: far above what
    the benchmark itself uses, others were at work), `memory_gib`, `gpu` (name or None), `system`, `python` and
    `libraries` (name -> version, only of those installed). The host's name is left out on purpose.

    >>> sorted(describe_machine(["numpy"]))
    ['cores', 'cpu', 'gpu', 'libraries', 'load_average', 'memory_gib', 'python', 'system']
    """
    return {
        "cpu": _cpu_model(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "load_average": round(os.getloadavg()[0], 1),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / GIB, 1),
        "gpu": _gpu_name(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "libraries": {name: version for name in libraries if (version := _version(name))},
    }


def write_json(path: str | os.PathLike[str], content: dict[str, Any]) -> Path:
    """Write `content` to `path` whole or not at all (temporary file, then rename). Returns the path."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")
    temporary.replace(path)
    return path


def _cpu_model() -> str:
    try:
        found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(encoding="utf-8"), re.MULTILINE)
    except OSError:
        found = None
    return found.group(1).strip() if found else platform.processor() or platform.machine()


def _gpu_name() -> str | None:
    torch = sys.modules.get("torch")  # a benchmark that never imported torch did not use a GPU through it
    return torch.cuda.get_device_name() if torch is not None and torch.cuda.is_available() else None


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
