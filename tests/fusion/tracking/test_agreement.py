"""Agreement of two runs, and the trust that a recorded configuration is given."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hydra.utils import get_object
from omegaconf import OmegaConf

from extractors.errors import InputError
from fusion.configuration import conf_folder
from fusion.tracking.agreement import compare_figures, compare_rows
from fusion.tracking.recorded import read_run, targets
from fusion.tracking.trust import refuse_foreign


def test_every_leaf_is_judged() -> None:
    then = {
        "test": {"fusion": {"ua": {"value": 0.5, "low": None}, "seconds": 3.0}},
        "verdict": "yes", "gone": 1, "flag": True, "versions": {"torch": "1"}, "training": {"fusion": [{"seconds": 1}]},
    }  # fmt: skip
    now = {
        "test": {"fusion": {"ua": {"value": 0.5 + 1e-9, "low": 0.1}, "seconds": 9.0}},
        "verdict": "no", "flag": False, "young": 2, "versions": {"torch": "2"}, "training": {"fusion": [{"seconds": 2}]},
    }  # fmt: skip
    found = {figure.name: figure.verdict for figure in compare_figures(then, now, 1e-6)}
    assert found == {
        "test.fusion.ua.value": "within tolerance",
        "test.fusion.ua.low": "differs",
        "verdict": "differs",
        "gone": "gone",
        "flag": "differs",
        "young": "new",
    }
    assert [figure.verdict for figure in compare_figures({"a": 0.5}, {"a": 0.5 + 1e-9}, 0.0)] == ["differs"]


def table(path: Path, **changes: object) -> Path:
    columns = {
        "id": ["01", "02", "01", "02"],
        "fold": ["a", "b", "a", "b"],
        "seed": [1, 1, 2, 2],
        "prediction": ["x", "y", "x", "x"],
        "text_prediction": ["x", "x", "x", "x"],
        "p_x": [0.9, 0.2, 0.8, 0.7],
        "p_y": [0.1, 0.8, 0.2, 0.3],
    } | changes
    pd.DataFrame(columns).to_csv(path, index=False)
    return path


def test_rows_are_matched_by_id_fold_and_seed(tmp_path: Path) -> None:
    then = table(tmp_path / "then.csv")
    frame = pd.read_csv(then, dtype={"id": str})
    frame.iloc[::-1].to_csv(tmp_path / "turned.csv", index=False)
    assert compare_rows(then, tmp_path / "turned.csv").agree(0.0)
    other = compare_rows(then, table(tmp_path / "other.csv", text_prediction=["x", "x", "y", "x"]))
    assert (other.rows, other.changed, other.largest) == (4, 1, 0.0)
    assert not other.agree(0.1)
    moved = compare_rows(then, table(tmp_path / "moved.csv", p_x=[0.9, 0.2, 0.8, 0.69]))
    assert moved.largest == pytest.approx(0.01)
    assert moved.agree(0.02)
    assert not moved.agree(1e-6)
    rounded = compare_rows(then, table(tmp_path / "rounded.csv", p_x=[0.900000001, 0.2, 0.8, 0.7]))
    assert rounded.agree(0.0)  # the last digit of the file
    frame.iloc[:3].to_csv(tmp_path / "fewer.csv", index=False)
    fewer = compare_rows(then, tmp_path / "fewer.csv")
    assert (fewer.rows, fewer.only_then, fewer.only_now) == (3, 1, 0)
    assert not fewer.agree(1.0)


def test_every_component_of_conf_is_trusted() -> None:
    named = {line.split("_target_:")[1] for path in conf_folder().rglob("*.yaml") for line in _lines(path, "_target_:")}
    assert len(named) > 20
    refuse_foreign(sorted(name.strip(" }").split(",")[0] for name in named))


def _lines(path: Path, word: str) -> list[str]:
    return [line for line in path.read_text().splitlines() if word in line]


@pytest.mark.parametrize(
    "target",
    [
        "os.system",
        "subprocess.run",
        "builtins.eval",
        "eval",
        "fusion.cli.os.system",
        "fusion.cli.Path",
        "fusion.tracking.git.subprocess.run",
        "fusion.tracking.git._git",
        "extractors.files.write_text",
        "torch.hub.load",
        "torch.utils.cpp_extension.load",
        "torch.nn.modules",
        "hydra.utils.get_object",
        "fusionevil.Head",
    ],
)
def test_a_strangers_run_does_not_choose_which_code_runs(target: str) -> None:
    with pytest.raises(InputError, match="not part of this Emofuse"):
        refuse_foreign(["fusion.heads.gated.GatedHead", target])
    module = target.rpartition(".")[0]
    refuse_foreign([target], trusted=[module])


def test_targets_are_found_however_deep_and_resolved() -> None:
    config = OmegaConf.create(
        {"a": [{"b": {"_target_": "${evil}"}}], "evil": "os.system", "c": {"_target_": "x.Y", "d": {"_target_": "z.W"}}}
    )
    assert set(targets(config)) == {"os.system", "x.Y", "z.W"}
    assert get_object("os.system") is not None  # which is why it matters


def test_what_is_no_finished_run_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"results\.json: not there"):
        read_run(tmp_path)
    (tmp_path / ".hydra").mkdir()
    for name in ("predictions.csv", ".hydra/config.yaml", ".hydra/hydra.yaml"):
        (tmp_path / name).write_text("a: [")
    (tmp_path / "results.json").write_text("{}")
    with pytest.raises(InputError, match="damaged"):
        read_run(tmp_path)
    (tmp_path / ".hydra/config.yaml").write_text("seed: 1")
    (tmp_path / ".hydra/hydra.yaml").write_text("hydra: {job: {name: predict}}")
    with pytest.raises(InputError, match="run of `predict`"):
        read_run(tmp_path)


def test_no_nan_slips_through(tmp_path: Path) -> None:
    then = table(tmp_path / "then.csv", p_x=[np.nan] * 4, p_y=[np.nan] * 4)
    assert compare_rows(then, then).largest == 0.0
