from __future__ import annotations

import shutil

import numpy as np
import pytest

from fusion.comparison.rows import build_rows
from fusion.comparison.run import read_runs


def rows_of(*folders):
    return build_rows(read_runs(folders), draws=200, seed=0, level=0.95)


def test_a_run_keeps_its_own_figures(two):
    rows, notes = rows_of(*two)
    assert [row.name for row in rows] == ["head=gated", "head=late"]
    for row in rows:
        told = row.runs[0].results["test"]["fusion"]
        for metric, entry in row.metrics.items():
            assert {"value": entry.value, "low": entry.low, "high": entry.high} == told[metric]
            assert entry.sd is None
    assert not notes


def test_runs_that_differ_by_seed_are_one_row(write, head, tmp_path):
    folders = [
        write(tmp_path / f"{name}{seed}", seeds=(seed,), **head(name))
        for seed in (2, 3, 1)
        for name in ("film", "late")
    ]
    rows, notes = rows_of(*folders)
    assert [(row.name, row.seeds) for row in rows] == [("head=film", (1, 2, 3)), ("head=late", (1, 2, 3))]
    values = [run.results["test"]["fusion"]["ua"]["value"] for run in rows[0].runs]
    entry = rows[0].metrics["ua"]
    assert entry.value == pytest.approx(np.mean(values))
    assert entry.sd == pytest.approx(np.std(values, ddof=1))  # of a sample
    assert entry.low < entry.value < entry.high
    assert not notes
    assert rows[0].same_rows_each_seed


def test_seeds_of_one_run_and_runs_of_one_seed_are_the_same(write, head, tmp_path):
    together, _ = rows_of(write(tmp_path / "all", seeds=(1, 2, 3), **head("film")))
    apart, _ = rows_of(*(write(tmp_path / str(seed), seeds=(seed,), **head("film")) for seed in (1, 2, 3)))
    for metric, entry in together[0].metrics.items():
        other = apart[0].metrics[metric]
        for end in ("value", "low", "high", "sd"):
            assert getattr(entry, end) == pytest.approx(getattr(other, end), abs=1e-4)


def test_a_run_repeated_is_not_another_seed(write, head, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folders = [write(tmp_path / name, seeds=(1,), **head("film")) for name in ("first", "again")]
    rows, notes = rows_of(*folders)
    assert [row.name for row in rows] == ["head=film (first)", "head=film (again)"]
    assert "first, again have the same settings and share seed 1" in notes[0]


def test_a_row_is_named_by_what_tells_it_apart(write, head, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows, _ = rows_of(
        write(tmp_path / "1", **head("film", width=64)),
        write(tmp_path / "2", **head("film", width=128)),
        write(tmp_path / "3", **head("late")),
        write(
            tmp_path / "4",
            choices={"head": "late", "data": "other"},
            config={"head": {"_target_": "fusion.heads.late.Head"}, "data": {"path": "/x/other.csv"}},
        ),
    )
    assert [row.name for row in rows] == [
        "head=film head.width=64 data=manifest",
        "head=film head.width=128 data=manifest",
        "head=late data=manifest",
        "head=late data=other",
    ]
    rows, _ = rows_of(
        write(tmp_path / "5", config={"optimizer": {"lr": 0.1}}),
        write(tmp_path / "6", config={"optimizer": {"lr": 0.2}}),
    )
    assert [row.name for row in rows] == ["optimizer.lr=0.1", "optimizer.lr=0.2"]


def test_without_hydras_folder_results_tell_and_without_that_the_folder(write, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    told = {"run": {"data": "manifest", "head": "film", "overrides": ["head=film", "+a.b=1"]}}
    folders = [
        write(tmp_path / "1", hydra=False, changed=told),
        write(tmp_path / "2", hydra=False, changed={"run": {"data": "manifest", "head": "late"}}),
        write(tmp_path / "3", hydra=False, changed={"run": None}),
        write(tmp_path / "4", hydra=False, changed={"run": None}),
    ]
    rows, _ = rows_of(*folders)
    assert [row.name for row in rows] == ["head=film a.b=1", "head=late", "3", "4"]


def test_one_row_is_named_by_its_head(write, tmp_path):
    assert rows_of(write(tmp_path / "run"))[0][0].name == "head=gated"


def test_a_damaged_hydra_folder_costs_the_name_only(write, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = write(tmp_path / "run", changed={"run": None})
    (folder / ".hydra" / "config.yaml").write_text("a: [1")
    shutil.copy(folder / ".hydra" / "config.yaml", folder / ".hydra" / "hydra.yaml")
    assert rows_of(folder)[0][0].name == "run"


def test_leakage_marks_the_row(write, tmp_path):
    overlap = {"leakage_allowed": True}
    [row], _ = rows_of(write(tmp_path / "run", changed={"allow_leakage": True, "overlap": overlap}))
    assert row.leaked
    [row], _ = rows_of(
        write(tmp_path / "other", changed={"allow_leakage": True, "overlap": {"leakage_allowed": False}})
    )
    assert not row.leaked
