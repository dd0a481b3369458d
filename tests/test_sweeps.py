"""Sweeps from the command line: basic, over cores, by Optuna; folders of their own, and a best that can be run."""

from __future__ import annotations

import csv
import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hydra.core.global_hydra import GlobalHydra

import fusion.cli

REPOSITORY = Path(__file__).resolve().parents[1]
QUICK = ["data=features", "data.path=x.npz", "trainer=cpu", "trainer.max_epochs=2", "evaluation.draws=20", "logger=csv"]


@pytest.fixture(scope="module")
def workplace(tmp_path_factory) -> Path:
    """A folder with 96 rows of vectors."""
    folder, rng = tmp_path_factory.mktemp("sweeps"), np.random.default_rng(0)
    label = rng.integers(0, 2, 96)
    np.savez(
        folder / "x.npz",
        speech=rng.normal(size=(96, 4)) + label[:, None],
        text=rng.normal(size=(96, 3)) + label[:, None],
        label=label,
        speaker=np.array([f"s{row % 8}" for row in range(96)]),
        transcript=np.array([f"sentence {row}" for row in range(96)]),
    )
    return folder


@pytest.fixture(scope="module")
def train(workplace) -> Callable[..., int]:
    """`emofuse train` in this process; the exit status."""

    def run(*arguments: str) -> int:
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(workplace)
            patch.setattr(sys, "argv", ["emofuse", "train", *arguments])
            GlobalHydra.instance().clear()
            try:
                fusion.cli.main()
            except SystemExit as left:
                return int(left.code or 0)
            finally:
                GlobalHydra.instance().clear()
            return 0

    return run


def shell(workplace: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """train.py as a shell starts it."""
    environment = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    command = [sys.executable, str(REPOSITORY / "train.py"), *arguments]
    return subprocess.run(command, cwd=workplace, env=environment, capture_output=True, text=True, timeout=500)


@pytest.fixture(scope="module")
def swept(workplace, train) -> Path:
    """The folder of a sweep over two heads and two seeds, by the basic sweeper."""
    assert train("-m", "experiment=compare", *QUICK, "head=concat,gated", "seed=1,2", "hydra.sweep.dir=swept") == 0
    return workplace / "swept"


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "sweep.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def results(folder: Path) -> dict:
    return json.loads((folder / "results.json").read_text())


@pytest.mark.slow
def test_every_job_has_a_folder_and_a_line(swept):
    table = rows(swept)
    assert [(row["head"], row["seed"], row["status"]) for row in table] == [
        (head, seed, "completed") for head in ("concat", "gated") for seed in ("1", "2")
    ]
    for row in table:
        found = results(swept / row["job"])
        validation = [note["val_ua"] for note in found["training"]["fusion"]]
        assert float(row["validation_ua"]) == pytest.approx(np.mean(validation))


@pytest.mark.slow
def test_a_jobs_log_says_which_of_how_many_it_is(swept):
    for number in range(4):
        assert (swept / f"{number}" / "train.log").read_text().startswith(f"job {number + 1} of 4\n")


@pytest.mark.slow
def test_jobs_of_a_comparison_test_the_same_rows(swept):
    tested = {
        tuple(line.split(",")[0] for line in (swept / n / "predictions.csv").read_text().splitlines()) for n in "0123"
    }
    assert len(tested) == 1
    assert results(swept / "0")["test"] != results(swept / "1")["test"], "another seed, other weights"


@pytest.mark.slow
def test_the_best_configuration_repeats_its_figures(swept, train, workplace):
    command = (swept / "experiment" / "best.yaml").read_text().splitlines()[1]
    assert command == "# emofuse train --config-dir swept experiment=best"
    assert train(*command.split()[3:], "hydra.run.dir=best") == 0
    means = {
        head: np.mean([float(row["validation_ua"]) for row in rows(swept) if row["head"] == head])
        for head in ("concat", "gated")
    }
    best = max(means, key=lambda head: means[head])  # the first of equals
    [job] = [row["job"] for row in rows(swept) if (row["head"], row["seed"]) == (best, "1")]
    assert results(workplace / "best")["test"] == {
        name: {**system, "seconds": results(workplace / "best")["test"][name].get("seconds")}
        if "seconds" in system
        else system
        for name, system in results(swept / job)["test"].items()
    }


@pytest.mark.slow
def test_a_folder_with_a_sweep_in_it_is_refused(swept, train, capsys):
    before = (swept / "sweep.csv").read_bytes()
    assert train("-m", *QUICK, "seed=7", "hydra.sweep.dir=swept") == 2
    assert "holds the jobs of an earlier sweep" in capsys.readouterr().err
    assert (swept / "sweep.csv").read_bytes() == before


@pytest.mark.slow
def test_one_job_that_fails_does_not_take_the_others_along(train, workplace, capsys):
    assert train("-m", *QUICK, "data.path=nothing.npz,x.npz", "hydra.sweep.dir=partly") == 2
    assert "nothing.npz" in capsys.readouterr().err
    assert [(row["status"], row["validation_ua"] != "") for row in rows(workplace / "partly")] == [
        ("failed", False),
        ("completed", True),
    ]
    assert (workplace / "partly" / "experiment" / "best.yaml").is_file()


@pytest.mark.slow
def test_cores_share_a_sweep_and_nothing_is_written_over(workplace):
    pytest.importorskip("hydra_plugins.hydra_joblib_launcher")
    done = shell(workplace, "sweep=cores", "hydra.launcher.n_jobs=2", *QUICK, "seed=1,2,3,4", "hydra.sweep.dir=cores")
    assert done.returncode == 0, done.stderr
    table = rows(workplace / "cores")
    assert [(row["job"], row["seed"], row["status"]) for row in table] == [
        (str(n), str(n + 1), "completed") for n in range(4)
    ]
    environments = [json.loads((workplace / "cores" / str(n) / "environment.json").read_text()) for n in range(4)]
    for recorded in environments:  # the workers share the cores, and do not each take all
        assert recorded["machine"]["threads"] * 2 <= max(2, recorded["machine"]["cores"])
    assert {recorded["status"] for recorded in environments} == {"completed"}
    for number in range(4):
        assert results(workplace / "cores" / str(number))["seed"] == number + 1


@pytest.mark.slow
def test_optuna_keeps_its_study_and_looks_at_validation(train, workplace):
    pytest.importorskip("hydra_plugins.hydra_optuna_sweeper")
    assert train("sweep=heads_optuna", "hydra.sweeper.n_trials=3", *QUICK, "hydra.sweep.dir=study") == 0
    folder = workplace / "study"
    table = rows(folder)
    with sqlite3.connect(folder / "study.db") as study:
        values = [value for (value,) in study.execute("select value from trial_values order by trial_id")]
    assert values == [pytest.approx(float(row["validation_ua"])) for row in table]
    assert len(table) == 3
    best = max(table, key=lambda row: float(row["validation_ua"]))
    assert train("--config-dir", "study", "experiment=best", "hydra.run.dir=found") == 0
    then, now = results(folder / best["job"]), results(workplace / "found")
    for system in then["test"]:
        assert then["test"][system]["ua"] == now["test"][system]["ua"]


@pytest.mark.slow
def test_sweeps_that_begin_together_have_folders_of_their_own(workplace):
    with ThreadPoolExecutor(2) as both:
        runs = list(both.map(lambda _: shell(workplace, "-m", *QUICK, "seed=1,2"), range(2)))
    assert [done.returncode for done in runs] == [0, 0], runs[0].stderr + runs[1].stderr
    sweeps = list((workplace / "runs" / "train-sweep").glob("*/*"))
    assert len(sweeps) == 2
    for sweep in sweeps:
        assert len(rows(sweep)) == 2
