"""The recipe of a fit, made from configuration and tried on nothing before anything heavy is loaded."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from extractors.errors import InputError
from extractors.types import MODALITIES
from fusion.quiet import quiet_lightning

PARTS = ("head", "loss", "optimizer", "scheduler", "trainer", "callbacks", "logger")


def recipe_of(cfg: DictConfig) -> dict[str, Any]:
    """The keyword arguments of `fusion.training.fit_fold` that come from configuration.

    Every part is built once with toy sizes, so that a wrong value is known now and not after an hour of extraction.
    Raises InputError with the problems of all parts together.
    """
    problems = _settings(cfg)
    recipe: dict[str, Any] = {}
    for part in PARTS:
        try:
            recipe[part] = instantiate(cfg[part])
        except Exception as error:  # whatever a component raises, the configuration is what it did not like
            problems.append(f"{part}: {_reason(error)}")
    if not problems:
        problems = _tried(recipe)
    if problems:
        raise InputError("the configuration does not work", problems)
    return {
        **recipe,
        "batch_size": cfg.batch_size,
        "modality_dropout": cfg.modality_dropout,
        "seed": cfg.seed,
    }


def _settings(cfg: DictConfig) -> list[str]:
    """What is wrong with the settings that are plain values."""
    problems = [
        f"modalities: expected speech or text, got {name!r}" for name in cfg.modalities if name not in MODALITIES
    ]
    if not cfg.modalities:
        problems.append("modalities: expected speech, text or both, got none")
    wholes = {"seed": 0, "batch_size": 1, "evaluation.draws": 1, "extraction.workers": 1}  # key -> least
    for key, least in wholes.items():
        value = OmegaConf.select(cfg, key)
        if value is None and key == "extraction.workers":
            continue
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            problems.append(f"{key}: expected a whole number from {least} on, got {value!r}")
    shares = {  # key -> its ends
        "modality_dropout": ("[", ")"),
        "evaluation.coverage": ("(", "]"),
        "extraction.max_failed": ("[", "]"),
    }
    for key, (left, right) in shares.items():
        value = OmegaConf.select(cfg, key)
        if not isinstance(value, int | float) or isinstance(value, bool):
            problems.append(f"{key}: expected a number, got {value!r}")
        elif not 0 <= value <= 1 or (value == 0 and left == "(") or (value == 1 and right == ")"):
            problems.append(f"{key}: expected a share in {left}0, 1{right}, got {value}")
    if cfg.resume is not None and not (Path(str(cfg.resume)) / "fits").is_dir():
        problems.append(f"resume: expected the folder of an interrupted run, which holds fits/, got {cfg.resume}")
    return problems


def _tried(recipe: dict[str, Any]) -> list[str]:
    """What goes wrong when each part is built for two modalities of four dimensions and two classes."""
    import numpy as np

    problems: list[str] = []

    def attempt(part: str, make: Callable[[], Any]) -> Any:
        try:
            return make()
        except Exception as error:
            problems.append(f"{part}: {_reason(error)}")
            return None

    head = attempt("head", lambda: recipe["head"](dims={"speech": 4, "text": 4}, num_classes=2))
    attempt("loss", lambda: recipe["loss"](class_counts=np.array([1, 1])))
    optimizer = attempt("optimizer", lambda: recipe["optimizer"](head.parameters())) if head is not None else None
    if recipe["scheduler"] is not None and optimizer is not None:
        attempt("scheduler", lambda: recipe["scheduler"](optimizer))
    with quiet_lightning():
        attempt("trainer", lambda: recipe["trainer"](callbacks=[], logger=False))
    for name, make in (recipe["callbacks"] or {}).items():
        attempt(f"callbacks.{name}", make)
    return problems


def _reason(error: Exception) -> str:
    """The first line of what a component said, without Hydra's wrapping."""
    while error.__cause__ is not None and isinstance(error.__cause__, Exception):
        error = error.__cause__
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
