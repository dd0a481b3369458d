"""Where the configuration lies, and which keys it has."""

from __future__ import annotations

import secrets
from importlib import import_module
from pathlib import Path

from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf


def conf_folder() -> Path:
    """The configuration: conf/ of the checkout, or the copy that an installed wheel carries."""
    checkout = Path(__file__).resolve().parents[1] / "conf"
    if checkout.is_dir():
        return checkout
    return Path(next(iter(import_module("emofuse_conf").__path__)))


def register_resolvers() -> None:
    """`${emofuse.root:}` the checkout, `${emofuse.token:}` eight hex digits that keep run folders apart."""
    OmegaConf.register_new_resolver("emofuse.root", lambda: str(conf_folder().parent), replace=True)
    # cached: Hydra resolves a run folder more than once and must get the same answer
    OmegaConf.register_new_resolver("emofuse.token", lambda: secrets.token_hex(4), use_cache=True, replace=True)


def default_keys(name: str) -> set[str]:
    """Top-level keys that conf/<name>.yaml and its groups define."""
    config = OmegaConf.load(conf_folder() / f"{name}.yaml")
    assert isinstance(config, DictConfig)
    groups = {
        str(key).removeprefix("override ").removeprefix("optional ").rsplit("/", 1)[-1].split("@")[0]
        for entry in config.get("defaults", [])
        if isinstance(entry, DictConfig)
        for key in entry
    }
    return {str(key) for key in config if key not in ("defaults", "hydra")} | groups


def all_keys(name: str) -> list[str]:
    """Dotted keys of the verb's default configuration, for the nearest-name hint."""
    from hydra import compose, initialize_config_dir
    from hydra.core.global_hydra import GlobalHydra

    GlobalHydra.instance().clear()
    try:
        with initialize_config_dir(str(conf_folder()), version_base="1.3"):
            config = compose(name)
    except HydraException:  # a group has no default: `purpose` of meetings
        return sorted(default_keys(name))
    keys: list[str] = []

    def walk(node: DictConfig, prefix: str) -> None:
        for key in node:
            keys.append(f"{prefix}{key!s}")
            child = node._get_node(key)
            if isinstance(child, DictConfig) and not child._is_none() and not child._is_missing():
                walk(child, f"{prefix}{key!s}.")

    walk(config, "")
    return keys
