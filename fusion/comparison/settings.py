"""What a run was told, and what to call each of several runs: by what tells them apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

# what changes no figure, or is what rows average over
WITHOUT_EFFECT = (
    "seed", "seeds", "resume", "paths", "store", "logger", "runs", "offline", "evaluation", "bundle", "extraction.workers",
)  # fmt: skip
ABSENT = "–"


@dataclass(frozen=True)
class Settings:
    """`values` dotted key -> value as text, `choices` group -> chosen file; `known` false where a run does not tell."""

    values: Mapping[str, str]
    choices: Mapping[str, str]
    known: bool = True

    @property
    def key(self) -> frozenset[tuple[str, str]]:
        """Equal for runs that differ by nothing but their seeds."""
        return frozenset(self.values.items())


def read_settings(folder: Path, results: Mapping[str, Any]) -> Settings:
    """From `.hydra/` of the run, or where that is gone from results.json; else the folder's own name tells it apart."""
    config, hydra = _load(folder / ".hydra" / "config.yaml"), _load(folder / ".hydra" / "hydra.yaml")
    told = results.get("run") or {}
    told = told if isinstance(told, Mapping) else {}
    chosen = (((hydra or {}).get("hydra") or {}).get("runtime") or {}).get("choices") or {}
    choices = {str(group): str(choice) for group, choice in chosen.items() if "/" not in str(group)}
    choices = choices or {str(group): choice for group, choice in told.items() if isinstance(choice, str)}
    if config is not None:
        return Settings(_effective(config), choices)
    if told:
        overrides = told.get("overrides") or []
        given = dict(str(line).lstrip("+~").partition("=")[::2] for line in overrides) if _is_list(overrides) else {}
        return Settings(_effective(given | choices), choices)
    return Settings({"folder": str(folder)}, choices, known=False)


def row_names(settings: Sequence[Settings], folders: Sequence[str]) -> list[str]:
    """A name for each of several settings, of what tells it from the others; all different.

    Where another file of a group was chosen, that is its name (`head=gated`), and its values are named only where runs
    of the same choice differ in them. What has nothing to tell it apart goes by its folder.

    >>> gated = Settings({"head.width": "64", "lr": "0.1"}, {"head": "gated"})
    >>> wide = Settings({"head.width": "128", "lr": "0.1"}, {"head": "gated"})
    >>> late = Settings({"head.width": "64", "head.heads": "2", "lr": "0.1"}, {"head": "late"})
    >>> row_names([gated, wide, late], ["1", "2", "3"])
    ['head=gated head.width=64', 'head=gated head.width=128', 'head=late']
    """
    if len({own.key for own in settings}) == 1:
        common = settings[0].choices.get("head")
        names = [f"head={common}" if common else folder for folder in folders]
    else:
        names = [" ".join(_tokens(own, settings)) or folder for own, folder in zip(settings, folders, strict=True)]
    return [
        name if names.count(name) == 1 or name == folder else f"{name} ({folder})"
        for name, folder in zip(names, folders, strict=True)
    ]


def _tokens(own: Settings, settings: Sequence[Settings]) -> list[str]:
    if not own.known:
        return []
    known = [other for other in settings if other.known]
    keys = dict.fromkeys(key for other in known for key in other.values)
    tokens = []
    for group in dict.fromkeys(key.split(".")[0] for key in keys):
        leaves = [key for key in keys if key.split(".")[0] == group]
        if all(len({other.values.get(key) for other in known}) == 1 for key in leaves):
            continue
        alike = known
        if len({other.choices.get(group) for other in known}) > 1:
            tokens.append(f"{group}={own.choices.get(group, ABSENT)}")
            alike = [other for other in known if other.choices.get(group) == own.choices.get(group)]
        for key in leaves:
            values = {other.values.get(key) for other in alike}
            if len(values) > 1 and key in own.values:
                tokens.append(f"{key}={_short(own.values[key], [v for v in values if v is not None])}")
    return tokens


def _short(value: str, others: Sequence[str]) -> str:
    """The last part of a path, where that suffices."""
    last = value.rsplit("/", 1)[-1]
    return last if last and len({other.rsplit("/", 1)[-1] for other in others}) == len(others) else value


def _effective(config: Mapping[str, Any]) -> dict[str, str]:
    flat: dict[str, str] = {}
    _flatten(config, "", flat)
    return {key: value for key, value in flat.items() if not _without_effect(key)}


def _without_effect(key: str) -> bool:
    return any(key == name or key.startswith(f"{name}.") for name in WITHOUT_EFFECT)


def _flatten(node: Any, prefix: str, into: dict[str, str]) -> None:
    if isinstance(node, Mapping) and node:
        for key, value in node.items():
            _flatten(value, f"{prefix}.{key}" if prefix else str(key), into)
    elif _is_list(node):
        into[prefix] = "[" + ",".join(map(str, node)) + "]"
    else:
        into[prefix] = "null" if node is None else str(node).lower() if isinstance(node, bool) else str(node)


def _is_list(node: Any) -> bool:
    return isinstance(node, list | tuple)


def _load(path: Path) -> dict[str, Any] | None:
    """A YAML file with its interpolations as they were written; None where it is not there or cannot be read."""
    try:
        config = OmegaConf.load(path)
    except Exception:  # a name is no reason to refuse a run: the figures are elsewhere
        return None
    plain = OmegaConf.to_container(config, resolve=False) if isinstance(config, DictConfig) else None
    return plain if isinstance(plain, dict) else None  # type: ignore[return-value]
