"""environment.json: complete, true, and free of secrets."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest
import torch
from omegaconf import OmegaConf

from fusion.tracking.environment import data_files, finish_environment, read_environment, record_environment
from fusion.tracking.git import LONGEST_DIFF, git_state

needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="no git")


def git(folder: Path, *arguments: str) -> None:
    who = ["-c", "user.name=T", "-c", "user.email=t@example.org", "-c", "init.defaultBranch=main"]
    subprocess.run(["git", *who, *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "repository"
    folder.mkdir()
    (folder / "calls.csv").write_text("id,label\n1,a\n")
    git(folder, "init")
    git(folder, "add", ".")
    git(folder, "commit", "-m", "first")
    return folder


def test_what_a_run_ran_on_is_recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("EMOFUSE_DATA", "/corpora")
    monkeypatch.setenv("EMOFUSE_TOKEN", "hidden-1")
    monkeypatch.setenv("HUB_API_KEY", "hidden-2")
    monkeypatch.setattr("sys.argv", ["train.py", "seed=3", "+hub_token=hidden-3", "data.path=hidden-2.csv"])
    Path("calls.csv").write_text("id,label\n1,a\n")
    record_environment(tmp_path / "run", OmegaConf.create({"seed": 3, "data": {"path": "calls.csv"}}))
    recorded = read_environment(tmp_path / "run")
    assert recorded is not None
    assert recorded["seed"] == 3
    assert recorded["distributions"]["torch"] == torch.__version__
    assert list(recorded["distributions"]) == sorted(recorded["distributions"], key=str.lower)
    assert recorded["machine"]["threads"] == torch.get_num_threads()
    assert recorded["variables"]["OMP_NUM_THREADS"] == "1"
    assert recorded["variables"]["EMOFUSE_DATA"] == "/corpora"
    assert recorded["folder"] == str(tmp_path)
    assert recorded["git"]["folder"] is None
    assert recorded["data"]["data.path"]["bytes"] == 13
    assert (recorded["status"], recorded["finished"]) == ("running", None)
    assert "hidden-" not in (tmp_path / "run" / "environment.json").read_text()
    finish_environment(tmp_path / "run", "completed")
    finished = read_environment(tmp_path / "run")
    assert finished is not None
    assert finished["status"] == "completed"
    assert finished["finished"] >= finished["started"]
    assert {**finished, "status": "", "finished": ""} == {**recorded, "status": "", "finished": ""}


def test_only_what_was_recorded_is_finished(tmp_path: Path) -> None:
    finish_environment(tmp_path, "completed")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "environment.json").write_text("{broken")
    assert read_environment(tmp_path) is None


def test_the_same_content_has_the_same_hash_wherever_it_lies(tmp_path: Path) -> None:
    (tmp_path / "a.npz").write_bytes(b"x" * 3_000_000)
    (tmp_path / "b.npz").write_bytes(b"x" * 3_000_000)
    (tmp_path / "c.npz").write_bytes(b"x" * 2_999_999 + b"y")
    config = {name: str(tmp_path / f"{name}.npz") for name in "abc"}
    notice = "a sentence of many words / that is no path " * 100
    found = data_files(OmegaConf.create({"data": {"files": config, "more": [config["a"]], "notice": notice}}))
    assert set(found) == {"data.files.a", "data.files.b", "data.files.c", "data.more.0"}
    assert found["data.files.a"]["hash"] == found["data.files.b"]["hash"] == found["data.more.0"]["hash"]
    assert found["data.files.a"]["hash"] != found["data.files.c"]["hash"]
    assert data_files(OmegaConf.create({"data": {"path": "???"}})) == {}


@needs_git
def test_the_state_of_a_repository(repository: Path, tmp_path: Path) -> None:
    state, diff = git_state(repository)
    assert state is not None
    assert (state["branch"], state["dirty"], state["untracked"], diff) == ("main", False, [], "")
    assert len(state["commit"]) == 40
    (repository / "calls.csv").write_text("id,label\n1,b\n")
    (repository / "näw.csv").write_text("x")
    changed, diff = git_state(repository)
    assert changed is not None
    assert (changed["commit"], changed["dirty"], changed["untracked"]) == (state["commit"], True, ["näw.csv"])
    assert "-1,a" in diff
    assert "+1,b" in diff
    git(repository, "checkout", "--detach", "-q")
    detached, _ = git_state(repository)
    assert detached is not None
    assert detached["branch"] is None


@needs_git
def test_a_package_below_somebodys_repository_is_none_of_its_business(repository: Path) -> None:
    (repository / ".gitignore").write_text("venv\n")
    package = repository / "venv" / "fusion"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    assert git_state(package, of="__init__.py") == (None, "")
    assert git_state(package)[0] is not None


def test_no_repository_and_no_git_are_no_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert git_state(tmp_path) == (None, "")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert git_state(Path(__file__).parent) == (None, "")


@needs_git
def test_a_huge_difference_is_cut(repository: Path) -> None:
    (repository / "calls.csv").write_text("ä" * (LONGEST_DIFF + 10))
    _, diff = git_state(repository)
    assert LONGEST_DIFF <= len(diff.encode()) < LONGEST_DIFF + 100
    assert "cut here" in diff


@needs_git
def test_the_difference_stands_beside_the_record(repository: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(repository)
    run = tmp_path / "run"
    (repository / "calls.csv").write_text("id,label\n1,b\n")
    record_environment(run, OmegaConf.create({"seed": 1}))
    assert "+1,b" in (run / "git.diff").read_text()
    assert json.loads((run / "environment.json").read_text())["git"]["folder"]["dirty"] is True
