"""`emofuse train resume=FOLDER` alone: the other settings are those that the interrupted run was started with."""

from __future__ import annotations

import json
import logging
import re
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from extractors.errors import InputError

log = logging.getLogger(__name__)

PLAIN_KEY = re.compile(r"[A-Za-z_][\w.-]*")
NO_CHOICE = re.compile(r"[/\\$]|\.\.")  # a path, or what may become one
OVERRIDES, HYDRA = ".hydra/overrides.yaml", ".hydra/hydra.yaml"  # in a run's folder, written by Hydra


def with_recorded(arguments: Sequence[str]) -> list[str]:
    """`arguments` of `train`; where `resume` is the only setting among them, with the overrides that its folder records.

    Settings of Hydra itself (`hydra.run.dir`) may stand beside it and are never taken from the record. What the record
    says is told on standard error. A record that chooses a class by `_target_`, or another configuration file, is not
    followed but spelled out: a folder may come from others, and must not decide which code runs.

    Raises InputError where the record is damaged; with the command to repeat, where it is not followed.
    """
    settings = [argument.partition("=") for argument in arguments if "=" in argument and not argument.startswith("-")]
    own = [(key, value) for key, _, value in settings if not key.lstrip("+~").startswith("hydra")]
    if [key for key, _ in own] != ["resume"] or any(argument.startswith("-") for argument in arguments):
        return list(arguments)
    folder = Path(own[0][1].strip("'\""))
    if not (folder / "fits").is_dir() or not (folder / OVERRIDES).is_file():
        return list(arguments)  # what is wrong with it is said where the setting is checked
    recorded, name = _recorded(folder)
    words = " ".join(map(shlex.quote, recorded))
    if name != "train" or any(map(_could_run_code, recorded)):
        again = f"emofuse train {words} {shlex.quote(f'resume={folder}')}"
        raise InputError(
            f"resume={folder}: the settings of that run name code or a configuration of their own, which are not taken "
            "from a record",
            hint=f"Repeat the command, if you trust it: {again}",
        )
    where = _started_in(folder)
    elsewhere = "" if where in (None, str(Path.cwd())) else f" (it was started in {where}; paths are relative to here)"
    sys.stderr.write(f"resume: with the settings of that run{elsewhere}: {words}\n")
    return [*recorded, *arguments]


def _recorded(folder: Path) -> tuple[list[str], str]:
    """The overrides that a run was started with, without `resume`, and the name of its configuration."""
    try:
        overrides = OmegaConf.to_container(OmegaConf.load(folder / OVERRIDES))  # interpolations are Hydra's to resolve
        name = OmegaConf.select(OmegaConf.load(folder / HYDRA), "hydra.job.config_name")
        if not isinstance(overrides, list) or not all(isinstance(entry, str) for entry in overrides):
            raise ValueError(f"{OVERRIDES}: expected a list of settings")
        if not isinstance(name, str):
            raise ValueError(f"{HYDRA}: it names no configuration")
    except (OSError, ValueError, YAMLError, OmegaConfBaseException) as error:
        raise InputError(
            f"resume={folder}: the record of its settings cannot be read: {error}",
            hint=f"Give the settings of that run again, and resume={folder} with them.",
        ) from None
    return [entry for entry in overrides if not entry.startswith("resume=")], name


def _could_run_code(override: str) -> bool:
    """An option of Hydra, a setting of it (where it looks for configurations), a class by its name, or a choice that is no
    plain name: `head=../../evil` would be read from a file beside conf/, and that file may name a class."""
    key, _, value = override.lstrip("+~").partition("=")
    if not PLAIN_KEY.fullmatch(key) or key.startswith("hydra") or "_target_" in override:
        return True
    return "." not in key and NO_CHOICE.search(value) is not None


def _started_in(folder: Path) -> str | None:
    try:
        found: Any = json.loads((folder / "environment.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return str(found["folder"]) if isinstance(found, dict) and "folder" in found else None
