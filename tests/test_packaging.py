"""What a wheel would carry."""

from __future__ import annotations

import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def test_every_package_and_every_template_is_in_the_wheel():
    setuptools = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]
    there = {
        ".".join(path.parent.relative_to(ROOT).parts)
        for top in ("extractors", "fusion")
        for path in (ROOT / top).rglob("*.py")
    }
    assert there == set(setuptools["packages"]) - {"emofuse_conf"}
    templates = {".".join(path.parent.relative_to(ROOT).parts) for path in (ROOT / "fusion").rglob("*.jinja")}
    assert templates == {name for name, kinds in setuptools["package-data"].items() if "*.jinja" in kinds}
