"""MLflow and Weights & Biases, where they are installed; nothing leaves the machine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fusion.tracking.loggers import Loggers
from fusion.training import fit_fold

PARAMETERS, METRICS = {"seed": 1, "choice.head": "gated"}, {"test/fusion/ua": 0.75}


def finished_run(loggers: Loggers, run: Path, table: Any, fold: Any, recipe: Any) -> None:
    """Two fits and the end of a run."""
    for system in ("fusion", "text"):
        place = run / "fits" / "s1" / system
        fit_fold(table, fold, **{**recipe(epochs=2), "run_dir": place, "logger": loggers})
    loggers.log_results(run, PARAMETERS, METRICS)


@pytest.mark.parametrize("fits", [True, False])
def test_mlflow_nests_the_fits_of_a_run(
    fits: bool, table: Any, fold: Any, recipe: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mlflow = pytest.importorskip("mlflow")
    from fusion.tracking.mlflow_runs import MLflowRuns

    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    finished_run(Loggers(mlflow=MLflowRuns(fits=fits)), tmp_path / "day" / "a", table, fold, recipe)
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path}/runs/mlflow.db")
    found = {run.info.run_name: run for run in mlflow.search_runs(experiment_names=["emofuse"], output_format="list")}
    assert set(found) == {"day/a"} | ({"s1 · fusion", "s1 · text"} if fits else set())
    whole = found.pop("day/a")
    assert whole.data.params == {"seed": "1", "choice.head": "gated"}
    assert whole.data.metrics == METRICS
    for run in found.values():
        assert run.info.status == "FINISHED"
        assert run.data.tags["mlflow.parentRunId"] == whole.info.run_id
        history = mlflow.MlflowClient().get_metric_history(run.info.run_id, "val/loss")
        assert [metric.step for metric in history] == [0, 1]


@pytest.mark.parametrize("fits", [True, False])
def test_wandb_groups_the_fits_of_a_run(
    fits: bool, table: Any, fold: Any, recipe: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("wandb")
    from fusion.tracking.wandb_runs import WandbRuns

    monkeypatch.setenv("MY_API_KEY", "hunter2222")
    monkeypatch.setattr("sys.argv", ["train.py", "+hub_token=hunter3333"])
    finished_run(Loggers(wandb=WandbRuns(mode="offline", fits=fits)), tmp_path / "day" / "a", table, fold, recipe)
    kept = [path.read_bytes() for path in (tmp_path / "day" / "a" / "wandb").glob("offline-run-*/*.wandb")]
    assert len(kept) == (3 if fits else 1)
    assert all(b"day/a" in run for run in kept)
    assert sum(b"test/fusion/ua" in run for run in kept) == 1
    assert not any(secret in run for run in kept for secret in (b"hunter2222", b"hunter3333"))
    if fits:
        assert sum(b"val/loss" in run for run in kept) == 2
