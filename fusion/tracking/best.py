"""The best configuration of a sweep as an experiment file: what its command line said, as a diff that can be read."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import yaml
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, OverrideType
from omegaconf import OmegaConf

from extractors.files import write_text
from fusion.configuration import conf_folder
from fusion.tracking.jobs import Configuration, SweepJob

BEST = Path("experiment") / "best.yaml"  # in the sweep's folder, so that it is a config folder to Hydra
SWEEP_GROUP = "sweep"  # how the search was done is no part of what was found


def write_best(sweep: Path, best: Configuration, verb: str = "train") -> Path:
    """Write `experiment/best.yaml` into the sweep's folder: the first job of `best`, which repeats its figures."""
    return write_text(sweep / BEST, experiment(best, sweep, verb))


def experiment(best: Configuration, sweep: Path, verb: str = "train") -> str:
    """The text of the file. Its first comment is the command that runs it."""
    job = best.jobs[0]
    defaults, values, rest = _sorted_out(job)
    command = ["emofuse", verb, "--config-dir", str(sweep), f"experiment={BEST.stem}", *rest]
    lines = ["# @package _global_", "# " + " ".join(map(shlex.quote, command)), f"# {_origin(best)}"]
    if defaults:
        lines += ["defaults:", *(f"  - {entry}" for entry in [*defaults, "_self_"])]
    text = "\n".join(lines) + "\n"
    if values:
        text += "\n" + yaml.safe_dump(values, sort_keys=False, allow_unicode=True, width=1000)
    return text


def _origin(best: Configuration) -> str:
    seeds = [job.settings["seed"] for job in best.jobs if "seed" in job.settings]
    over = (
        f", the mean over seeds {', '.join(seeds)} (-m seed={','.join(seeds)} repeats them)" if len(seeds) > 1 else ""
    )
    return f"Job {best.jobs[0].number}; UA on validation rows, which chose it, {best.mean:.4f}{over}."


def _sorted_out(job: SweepJob) -> tuple[list[str], dict[str, Any], list[str]]:
    """A job's overrides as entries of a defaults list, values, and what no file can say."""
    bases: list[str] = []
    choices: dict[str, str] = {}
    values = OmegaConf.create()
    rest: list[str] = []
    for override in OverridesParser.create().parse_overrides(list(job.overrides)):
        key, value = override.get_key_element().lstrip("+~"), override.value()
        group = key.partition("@")[0]
        if group == SWEEP_GROUP:
            continue
        if group == "experiment":
            bases += [str(name) for name in (value if isinstance(value, list) else [value]) if name is not None]
        elif _is_group(key, job):
            word = "" if override.type in (OverrideType.ADD, OverrideType.FORCE_ADD) else "override "
            choices[key] = f"{word}/{key}: {_flow(None if override.is_delete() else value)}"
        elif override.is_delete() or any(part.isdigit() for part in key.split(".")):
            rest.append(_written(override))
        else:
            OmegaConf.update(values, key, value, force_add=True, merge=True)
    plain = OmegaConf.to_container(values)
    assert isinstance(plain, dict)
    return [*bases, *choices.values()], {str(key): value for key, value in plain.items()}, rest


def _is_group(key: str, job: SweepJob) -> bool:
    """Whether an override chooses a file rather than sets a value. Hydra notes no choice where a list was chosen."""
    group = key.partition("@")[0]
    return key in job.choices or group in job.choices or "@" in key or "/" in key or (conf_folder() / group).is_dir()


def _written(override: Override) -> str:
    return str(override.input_line)


def _flow(value: Any) -> str:
    return str(yaml.safe_dump(value, default_flow_style=True, width=1000)).removesuffix("...\n").strip()
