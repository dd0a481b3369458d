"""`emofuse rerun`: the same figures from the same record, and the reasons where they are others."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hydra.core.global_hydra import GlobalHydra
from omegaconf import OmegaConf

import fusion.cli

Emofuse = Callable[..., int]
TRAIN = [
    "train", "data=features", "data.path=x.npz", "trainer=cpu", "trainer.max_epochs=2", "evaluation.draws=20",
    "logger=csv", "head=concat", "seed=4",
]  # fmt: skip


def npz(path: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    label = rng.integers(0, 2, 96)
    np.savez(
        path,
        speech=rng.normal(size=(96, 4)) + label[:, None],
        text=rng.normal(size=(96, 3)) + label[:, None],
        label=label,
        speaker=np.array([f"s{row % 8}" for row in range(96)]),
        transcript=np.array([f"sentence {row}" for row in range(96)]),
    )


@pytest.fixture(scope="module")
def workplace(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("rerun")
    npz(folder / "x.npz", 0)
    return folder


@pytest.fixture(scope="module")
def emofuse(workplace) -> Emofuse:
    """The command in this process, in the workplace or another folder; the exit status. `rerun` trains in another."""

    def run(*arguments: str, cwd: Path = workplace) -> int:
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(cwd)
            # `rerun` trains in another process: with the threads of this one, which trained what it repeats
            patch.setenv("OMP_NUM_THREADS", str(torch.get_num_threads()))
            patch.setenv("COLUMNS", "120")
            paths = [str(Path(fusion.cli.__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
            patch.setenv("PYTHONPATH", os.pathsep.join(filter(None, paths)))
            patch.setattr(sys, "argv", ["emofuse", *arguments])
            GlobalHydra.instance().clear()
            try:
                fusion.cli.main()
            except SystemExit as left:
                return int(left.code or 0)
            finally:
                GlobalHydra.instance().clear()
            return 0

    return run


@pytest.fixture(scope="module")
def run(workplace, emofuse) -> Path:
    """A finished run."""
    assert emofuse(*TRAIN, "hydra.run.dir=run") == 0
    return workplace / "run"


@pytest.fixture
def copy(run, tmp_path) -> Path:
    """The run's folder, to be tampered with."""
    return Path(shutil.copytree(run, tmp_path / "copy"))


def report(folder: Path) -> dict:
    return json.loads((folder / "rerun.json").read_text())


def rewrite(path: Path, change: Callable[[dict], None]) -> None:
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


@pytest.mark.slow
def test_a_run_that_is_repeated_elsewhere_agrees_exactly(run, emofuse, tmp_path, capsys):
    assert emofuse("rerun", str(run), "hydra.run.dir=again", cwd=tmp_path) == 0
    assert "The figures agree" in capsys.readouterr().out
    told = report(tmp_path / "again")
    assert told["agree"] is True
    assert set(told["figures"]) == {"exact"}
    assert told["not_exact"] == []
    assert told["rows"]["rows"] == len((run / "predictions.csv").read_text().splitlines()) - 1
    assert (told["rows"]["changed"], told["rows"]["largest"]) == (0, 0.0)
    new = Path(told["now"])
    assert new.parent == tmp_path / "again"
    assert json.loads((new / "environment.json").read_text())["status"] == "completed"


@pytest.mark.slow
def test_what_differs_is_found_and_what_is_known_is_told(copy, emofuse, tmp_path, capsys):
    """The record counts and not the command line, as conf/ may have changed; what is younger has its default."""
    (copy / ".hydra" / "overrides.yaml").write_text("[head=gated, seed=99]\n")
    config = OmegaConf.load(copy / ".hydra" / "config.yaml")
    hydra = OmegaConf.load(copy / ".hydra" / "hydra.yaml")
    for key in ("modality_dropout", "evaluation", "scheduler"):
        del config[key]
    del hydra.hydra.runtime.choices["scheduler"]
    OmegaConf.save(config, copy / ".hydra" / "config.yaml")
    OmegaConf.save(hydra, copy / ".hydra" / "hydra.yaml")
    rewrite(copy / "environment.json", lambda known: known["distributions"].update(torch="1.0"))
    rewrite(copy / "environment.json", lambda known: known["machine"].update(threads=64))

    assert emofuse("rerun", str(copy), "hydra.run.dir=again", cwd=tmp_path) == 1
    said = capsys.readouterr().out
    assert "The figures differ" in said
    told = report(tmp_path / "again")
    changed = {entry["figure"] for entry in told["not_exact"]}
    assert "interval.draws" in changed  # 5,000 by default, and was 20
    assert "test.fusion.ua.value" not in changed
    assert (told["rows"]["changed"], told["rows"]["largest"]) == (0, 0.0)
    known = {entry["what"]: (entry["then"], entry["now"]) for entry in told["known_differences"]}
    assert known["setting evaluation.draws"] == ("None", "5000")
    assert known["torch"][0] == "1.0"
    assert known["machine: threads"][0] == "64"
    assert "setting evaluation.draws" in said


@pytest.mark.slow
def test_a_changed_figure_is_found_to_the_tolerance(copy, emofuse, tmp_path):
    def more(results: dict) -> None:
        results["test"]["fusion"]["ua"]["value"] += 0.01

    rewrite(copy / "results.json", more)
    assert emofuse("rerun", str(copy), "hydra.run.dir=again", cwd=tmp_path) == 1
    told = report(tmp_path / "again")
    assert [entry["figure"] for entry in told["not_exact"]] == ["test.fusion.ua.value"]
    # of a working tree that is being edited, it cannot be known whether the code is the same
    assert {entry["what"] for entry in told["known_differences"]} <= {"code"}
    assert emofuse("rerun", str(copy), "tolerance=0.02", "hydra.run.dir=loose", cwd=tmp_path) == 0
    new = report(tmp_path / "loose")["now"]
    assert emofuse("rerun", f"run={new}", "hydra.run.dir=twice", cwd=tmp_path) == 0


@pytest.mark.slow
def test_data_that_changed_is_named_before_and_after(copy, emofuse, tmp_path, capsys):
    hydra = OmegaConf.load(copy / ".hydra" / "hydra.yaml")
    hydra.hydra.runtime.cwd = str(tmp_path / "gone")
    OmegaConf.save(hydra, copy / ".hydra" / "hydra.yaml")
    npz(tmp_path / "x.npz", 1)
    assert emofuse("rerun", str(copy), "hydra.run.dir=again", cwd=tmp_path) == 1
    log = (tmp_path / "again" / "rerun.log").read_text()
    assert "content of data.path is not what it was" in log
    assert "gone, where the run was started, is gone" in log
    assert "content of data.path" in {entry["what"] for entry in report(tmp_path / "again")["known_differences"]}


def test_data_that_is_gone_is_named(copy, emofuse, tmp_path, capsys):
    hydra = OmegaConf.load(copy / ".hydra" / "hydra.yaml")
    hydra.hydra.runtime.cwd = str(tmp_path / "gone")
    OmegaConf.save(hydra, copy / ".hydra" / "hydra.yaml")
    assert emofuse("rerun", str(copy), cwd=tmp_path) == 2
    assert "its data is not there: data.path x.npz" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nowhere"], "not the folder of a finished run"),
        ([], "run: expected a value"),
        (["run", "tolerance=-1"], "tolerance: expected a number from 0 on"),
        (["run", "extra"], "got also extra"),
    ],
)
def test_what_cannot_be_rerun_leaves_with_2(run, emofuse, capsys, arguments, words):
    assert emofuse("rerun", *arguments) == 2
    assert words in capsys.readouterr().err


def test_a_run_from_a_stranger_starts_no_code(copy, emofuse, tmp_path, capsys):
    config = OmegaConf.load(copy / ".hydra" / "config.yaml")
    config.callbacks.evil = {"_target_": "os.system", "command": f"touch {tmp_path / 'owned'}"}
    OmegaConf.save(config, copy / ".hydra" / "config.yaml")
    assert emofuse("rerun", str(copy), cwd=tmp_path) == 2
    assert "os.system" in capsys.readouterr().err
    assert not (tmp_path / "owned").exists()


def test_a_record_of_another_version_says_so(copy, emofuse, tmp_path, capsys):
    config = OmegaConf.load(copy / ".hydra" / "config.yaml")
    config.head._target_ = "fusion.heads.vanished.VanishedHead"
    OmegaConf.save(config, copy / ".hydra" / "config.yaml")
    assert emofuse("rerun", str(copy), cwd=tmp_path) == 2
    assert "fusion.heads.vanished.VanishedHead" in capsys.readouterr().err


@pytest.mark.slow
def test_settings_that_are_gone_say_so(copy, emofuse, tmp_path, capfd):
    config = OmegaConf.load(copy / ".hydra" / "config.yaml")
    config.head.vanished = 1
    OmegaConf.save(config, copy / ".hydra" / "config.yaml")
    assert emofuse("rerun", str(copy), cwd=tmp_path) == 2
    said = capfd.readouterr().err
    assert "unexpected keyword argument 'vanished'" in said
    assert "cannot be rerun: training left with status 2" in said
