"""What a tracker is told of a run: its configuration and its final figures, flat."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from omegaconf import DictConfig, OmegaConf

from fusion.evaluation.metrics import METRICS
from fusion.tracking.secrets import HIDDEN, is_secret, scrub

Plain = str | int | float | bool
# where something lies or goes, rather than what is computed
ASIDE = ("logger", "paths", "store", "resume", "callbacks.progress", "callbacks.resume")


def hyperparameters(cfg: DictConfig, chosen: Mapping[str, Any] | None = None) -> dict[str, Plain]:
    """Dotted name -> value of everything configured, resolved; secrets are hidden, and so are values that hold one.

    Args:
        cfg: of the run.
        chosen: what was chosen by name, such as {"head": "gated"}; it stands under `choice.`.

    >>> hyperparameters(OmegaConf.create({"seed": 1, "head": {"width": 128, "_target_": "x.Y"}, "hub_token": "abc"}))
    {'seed': 1, 'head.width': 128, 'head._target_': 'x.Y', 'hub_token': '‹hidden›'}
    """
    plain = OmegaConf.to_container(cfg, resolve=True)
    assert isinstance(plain, dict)
    found = {f"choice.{name}": _value(f"{name}", value) for name, value in (chosen or {}).items() if value is not None}
    return found | {
        name: value
        for name, value in _flat(plain).items()
        if not any(name == part or name.startswith(f"{part}.") for part in ASIDE)
    }


def figures(results: Mapping[str, Any]) -> dict[str, float]:
    """`test/<system>/<metric>` and `difference/<metric>` -> value, of those that could be computed."""
    found = {
        f"test/{system}/{metric}": test[metric]["value"]
        for system, test in results["test"].items()
        for metric in METRICS
        if isinstance(test.get(metric), Mapping)
    }
    if results.get("difference"):
        found |= {f"difference/{metric}": entry["value"] for metric, entry in results["difference"].items()}
    return {name: float(value) for name, value in found.items() if value is not None}


def _flat(tree: Mapping[Any, Any], prefix: str = "") -> dict[str, Plain]:
    flat: dict[str, Plain] = {}
    for key, value in tree.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{name}.")
        else:
            flat[name] = _value(name, value)
    return flat


def _value(name: str, value: Any) -> Plain:
    if is_secret(name) and value is not None:
        return HIDDEN
    return value if isinstance(value, bool | int | float) else scrub(str(value))
