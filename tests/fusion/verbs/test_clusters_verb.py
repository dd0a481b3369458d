"""`emofuse clusters`: groups, their files, and what it refuses."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile

ACOUSTIC = ("clusters", "speech=acoustic", "space=standardized", "stability.resamples=3", "hydra.run.dir=run")


@pytest.fixture
def calls(tmp_path: Path) -> Path:
    """`calls.csv`: 12 low tones, 10 high ones and 8 of noise, of two speakers; a hostile id and text."""
    rng = np.random.default_rng(0)
    rows = ["id,audio,text,label,speaker"]
    for number in range(30):
        kind = "low" if number < 12 else "high" if number < 22 else "noise"
        time = np.arange(6_000) / 16_000
        pitch = {"low": 110, "high": 330, "noise": 0}[kind] * rng.uniform(0.97, 1.03)
        samples = 0.2 * np.sin(2 * np.pi * pitch * time) + (0.1 if kind == "noise" else 0.005) * rng.normal(size=6_000)
        soundfile.write(tmp_path / f"{number}.wav", samples * np.hanning(6_000), 16_000)
        text = "<script>alert(1)</script> &amp; [bold]" if number == 0 else f"the {kind} one"
        rows.append(f"{'</script>[red]' if number == 0 else f'call {number}'},{number}.wav,{text},{kind},s{number % 2}")
    (tmp_path / "calls.csv").write_text("\n".join(rows) + "\n")
    return tmp_path / "calls.csv"


def test_groups_and_their_files(emofuse, tmp_path, calls) -> None:
    status, said, errors = emofuse(*ACOUSTIC, "data.path=calls.csv", "k=3")
    assert status == 0, errors
    about = json.loads((tmp_path / "run" / "clusters.json").read_text())
    assert about["schema"] == "emofuse.clusters/1"
    assert [cluster["labels"] for cluster in about["clusters"]] == [{"low": 12}, {"high": 10}, {"noise": 8}]
    assert about["purity"] == 1
    assert about["stability"]["mean"] > 0.9
    assert about["space"].startswith("standardized-")
    rows = pd.read_csv(tmp_path / "run" / "assignments.csv")
    assert list(rows.columns) == ["id", "cluster", "distance", "silhouette", "x", "y"]
    assert rows["id"][0] == "</script>[red]"
    assert rows["cluster"].tolist() == [1] * 12 + [2] * 10 + [3] * 8
    profiles = pd.read_csv(tmp_path / "run" / "profiles.csv")
    assert profiles.groupby("speaker")["clips"].sum().to_dict() == {"s0": 15, "s1": 15}
    assert (tmp_path / "run" / "clusters.png").read_bytes().startswith(b"\x89PNG")
    page = (tmp_path / "run" / "clusters.html").read_text()
    assert page.count("</script>") == 2
    assert "alert(1)</script>" not in page
    assert about["clusters"][1]["medoid"] in said
    assert "low 100%" in said
    assert "stability" in said


def test_auto_density_and_vectors_from_files(emofuse, tmp_path, make_npy) -> None:
    status, said, errors = emofuse("clusters", f"vectors={make_npy}", "vectors_model=toy", "hydra.run.dir=run")
    assert status == 0, errors
    about = json.loads((tmp_path / "run" / "clusters.json").read_text())
    assert about["k_by_silhouette"]["k"] == len(about["clusters"]) == 2
    assert "k=2 by silhouette" in said
    assert not (tmp_path / "run" / "profiles.csv").exists()
    dense = ("method=hdbscan", "hdbscan.min_samples=3", "hydra.run.dir=dense")
    status, said, errors = emofuse("clusters", f"vectors={make_npy}", "vectors_model=toy", *dense)
    assert status == 0, errors
    assert "hdbscan, 2 clusters, 0 clips are noise" in said
    assert json.loads((tmp_path / "dense" / "clusters.json").read_text())["k_by_silhouette"] is None


@pytest.fixture
def make_npy(tmp_path: Path) -> Path:
    """Twenty files of two kinds, without metadata."""
    folder, rng = tmp_path / "npy", np.random.default_rng(0)
    folder.mkdir()
    for number in range(20):
        vector = 5 + 2 * np.eye(2, 12)[number % 2] + 0.1 * rng.normal(size=12)
        np.save(folder / f"c{number:02}.npy", vector.astype(np.float32))
    return folder


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["k=1"], "k: expected auto or at least 2, got 1"),
        (["k=31"], "31 clusters need at least 31 clips; there are 30"),
        (["method=hdbscan", "k=3"], "hdbscan finds out how many there are"),
        (
            ["method=hdbscan", "hdbscan.min_cluster_size=40"],
            "min_cluster_size: expected at most 15, half of the 30 clips",
        ),
        (["hdbscan.min_cluster=3"], "did you mean"),
        (["map=tsne"], "map: expected pca or umap"),
        (["space=centered"], "space: expected raw, centred"),
    ],
)
def test_mistakes_are_named_and_leave_with_2(emofuse, calls, arguments, words) -> None:
    status, _, errors = emofuse(*ACOUSTIC, "data.path=calls.csv", *arguments)
    assert words in errors
    assert "Traceback" not in errors
    assert status == 2


def test_a_map_that_is_not_installed_is_said_before_anything_is_read(emofuse, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "umap", None)
    status, _, errors = emofuse(*ACOUSTIC, "data.path=nowhere.csv", "map=umap")
    assert (status, "umap-learn is needed here" in errors) == (2, True)


def test_an_empty_store_and_copies_of_one_clip(emofuse, tmp_path) -> None:
    status, _, errors = emofuse(*ACOUSTIC)
    assert (status, "has no vectors of acoustic" in errors) == (2, True)
    (tmp_path / "npy").mkdir()
    for number in range(4):
        np.save(tmp_path / "npy" / f"{number}.npy", np.ones(6, np.float32))
    status, _, errors = emofuse("clusters", "vectors=npy", "vectors_model=toy")
    assert (status, "all 4 vectors are the same" in errors) == (2, True)
