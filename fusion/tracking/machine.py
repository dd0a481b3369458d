"""The machine and the software that a run had."""

from __future__ import annotations

import os
import platform
import re
from importlib import metadata
from pathlib import Path
from typing import Any

# nothing else of the environment is written down
SHOWN = re.compile(
    r"CUDA_VISIBLE_DEVICES|(OMP|MKL|OPENBLAS|NUMEXPR)_NUM_THREADS|(HF_HUB|TRANSFORMERS)_OFFLINE|EMOFUSE_[A-Z_]+"
)


def machine() -> dict[str, Any]:
    """Platform, processor, GPUs and threads."""
    import torch

    return {
        "platform": platform.platform(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "usable_cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "threads": torch.get_num_threads(),
        "gpus": [torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count())],
        "cuda": torch.version.cuda,
        "cudnn": torch.backends.cudnn.version() if torch.backends.cudnn.is_available() else None,
    }


def distributions() -> dict[str, str]:
    """Name -> version of everything installed, by name.

    >>> "torch" in distributions()
    True
    """
    found: dict[str, str] = {}
    for distribution in metadata.distributions():
        name = distribution.metadata["Name"]
        # setuptools puts its private copies on the path once it has been imported
        if name and "_vendor" not in Path(str(distribution.locate_file(""))).parts:
            found.setdefault(name, distribution.version)  # the first on the path is the one that is imported
    return dict(sorted(found.items(), key=lambda entry: entry[0].lower()))


def variables() -> dict[str, str]:
    """The environment variables that change results, and no others."""
    from fusion.tracking.secrets import is_secret

    return {name: os.environ[name] for name in sorted(os.environ) if SHOWN.fullmatch(name) and not is_secret(name)}


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass  # not Linux
    return platform.processor() or platform.machine()
