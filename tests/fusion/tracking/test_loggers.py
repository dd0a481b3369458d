"""Loggers: what a fit and the end of a run leave in files, and what never leaves."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from extractors.errors import MissingExtraError
from fusion.configuration import conf_folder, register_resolvers
from fusion.engines.batched.records import write_history
from fusion.tracking.extras import require
from fusion.tracking.loggers import Loggers, log_results
from fusion.tracking.parameters import figures, hyperparameters
from fusion.tracking.place import place_of
from fusion.tracking.secrets import HIDDEN
from fusion.training import fit_fold

RESULTS = {
    "test": {"fusion": {"ua": {"value": 0.75, "low": 0.7, "high": 0.8}, "wa": {"value": None}, "n": 12}},
    "difference": {"ua": {"value": 0.1, "low": 0.0, "high": 0.2}},
    "run": {"head": "gated", "overrides": ["head=gated"]},
}


def composed(*overrides: str) -> DictConfig:
    register_resolvers()
    with initialize_config_dir(str(conf_folder()), version_base="1.3"):
        return compose("train", overrides=["data=features", "data.path=x.npz", *overrides])


def scalars(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """Tag -> (step, value) of TensorBoard's files in a folder, read by TensorBoard itself."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder))
    events.Reload()
    return {tag: [(event.step, event.value) for event in events.Scalars(tag)] for tag in events.Tags()["scalars"]}


def read_csv(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_fit_tells_csv_and_tensorboard_the_same_by_epoch(table: Any, fold: Any, recipe: Any, tmp_path: Path) -> None:
    logger = instantiate(composed("logger=tensorboard").logger)
    place = tmp_path / "run" / "fits" / "s1" / "fusion"
    fitted = fit_fold(table, fold, **{**recipe(epochs=3), "run_dir": place, "logger": logger})
    rows = read_csv(place / "metrics.csv")
    assert len(rows) == len(fitted.history) == 3
    seen = scalars(place)
    for epoch, (row, known) in enumerate(zip(rows, fitted.history, strict=True)):
        for metric in ("train/loss", "val/loss", "val/uar", "val/wa"):
            assert float(row[metric]) == pytest.approx(known[metric])
            assert seen[metric][epoch] == (epoch, pytest.approx(known[metric], rel=1e-6))


def test_an_engine_without_lightning_leaves_what_a_fit_leaves(
    table: Any, fold: Any, recipe: Any, tmp_path: Path
) -> None:
    logger = instantiate(composed("logger=tensorboard").logger)
    live, replayed = tmp_path / "fits" / "live", tmp_path / "fits" / "replayed"
    fitted = fit_fold(table, fold, **{**recipe(epochs=3), "run_dir": live, "logger": logger})
    settings = {"modality_dropout": 0.0, "mixup": 0.0, "auxiliary_loss": 0.0, "seed": 1}
    write_history(logger, replayed, fitted.history, steps=4, settings=settings)  # 60 rows, 16 a step
    assert scalars(live) == scalars(replayed)
    metrics = ("train/loss", "val/loss", "val/uar", "val/wa", "epoch")
    before, after = (
        [{name: float(row[name]) for name in metrics} for row in read_csv(place / "metrics.csv")]
        for place in (live, replayed)
    )
    assert before == [pytest.approx(row) for row in after]


def test_long_fits_write_before_they_end(tmp_path: Path) -> None:
    logger = instantiate(composed("logger=csv", "+logger.csv.every_seconds=0").logger)
    file = tmp_path / "fits" / "a" / "metrics.csv"
    [writer] = logger(save_dir=file.parent)
    for epoch in range(3):
        writer.log_metrics({"epoch": epoch, "val/loss": 1.0}, step=4 * epoch)
        writer.log_metrics({"epoch": epoch, "train/loss": 0.5}, step=4 * epoch)
        assert (len(read_csv(file)) if file.exists() else 0) == epoch  # those that are over
    writer.finalize("success")
    assert [(row["val/loss"], row["train/loss"]) for row in read_csv(file)] == [("1.0", "0.5")] * 3


def test_the_end_of_a_run_makes_an_entry_for_the_hparams_tab(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

    log_results(composed("logger=tensorboard", "seed=7"), RESULTS, tmp_path)
    assert scalars(tmp_path) == {
        "test/fusion/ua": [(0, pytest.approx(0.75))],
        "difference/ua": [(0, pytest.approx(0.1))],
    }
    events = EventAccumulator(str(tmp_path))
    events.Reload()
    content = events.summary_metadata["_hparams_/session_start_info"].plugin_data.content
    told = HParamsPluginData.FromString(content).session_start_info.hparams
    assert told["seed"].number_value == 7
    assert told["choice.head"].string_value == "gated"
    assert told["optimizer.lr"].number_value == pytest.approx(1e-3)


def test_several_choices_come_together_and_csv_is_always_there() -> None:
    for name in ("csv", "tensorboard", "mlflow", "wandb"):
        assert "csv" in composed(f"logger={name}").logger
    assert set(composed("logger=[tensorboard,mlflow]").logger) == {"_target_", "csv", "tensorboard", "mlflow"}
    assert composed("logger=none").logger is None
    assert list(Loggers(csv=None).trackers) == []


def test_no_logger_and_lightnings_own_are_told_as_well(tmp_path: Path) -> None:
    log_results(OmegaConf.create({"logger": None}), RESULTS, tmp_path / "none")
    assert not (tmp_path / "none").exists()
    own = {"_target_": "pytorch_lightning.loggers.CSVLogger", "_partial_": True}
    log_results(OmegaConf.create({"logger": own, "seed": 3}), RESULTS, tmp_path / "own")
    assert read_csv(tmp_path / "own" / "metrics.csv")[0]["test/fusion/ua"] == "0.75"


def test_a_tracker_that_fails_costs_neither_the_run_nor_the_others(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    class Away:
        def fit_logger(self, place: object) -> None: ...
        def log_results(self, *_: object) -> None:
            raise ConnectionError("no route")

    told: list[Any] = []

    class Here(Away):
        def log_results(self, *about: object) -> None:
            told.append(about)

    Loggers(away=Away(), here=Here()).log_results(tmp_path, {"seed": 1}, {"test/fusion/ua": 0.5})
    assert told == [(tmp_path, {"seed": 1}, {"test/fusion/ua": 0.5})]
    assert "away: the results could not be logged (ConnectionError: no route)" in caplog.text


@pytest.mark.parametrize("name", ["mlflow", "wandb"])
def test_a_missing_extra_is_named_before_anything_is_trained(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fusion.tracking.extras.find_spec", lambda _: None)
    with pytest.raises(Exception, match=rf"pip install 'emofuse\[{name}\]'"):
        instantiate(composed(f"logger={name}").logger)


def test_a_folder_called_like_a_package_is_not_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "nosuchtracker").mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(MissingExtraError):
        require("nosuchtracker")


def test_secrets_are_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_TOKEN", "sesame-open")
    cfg = OmegaConf.create(
        {
            "seed": 1,
            "hub_token": "abc",
            "data": {"path": "${oc.env:MY_TOKEN}/x.csv", "url": "https://me:pw@host/x"},
            "note": "api_key=12345678 and more",
            "logger": {"tracking_uri": "https://me:pw@host"},
            "store": {"path": "/home/me/store"},
        }
    )
    told = hyperparameters(cfg, {"head": "gated", "text": None})
    assert told["seed"] == 1
    assert told["choice.head"] == "gated"
    assert told["hub_token"] == HIDDEN
    assert "choice.text" not in told
    everything = json.dumps(told)
    for secret in ("abc", "sesame-open", "pw", "12345678", "/home/me"):
        assert secret not in everything


def test_what_could_not_be_computed_is_left_out() -> None:
    assert figures(RESULTS) == {"test/fusion/ua": 0.75, "difference/ua": 0.1}
    assert figures({"test": {}, "difference": None}) == {}


@pytest.mark.parametrize(
    ("folder", "name", "group"),
    [
        ("/r/2026/10-15/fits/s1/fusion", "s1 · fusion", "2026/10-15"),
        ("/r/10-15/3/fits/seed-2/s1/text", "seed-2 · s1 · text", "10-15/3"),
        ("/home/fits/r/10-15/fits/all", "all", "r/10-15"),
        ("/r/2026/10-15", "10-15", "2026/10-15"),
    ],
)
def test_a_fit_is_called_by_what_sets_it_apart(folder: str, name: str, group: str) -> None:
    place = place_of(folder)
    assert (place.name, place.group) == (name, group)


def test_two_fits_of_one_process_do_not_mix(table: Any, fold: Any, recipe: Callable[..., Any], tmp_path: Path) -> None:
    logger = instantiate(composed("logger=tensorboard").logger)
    for name in ("a", "b"):
        fit_fold(table, fold, **{**recipe(epochs=2), "run_dir": tmp_path / "fits" / name, "logger": logger})
    for name in ("a", "b"):
        assert len(scalars(tmp_path / "fits" / name)["val/loss"]) == 2
        assert len(list((tmp_path / "fits" / name).glob("events.out.*"))) == 1
