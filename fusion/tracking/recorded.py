"""A finished run, read from its folder, and the configuration that repeats it. Only YAML and JSON are read."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from extractors.errors import InputError
from extractors.files import write_text
from fusion.tracking.environment import read_environment

RECIPE = "recorded"  # name of the configuration that repeats a run
NOT_REPEATED = {"resume": None}  # a rerun starts at the beginning; its figures must come out all the same


@dataclass(frozen=True)
class Recorded:
    """What a finished training run left.

    config      : as composed; interpolations stand as they were written
    choices     : config group -> choice
    cwd         : where the command was given; relative paths in `config` start there
    results     : results.json
    environment : environment.json, None where the run recorded none
    """

    folder: Path
    config: DictConfig
    choices: dict[str, Any]
    cwd: Path
    results: dict[str, Any]
    environment: dict[str, Any] | None


def read_run(folder: Path) -> Recorded:
    """Raises InputError where `folder` holds no finished training run, or one that is damaged."""
    folder = Path(folder).absolute()
    needed = ("results.json", "predictions.csv", ".hydra/config.yaml", ".hydra/hydra.yaml")
    absent = [f"{name}: not there" for name in needed if not (folder / name).is_file()]
    if absent:
        raise InputError(
            f"{folder} cannot be rerun: it is not the folder of a finished run",
            absent,
            "Give the folder that `emofuse train` named at its end, such as runs/train/2026-11-22/10-15-03-4f2a.",
        )
    try:
        config, hydra = (OmegaConf.load(folder / ".hydra" / name) for name in ("config.yaml", "hydra.yaml"))
        results = json.loads((folder / "results.json").read_text(encoding="utf-8"))
        job = str(OmegaConf.select(hydra, "hydra.job.name"))
        if job != "train":
            raise InputError(f"{folder} cannot be rerun: it is a run of `{job}`, and only `train` leaves figures")
        choices = OmegaConf.to_container(OmegaConf.select(hydra, "hydra.runtime.choices"))
        cwd = Path(str(OmegaConf.select(hydra, "hydra.runtime.cwd")))
    except (OmegaConfBaseException, yaml.YAMLError, ValueError, OSError) as error:
        raise InputError(f"{folder} cannot be rerun: its record is damaged: {error}") from error
    if not isinstance(config, DictConfig) or not isinstance(choices, dict) or not isinstance(results.get("test"), dict):
        raise InputError(f"{folder} cannot be rerun: its record is damaged")
    named = {str(group): choice for group, choice in choices.items() if not str(group).startswith("hydra/")}
    return Recorded(folder, config, named, cwd, results, read_environment(folder))


def write_recipe(recorded: Recorded, target: Path, *, run_dir: Path, conf: Path) -> Path:
    """Write the primary configuration that repeats the run into `target`; what is younger than the run has its default.

    The recorded values, not the recorded command line: conf/ may have changed since.

    Args:
        recorded: the run.
        target: a folder that Hydra will be shown.
        run_dir: where the new run is to write.
        conf: the configuration of this version.
    """
    today = OmegaConf.load(conf / "train.yaml")
    assert isinstance(today, DictConfig)
    listed = OmegaConf.to_container(today.defaults)
    assert isinstance(listed, list)
    younger = [entry for entry in listed if isinstance(entry, dict) and not set(entry) & set(recorded.choices)]
    own = OmegaConf.masked_copy(today, [str(key) for key in today if key not in ("defaults", "hydra")])
    merged = OmegaConf.merge(own, recorded.config, {key: value for key, value in NOT_REPEATED.items() if key in own})
    recipe = OmegaConf.to_container(merged)
    assert isinstance(recipe, dict)
    recipe["defaults"] = [{"runs": "default"}, *younger, "_self_"]
    recipe["hydra"] = {
        "job": {"name": "train"},
        "run": {"dir": str(run_dir).replace("${", "\\${")},
        "runtime": {"choices": recorded.choices},  # train.py asks Hydra how the split is called
    }
    return write_text(target / f"{RECIPE}.yaml", OmegaConf.to_yaml(OmegaConf.create(recipe)))


def changed_settings(then: DictConfig, now: DictConfig) -> list[tuple[str, Any, Any]]:
    """Key, value then and value now of every setting in which two composed configurations differ, as resolved."""
    before, after = (_flat(OmegaConf.to_container(config, resolve=True)) for config in (then, now))
    return [
        (key, before.get(key), after.get(key))
        for key in sorted(before.keys() | after.keys())
        if before.get(key) != after.get(key) and key not in NOT_REPEATED
    ]


def _flat(tree: Any, prefix: str = "") -> dict[str, Any]:
    if isinstance(tree, Mapping) and tree:
        return {name: value for key, child in tree.items() for name, value in _flat(child, f"{prefix}{key}.").items()}
    return {prefix.rstrip("."): tree}


def targets(config: DictConfig) -> list[str]:
    """Every `_target_` of a configuration, resolved."""
    found: list[str] = []

    def walk(node: Any) -> None:
        if isinstance(node, Mapping):
            if "_target_" in node:
                found.append(str(node["_target_"]))
            for child in node.values():
                walk(child)
        elif isinstance(node, Sequence) and not isinstance(node, str):
            for child in node:
                walk(child)

    walk(OmegaConf.to_container(config, resolve=True))
    return list(dict.fromkeys(found))
