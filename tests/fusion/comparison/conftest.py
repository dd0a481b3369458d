"""Run folders as training leaves them, written by what training writes them with."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from omegaconf import OmegaConf
from scipy.special import softmax

from fusion.evaluation.result_files import write_predictions, write_results
from fusion.evaluation.results import build_results
from fusion.evaluation.scored import Scored

Runs = Callable[..., Path]


def make_scored(
    *,
    skill: float = 1.5,
    rows: int = 160,
    speakers: int = 8,
    classes: int = 4,
    seeds: Sequence[int] = (1,),
    data: int = 0,
    first: int = 0,
    times: int = 1,
    luck: int = 0,
) -> Scored:
    """A system that sees the truth through noise. Truths and speakers follow `data`, the noise seed and `luck`."""
    truth = np.random.default_rng(data).integers(classes, size=10_000)[first : first + rows]
    parts = []
    for seed in seeds:
        for time in range(times):
            rng = np.random.default_rng([seed, time, luck, int(skill * 1000)])
            logits = rng.normal(size=(rows, classes))
            logits[np.arange(rows), truth] += skill
            p = softmax(logits, axis=1)
            parts.append(
                Scored(
                    ids=[f"clip {row}" for row in range(first, first + rows)],
                    targets=truth,
                    probabilities=p,
                    uncalibrated=p,
                    groups=[f"s{row % speakers}" for row in range(first, first + rows)] if speakers else None,
                    folds=[f"{time}-{row % 2}" for row in range(rows)],
                    seeds=[seed] * rows,
                )
            )
    return Scored.concatenate(parts)


def write_run(
    folder: Path,
    *,
    labels: Sequence[str] = "abcd",
    config: Mapping[str, Any] | None = None,
    choices: Mapping[str, str | None] | None = None,
    meta: Mapping[str, Callable[[str], object]] | None = None,
    changed: Mapping[str, Any] | None = None,
    hydra: bool = True,
    **how: Any,
) -> Path:
    """A finished run: fusion by `how` (see `make_scored`), and text of no skill beside it."""
    labels = list(labels)
    scored = make_scored(classes=len(labels), **how)
    text = make_scored(classes=len(labels), **(how | {"skill": 0.2}))
    seeds = list(scored.seed_values)
    results = build_results(
        {"fusion": scored, "text": text},
        labels=labels,
        split="speaker_disjoint",
        seed=seeds[0],
        draws=200,
        training={"fusion": [{"parameters": 1234, "seconds": 2.0} for _ in seeds]},
        shown={"speech": scored, "text": text, "both": scored},
        run={"data": "manifest", "head": "gated", "overrides": []},
    )
    results |= changed or {}
    folder.mkdir(parents=True)
    ids = list(dict.fromkeys(scored.ids))
    rows = pd.DataFrame({"id": ids} | {name: [make(id) for id in ids] for name, make in (meta or {}).items()})
    write_predictions(folder / "predictions.csv", {"fusion": scored, "text": text}, labels, rows=rows)
    write_results(folder / "results.json", results)
    if hydra:
        settings = {
            "head": {"_target_": "fusion.heads.gated.GatedHead", "width": 128},
            "data": {"path": "${paths.data}/calls.csv"},
            "split": {"seed": "${seed}"},
            "optimizer": {"lr": 1e-3},
            "seed": seeds[0],
            "seeds": seeds if len(seeds) > 1 else None,
        }
        chosen = {"data": "manifest", "head": "gated", "hydra/launcher": "basic", "experiment": None}
        (folder / ".hydra").mkdir()
        OmegaConf.save(OmegaConf.merge(settings, config or {}), folder / ".hydra" / "config.yaml")
        told = {"hydra": {"job": {"name": "train"}, "runtime": {"choices": chosen | dict(choices or {})}}}
        OmegaConf.save(OmegaConf.create(told), folder / ".hydra" / "hydra.yaml")
    return folder


def headed(head: str, **settings: Any) -> dict[str, Any]:
    """Arguments of `write_run` that choose a head."""
    config = {"head": {"_target_": f"fusion.heads.{head}.Head", **settings}}
    return {"choices": {"head": head}, "config": config}


@pytest.fixture
def write() -> Runs:
    return write_run


@pytest.fixture
def head() -> Callable[..., dict[str, Any]]:
    return headed


@pytest.fixture(scope="session")
def scored_maker() -> Callable[..., Scored]:
    return make_scored


@pytest.fixture
def two(tmp_path: Path) -> tuple[Path, Path]:
    """A good and a bad run on the same rows."""
    good = write_run(tmp_path / "good", skill=2.5, **headed("gated"))
    return good, write_run(tmp_path / "bad", skill=0.6, **headed("late"))
