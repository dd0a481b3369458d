"""The record of a sweep: what is best, and the experiment file that says so."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
import yaml
from hydra import compose, initialize_config_dir
from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.plugins import Plugins
from hydra.plugins.search_path_plugin import SearchPathPlugin
from omegaconf import OmegaConf

from fusion.configuration import conf_folder, register_resolvers
from fusion.tracking.best import experiment, write_best
from fusion.tracking.jobs import Configuration, SweepJob, configurations, read_jobs, varied
from fusion.tracking.sweep import write_sweep

CHOICES = {"head": "gated", "data": "features", "scheduler": "none", "experiment": "quickstart", "sweep": "optuna"}


def job(number: int, *overrides: str, ua: float | None = 0.5, status: str = "completed") -> SweepJob:
    return SweepJob(number, overrides, CHOICES, status, ua, None if ua is not None else "InputError: no", 1.0)


def test_a_configuration_is_judged_by_the_mean_of_its_seeds() -> None:
    jobs = [
        job(0, "head=gated", "seed=1", ua=0.70),
        job(1, "head=gated", "seed=2", ua=0.72),
        job(2, "head=film", "seed=1", ua=0.90),  # the luckiest single job
        job(3, "head=film", "seed=2", ua=0.40),
        job(4, "head=late", "seed=1", ua=0.95),
        job(5, "head=late", "seed=2", ua=None, status="failed"),
    ]
    best, second, last = configurations(jobs)
    assert [tried.jobs[0].settings["head"] for tried in (best, second, last)] == ["gated", "film", "late"]
    assert best.mean == pytest.approx(0.71)
    assert best.spread == pytest.approx(0.02 / 2**0.5)
    assert last.mean is None
    assert varied(jobs) == ["head", "seed"]


def test_a_sweep_that_was_stopped_has_its_table(tmp_path: Path) -> None:
    assert write_sweep(tmp_path) == []
    job(1, "head=late", "x=1", ua=None, status="failed").write(tmp_path / "1")
    write_sweep(tmp_path)
    assert not (tmp_path / "experiment").exists()
    job(0, "head=gated", "x=1", ua=0.7).write(tmp_path / "0")
    write_sweep(tmp_path)
    rows = list(csv.DictReader((tmp_path / "sweep.csv").open()))
    assert [(row["job"], row["head"], row["validation_ua"], row["status"]) for row in rows] == [
        ("0", "gated", "0.7", "completed"),
        ("1", "late", "", "failed"),
    ]
    assert "x" not in rows[0]  # the same in all
    assert "| gated | 0.7000 |" in (tmp_path / "sweep.md").read_text()
    assert read_jobs(tmp_path)[0] == job(0, "head=gated", "x=1", ua=0.7)


def test_each_kind_of_override_finds_its_place() -> None:
    overrides = [
        "experiment=quickstart", "sweep=optuna", "head=gated", "+loss@extra=focal", "scheduler=null", "~callbacks.stop",
        "optimizer.lr=3e-4", "+head.extra='it''s, a ${seed}'", "modalities=[speech]", "data.columns={label: emotion}",
        "data.columns.text=words", "resume=null", "allow_leakage=true", "callbacks.0.x=1",
    ]  # fmt: skip
    overrides[7] = r"+head.extra='it\'s, a ${seed}'"
    text = experiment(Configuration([job(3, *overrides)]), Path("runs/my sweep"))
    lines = text.splitlines()
    assert lines[0] == "# @package _global_"
    command = "# emofuse train --config-dir 'runs/my sweep' experiment=best '~callbacks.stop' callbacks.0.x=1"
    assert lines[1] == command
    assert yaml.safe_load(text) == {
        "defaults": [
            "quickstart", {"override /head": "gated"}, {"/loss@extra": "focal"}, {"override /scheduler": None}, "_self_",
        ],
        "optimizer": {"lr": 3e-4},
        "head": {"extra": "it's, a ${seed}"},
        "modalities": ["speech"],
        "data": {"columns": {"label": "emotion", "text": "words"}},
        "resume": None,
        "allow_leakage": True,
    }  # fmt: skip


class _Sweep(SearchPathPlugin):
    """Shows Hydra a sweep's folder, as --config-dir does."""

    folder = ""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        if self.folder:
            search_path.append("sweep", f"file://{self.folder}")


@pytest.mark.parametrize(
    "overrides",
    [
        ["data=features", "data.path=x.npz", "head=film", "optimizer.lr=0.003", "seed=2"],
        ["experiment=quickstart", "head=late", "head.width=32", "split=random", "scheduler=cosine"],
        ["experiment=compare", "data=features", "data.path='a, b.npz'", "seed=3", "split=random", "logger=none"],
        ["data=features", "data.path=x.npz", "modalities=[text]", "data.arrays.speech=null", "loss=focal"],
        ["data=features", "data.path=x.npz", "logger=[csv,tensorboard]", "scheduler=none", "seeds=[1,2]"],
    ],
)
def test_the_experiment_composes_to_what_the_job_had(
    overrides: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    register_resolvers()
    monkeypatch.setattr(_Sweep, "folder", str(tmp_path))
    Plugins.instance().register(_Sweep)
    with initialize_config_dir(str(conf_folder()), version_base="1.3"):
        wanted = compose("train", overrides=overrides, return_hydra_config=True)
        choices = OmegaConf.to_container(wanted.hydra.runtime.choices)
        write_best(tmp_path, Configuration([SweepJob(0, tuple(overrides), choices, "completed", 0.5, None, 1.0)]))
        found = compose("train", overrides=["experiment=best"], return_hydra_config=True)
    for config in (wanted, found):
        OmegaConf.set_struct(config, False)
        del config["hydra"]
    assert json.dumps(OmegaConf.to_container(found, resolve=False)) == json.dumps(
        OmegaConf.to_container(wanted, resolve=False)
    )
