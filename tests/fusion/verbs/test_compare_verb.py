"""`emofuse compare`, by the command, on run folders written by what training writes them with."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from omegaconf import OmegaConf
from scipy.special import softmax

from fusion.evaluation.result_files import write_predictions, write_results
from fusion.evaluation.results import build_results
from fusion.evaluation.scored import Scored


def finished(folder: Path, head: str, seed: int, skill: float) -> Path:
    """A run on 96 rows of 6 speakers, two genders."""
    rng = np.random.default_rng([seed, int(10 * skill)])
    truth = np.arange(96) % 3
    logits = rng.normal(size=(96, 3))
    logits[np.arange(96), truth] += skill
    p, ids = softmax(logits, axis=1), [f"c{row}" for row in range(96)]
    groups = [f"s{row // 16}" for row in range(96)]
    scored = Scored(ids=ids, targets=truth, probabilities=p, uncalibrated=p, groups=groups, seeds=[seed] * 96)
    results = build_results({"fusion": scored}, labels=list("xyz"), split="speaker_disjoint", seed=seed, draws=200)
    (folder / ".hydra").mkdir(parents=True)
    OmegaConf.save({"head": {"_target_": head}, "seed": seed}, folder / ".hydra" / "config.yaml")
    told = {"hydra": {"job": {"name": "train"}, "runtime": {"choices": {"head": head, "data": "sample"}}}}
    OmegaConf.save(told, folder / ".hydra" / "hydra.yaml")
    rows = pd.DataFrame({"id": ids, "gender": ["f" if row % 32 < 16 else "m" for row in range(96)]})
    write_predictions(folder / "predictions.csv", {"fusion": scored}, list("xyz"), rows=rows)
    write_results(folder / "results.json", results)
    return folder


@pytest.fixture
def sweep(tmp_path: Path) -> Path:
    jobs = [("gated", 1, 2.0), ("gated", 2, 2.0), ("late", 1, 0.5), ("late", 2, 0.5)]
    for number, (head, seed, skill) in enumerate(jobs):
        finished(tmp_path / "sweep, all" / str(number), head, seed, skill)
    return tmp_path / "sweep, all"


def test_two_runs(emofuse, tmp_path) -> None:
    finished(tmp_path / "runs" / "a", "gated", 1, 2.0)
    finished(tmp_path / "runs" / "b", "late", 1, 0.5)
    status, said, errors = emofuse("compare", "runs/a", "runs/b", "by=gender", "output=out", "draws=300")
    assert status == 0, errors
    assert "Test results, data sample, split speaker_disjoint: 96 utterances of 6 speakers" in said
    assert "head=gated − head=late" in said
    assert "Gap by gender" in said
    assert (tmp_path / "out" / "by-gender.png").is_file()
    assert r"\toprule" in (tmp_path / "out" / "comparison.tex").read_text()
    assert "| head=gated | **" in (tmp_path / "out" / "comparison.md").read_text()


def test_a_sweep_whose_folder_has_a_comma_and_a_space(emofuse, sweep) -> None:
    status, said, errors = emofuse("compare", "sweep, all", "draws=300")
    assert status == 0, errors
    assert "mean ± sd (sample, n=2 seeds)" in said
    [page] = Path("runs/compare").rglob("comparison.html")
    assert (page.parent / ".hydra" / "overrides.yaml").is_file()
    status, said, errors = emofuse("compare", "sweep, all/[01]", "draws=300")
    assert status == 0, errors
    assert "Every two rows" not in said


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "expected runs to compare, got none"),
        (["nowhere", "sweep, all/0/.hydra"], "nowhere: not there"),
        (["sweep, all", "by=[age]"], "no column 'age'; there is speaker, fold, label, gender"),
        (["sweep, all", "output=/proc/nowhere"], "output=/proc/nowhere cannot be written: No such file or directory"),
        (["sweep, all", "draws=5"], "draws: expected 200 or more"),
        (["sweep, all", "draws=many"], "draws: expected a number, got many"),
        (["sweep, all", "by_=[age]"], "did you mean by?"),
        (["sweep, all", "unfinished=keep"], "expected refuse or skip"),
        (
            ["sweep, all", "output=sweep, all/0/results.json"],
            "output=sweep, all/0/results.json cannot be written: sweep, all/0/results.json is a file",
        ),
    ],
)
def test_mistakes_are_named_and_leave_with_2(emofuse, sweep, arguments, words) -> None:
    status, _, errors = emofuse("compare", *arguments)
    assert words in errors
    assert "Traceback" not in errors
    assert status == 2


def test_an_unfinished_run_is_refused_or_skipped(emofuse, sweep) -> None:
    (sweep / "3" / "results.json").unlink()
    status, _, errors = emofuse("compare", "sweep, all")
    assert status == 2
    assert "3: not finished, it has no results.json" in errors
    status, said, errors = emofuse("compare", "sweep, all", "unfinished=skip", "draws=200")
    assert status == 0, errors
    assert "Left out: sweep, all/3: not finished" in said.replace("\n", " ")
