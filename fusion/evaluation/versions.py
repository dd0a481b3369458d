"""What a figure was computed with."""

from __future__ import annotations

import platform
from importlib import metadata

PACKAGES = (
    "emofuse",
    "torch",
    "pytorch-lightning",
    "numpy",
    "scikit-learn",
    "pandas",
    "funasr",
    "modelscope",
    "sentence-transformers",
    "librosa",
    "lancedb",
)


def versions() -> dict[str, str]:
    """What was installed: Python, Emofuse and the libraries that change numbers."""
    found = {"python": platform.python_version(), "platform": f"{platform.system()} {platform.machine()}"}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found
