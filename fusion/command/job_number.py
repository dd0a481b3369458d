"""Which of how many jobs of a sweep this is."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.types import RunMode
from omegaconf import OmegaConf


def job_number() -> str | None:
    """`job 20 of 24`, or `job 20` where the sweep does not say of how many; None where this is no sweep."""
    if not HydraConfig.initialized() or HydraConfig.get().mode != RunMode.MULTIRUN:
        return None
    hydra = HydraConfig.get()
    amount = _jobs(hydra)
    return f"job {int(hydra.job.num) + 1}" + (f" of {amount}" if amount else "")


def _jobs(hydra: Any) -> int | None:
    """How many jobs the sweep will have: the trials of a search, or the product of the choices of a grid."""
    trials = hydra.sweeper.get("n_trials")
    if trials is not None:
        return int(trials)
    try:
        whole = OmegaConf.load(Path(hydra.sweep.dir) / "multirun.yaml")
        overrides = [str(entry) for entry in OmegaConf.select(whole, "hydra.overrides.task") or []]
        params = OmegaConf.select(whole, "hydra.sweeper.params") or {}
    except OSError:  # not written, or no longer there
        return None
    given = {override.partition("=")[0] for override in overrides}
    overrides += [f"{key}={value}" for key, value in params.items() if key not in given]
    parsed = OverridesParser.create().parse_overrides(overrides)
    return math.prod(len(list(found.sweep_iterator())) for found in parsed if found.is_sweep_override())
