"""The recipe of a fit, made from configuration and tried on nothing before anything heavy is loaded."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from extractors.errors import InputError
from extractors.types import MODALITIES
from fusion.heads.base import reads_sequences
from fusion.quiet import quiet_lightning
from fusion.training import fits_itself

PARTS = ("head", "loss", "optimizer", "scheduler", "trainer", "callbacks", "logger")
MOST = 2**32 - 1  # that NumPy takes for a seed
VALUES = ("batch_size", "modality_dropout", "sampling", "mixup", "auxiliary_loss")


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
        problems = _tried(recipe) + _together(recipe["head"], cfg)
    if problems:
        raise InputError("the configuration does not work", problems)
    return {
        **recipe,
        **{name: cfg[name] for name in VALUES},
    }


def seeds_of(cfg: DictConfig) -> list[int]:
    """The seeds that each fold is fitted by; `seed` alone where no more were asked for."""
    return [int(cfg.seed)] if cfg.seeds is None else [int(seed) for seed in cfg.seeds]


def settings_of(cfg: DictConfig) -> str:
    """All that decides what a fit comes to, but the data and the seed, as text."""
    parts = {part: cfg[part] for part in (*PARTS, *VALUES) if part != "logger"}
    return OmegaConf.to_yaml(OmegaConf.create(parts), resolve=True, sort_keys=True)


def _settings(cfg: DictConfig) -> list[str]:
    """What is wrong with the settings that are plain values."""
    free = bool(OmegaConf.select(cfg, "data.names_modalities"))  # a source that brings modalities of its own
    problems = [
        f"modalities: expected speech or text, got {name!r}"
        for name in cfg.modalities
        if name not in MODALITIES and not free
    ]
    if not cfg.modalities:
        problems.append("modalities: expected speech, text or both, got none")
    wholes = {"seed": 0, "batch_size": 1, "evaluation.draws": 1, "extraction.workers": 1}  # key -> least
    for key, least in wholes.items():
        value = OmegaConf.select(cfg, key)
        if value is None and key == "extraction.workers":
            continue
        if not _whole(value, least):
            problems.append(f"{key}: expected a whole number from {least} to {MOST}, got {value!r}")
    if cfg.seeds is not None:
        seeds = list(cfg.seeds) if OmegaConf.is_list(cfg.seeds) else []
        if not seeds or len(set(seeds)) < len(seeds) or not all(_whole(seed, 0) for seed in seeds):
            problems.append(f"seeds: expected different whole numbers from 0 on, as [1,2,3], got {cfg.seeds}")
    choices = {"sampling": ("shuffled", "balanced"), "bundle.kind": ("single", "ensemble")}
    for key, known in choices.items():
        if (value := OmegaConf.select(cfg, key)) not in known:
            problems.append(f"{key}: expected {' or '.join(known)}, got {value!r}")
    if not isinstance(cfg.bundle.keep_folds, bool):
        problems.append(f"bundle.keep_folds: expected true or false, got {cfg.bundle.keep_folds!r}")
    for key in ("mixup", "auxiliary_loss"):
        if not isinstance(cfg[key], int | float) or isinstance(cfg[key], bool) or not 0 <= cfg[key] < float("inf"):
            problems.append(f"{key}: expected a number from 0 on, got {cfg[key]!r}")
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


def _whole(value: Any, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= MOST


def _together(head: Any, cfg: DictConfig) -> list[str]:
    """Settings that do not go with the head."""
    problems = []
    if reads_sequences(head) and cfg.mixup > 0:
        problems.append(
            f"mixup={cfg.mixup:g}: it blends pooled vectors, and head={_name(head)} reads sequences; set mixup=0"
        )
    if fits_itself(head):
        unused = {
            "mixup": cfg.mixup > 0,
            "auxiliary_loss": cfg.auxiliary_loss > 0,
            "sampling": cfg.sampling != "shuffled",
        }
        problems += [
            f"{key}: head={_name(head)} takes no gradient steps, so nothing would come of it"
            for key, asked in unused.items()
            if asked
        ]
    return problems


def _name(head: Any) -> str:
    return str(getattr(head, "func", head).__name__)


def _tried(recipe: dict[str, Any]) -> list[str]:
    """What goes wrong when each part is built for two modalities of two dimensions and two classes."""
    import numpy as np

    problems: list[str] = []

    def attempt(part: str, make: Callable[[], Any]) -> Any:
        try:
            return make()
        except Exception as error:
            problems.append(f"{part}: {_word_for_number(error, recipe.get(part)) or _reason(error)}")
            return None

    head = attempt("head", lambda: recipe["head"](dims={"speech": 2, "text": 2}, num_classes=2))
    attempt("loss", lambda: recipe["loss"](class_counts=np.array([1, 1])))
    optimizer = attempt("optimizer", lambda: recipe["optimizer"](head.parameters())) if head is not None else None
    if recipe["scheduler"] is not None and optimizer is not None:
        attempt("scheduler", lambda: recipe["scheduler"](optimizer))
    with quiet_lightning():
        attempt("trainer", lambda: recipe["trainer"](callbacks=[], logger=False))
    for name, make in (recipe["callbacks"] or {}).items():
        attempt(f"callbacks.{name}", make)
    return problems


def _word_for_number(error: Exception, factory: Any) -> str | None:
    """What Python calls "'<=' not supported between instances of 'float' and 'str'": a setting that is a word."""
    given = getattr(factory, "keywords", None) or {}
    words = [f"{name}: expected a number, got {value!r}" for name, value in given.items() if isinstance(value, str)]
    numbers = isinstance(error, TypeError) and any(mark in str(error) for mark in ("instances of", "operand type"))
    return "; ".join(words) if numbers and words else None


def _reason(error: Exception) -> str:
    """The first line of what a component said, without Hydra's wrapping."""
    while error.__cause__ is not None and isinstance(error.__cause__, Exception):
        error = error.__cause__
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
