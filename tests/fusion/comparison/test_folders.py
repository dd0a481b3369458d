from __future__ import annotations

import pytest
from omegaconf import OmegaConf

from extractors.errors import InputError
from fusion.comparison.folders import find_runs


@pytest.fixture
def runs(tmp_path):
    """A sweep of twelve finished jobs, one unfinished run, and one of another verb."""
    for job in range(12):
        _folder(tmp_path / "sweep" / str(job), finished=True)
    (tmp_path / "sweep" / "multirun.yaml").write_text("a: 1")
    _folder(tmp_path / "late")
    _folder(tmp_path / "other" / "predicted", verb="predict")
    _folder(tmp_path / "other" / "trained", finished=True)
    (tmp_path / "empty").mkdir()
    return tmp_path


def _folder(path, *, finished=False, verb="train"):
    (path / ".hydra").mkdir(parents=True)
    OmegaConf.save({"hydra": {"job": {"name": verb}}}, path / ".hydra" / "hydra.yaml")
    if finished:
        (path / "results.json").write_text("{}")
        (path / "bundle").mkdir()


def names(found, root):
    return [str(path.relative_to(root)) for path in found[0]]


def test_a_sweep_is_all_its_jobs_in_the_order_of_their_numbers(runs):
    assert names(find_runs([runs / "sweep"]), runs) == [f"sweep/{job}" for job in range(12)]


def test_patterns_and_files_and_no_run_twice(runs):
    given = [f"{runs}/sweep/1*", runs / "sweep" / "1", runs / "sweep" / "3" / "results.json", f"{runs}/**/trained"]
    found = find_runs(given)
    assert names(found, runs) == ["sweep/1", "sweep/10", "sweep/11", "sweep/3", "other/trained"]


def test_runs_of_other_verbs_are_passed_by_unless_named(runs):
    assert names(find_runs([runs / "other"]), runs) == ["other/trained"]
    assert names(find_runs([f"{runs}/other/*"]), runs) == ["other/trained"]
    with pytest.raises(InputError, match="a run of `predict`, not of `train`"):
        find_runs([runs / "other" / "predicted"])


def test_everything_wrong_is_told_together(runs):
    (runs / "file.txt").write_text("")
    with pytest.raises(InputError) as caught:
        find_runs([runs / "late", runs / "nowhere", runs / "empty", runs / "file.txt", runs / "sweep"])
    assert len(caught.value.problems) == 4
    said = str(caught.value)
    assert "late: not finished, it has no results.json" in said
    assert "nowhere: not there" in said
    assert "empty: no run, and none below it" in said
    assert "file.txt: expected a folder" in said


def test_unfinished_runs_may_be_skipped_but_not_silently(runs):
    found, notes = find_runs([runs / "late", runs / "sweep" / "2"], unfinished="skip")
    assert [path.name for path in found] == ["2"]
    assert "late: not finished" in notes[0]
    with pytest.raises(InputError, match="none is finished"):
        find_runs([runs / "late"], unfinished="skip")
    with pytest.raises(InputError, match="expected refuse or skip"):
        find_runs([runs / "late"], unfinished="keep")
    with pytest.raises(InputError, match="got none"):
        find_runs([])
