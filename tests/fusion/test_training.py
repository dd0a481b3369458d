"""One fold fitted: it learns, it repeats itself, it resumes, it keeps to validation, it is quiet."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pytorch_lightning.callbacks import Callback

from extractors.errors import InputError
from fusion.callbacks import LAST, BestEpoch, LongFitLog, ResumePoint
from fusion.data.splits import Fold
from fusion.data.table import FeatureTable
from fusion.heads.vote import VoteHead
from fusion.threads import WORTH_SHARING, fitting_threads
from fusion.training import FittedFold, fit_fold, predict_logits, predict_scores

Recipe = Callable[..., dict[str, Any]]
Part = Callable[..., Any]
CONF = Path(__file__).resolve().parents[2] / "conf"
ToyTable = Callable[..., FeatureTable]


def weights(fitted: FittedFold) -> torch.Tensor:
    return torch.cat([tensor.flatten().float() for tensor in fitted.model.state_dict().values()])


def accuracy(fitted: FittedFold, table: FeatureTable, index: np.ndarray, **shown: Any) -> float:
    return float((predict_logits(fitted.model, table, index, **shown).argmax(axis=1) == table.targets[index]).mean())


def test_learns_and_predicts_from_either_modality(table: FeatureTable, fold: Fold, recipe: Recipe) -> None:
    fitted = fit_fold(table, fold, **recipe(epochs=25, modality_dropout=0.3))
    assert accuracy(fitted, table, fold.test) > 0.8
    for modality in ("speech", "text"):
        heard = fold.test[table.present[modality][fold.test]]
        assert accuracy(fitted, table, heard, modalities=[modality]) > 0.7
    assert not fitted.model.training
    assert fitted.seconds > 0
    assert {"epoch", "train/loss", "val/loss", "val/uar", "val/wa"} == set(fitted.history[0])


def test_each_head_and_one_modality(table: FeatureTable, fold: Fold, recipe: Recipe) -> None:
    for head in ("concat", "late"):
        fitted = fit_fold(table, fold, modalities=["text"], **recipe(epochs=1, head=head))
        assert fitted.model.modalities == ("text",)
        assert predict_logits(fitted.model, table).shape == (len(table), 3)


def test_a_head_without_gradient_steps_says_that_it_leaves_shares_alone(
    table: FeatureTable, fold: Fold, recipe: Recipe, caplog: pytest.LogCaptureFixture
) -> None:
    features = {m: np.log(np.random.default_rng(0).dirichlet(np.ones(3), len(table))) for m in table.features}
    opinions = replace(table, features={m: values.astype(np.float32) for m, values in features.items()})
    sure = np.eye(3, dtype=np.float32)[table.targets]
    for soft in (None, 0.7 * sure + np.float32(0.1)):
        caplog.clear()
        fit_fold(replace(opinions, soft=soft), fold, **recipe() | {"head": VoteHead})
        assert ("likeliest label" in caplog.text) == (soft is not None)


def test_same_seed_same_weights(table: FeatureTable, fold: Fold, recipe: Recipe) -> None:
    torch.manual_seed(0)
    before = torch.random.get_rng_state()
    first = fit_fold(table, fold, **recipe(seed=3, modality_dropout=0.3))
    assert torch.equal(torch.random.get_rng_state(), before), "the caller's random state is its own"
    torch.manual_seed(99)
    again = fit_fold(table, fold, **recipe(seed=3, modality_dropout=0.3))
    other = fit_fold(table, fold, **recipe(seed=4, modality_dropout=0.3))
    assert torch.equal(weights(first), weights(again))
    assert first.history == again.history
    assert not torch.equal(weights(first), weights(other))


@pytest.mark.parametrize("scheduler", [None, "cosine", "plateau"])
def test_resumes_to_the_very_same_end(
    table: FeatureTable, fold: Fold, recipe: Recipe, scheduler: str | None, tmp_path: Path, part: Part
) -> None:
    """Killed in the fourth epoch and taken up again: weights and history of the run that nobody killed."""

    class Kill(Callback):
        def on_train_batch_end(self, trainer: Any, *_: Any) -> None:
            if trainer.current_epoch == 3:
                raise RuntimeError("killed")

    # no loss falls by ten, so the plateau's rate is halved after every epoch but the first
    settings = {"plateau": {"patience": 0, "threshold": 10.0, "threshold_mode": "abs"}, "cosine": {"T_max": 6}}
    schedule = part("scheduler", scheduler, **settings[scheduler]) if scheduler else None
    base = recipe(epochs=6, modality_dropout=0.3, scheduler=schedule, seed=5)
    watch = {**part("callbacks", "early_stopping", resume__every_seconds=0.0)}
    whole = fit_fold(table, fold, **{**base, "callbacks": watch, "run_dir": tmp_path / "whole"})
    with pytest.raises(RuntimeError, match="killed"):
        fit_fold(table, fold, **{**base, "callbacks": {**watch, "kill": Kill}, "run_dir": tmp_path / "killed"})
    resumed = fit_fold(
        table, fold, **{**base, "callbacks": watch, "run_dir": tmp_path / "on"}, ckpt_path=tmp_path / "killed" / LAST
    )
    assert resumed.history == whole.history
    assert len(resumed.history) == 6
    assert resumed.best_epoch == whole.best_epoch
    assert torch.equal(weights(resumed), weights(whole))


def test_checkpoint_runs_no_code(table: FeatureTable, fold: Fold, recipe: Recipe, tmp_path: Path, part: Part) -> None:
    watch = part("callbacks", "early_stopping", resume__every_seconds=0.0)
    fit_fold(table, fold, **{**recipe(), "callbacks": watch, "run_dir": tmp_path})
    saved = torch.load(tmp_path / LAST, weights_only=True)
    assert saved["hyper_parameters"] == {"modality_dropout": 0.0, "mixup": 0.0, "auxiliary_loss": 0.0, "seed": 1}
    assert [path.name for path in tmp_path.iterdir()] == [LAST], "no temporary file is left"


@pytest.mark.parametrize("content", [None, b"", b"not a checkpoint"])
def test_a_bad_checkpoint_is_refused(
    table: FeatureTable, fold: Fold, recipe: Recipe, tmp_path: Path, content: bytes | None
) -> None:
    path = tmp_path / "bad.ckpt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=r"bad\.ckpt"):
        fit_fold(table, fold, **recipe(), ckpt_path=path)


def test_a_checkpoint_of_another_model_is_refused(
    table: FeatureTable, fold: Fold, recipe: Recipe, tmp_path: Path, part: Part
) -> None:
    watch = part("callbacks", "early_stopping", resume__every_seconds=0.0)
    fit_fold(table, fold, **{**recipe(), "callbacks": watch, "run_dir": tmp_path})
    with pytest.raises(InputError, match="another model") as caught:
        fit_fold(table, fold, modalities=["text"], **recipe(), ckpt_path=tmp_path / LAST)
    assert any("speech" in problem for problem in caught.value.problems)


def test_epoch_is_chosen_on_validation_alone(table: FeatureTable, fold: Fold, recipe: Recipe, part: Part) -> None:
    fitted = fit_fold(table, fold, **recipe(epochs=12))
    losses = [epoch["val/loss"] for epoch in fitted.history]
    assert fitted.best_epoch == int(np.argmin(losses))
    rows = fold.val
    logits = torch.from_numpy(predict_logits(fitted.model, table, rows))
    loss = part("loss", "weighted")(class_counts=np.bincount(table.targets[fold.train], minlength=3))
    assert loss(logits, torch.from_numpy(table.targets[rows])).item() == pytest.approx(min(losses), abs=1e-5)
    scrambled = replace(table, targets=table.targets.copy(), features={m: v.copy() for m, v in table.features.items()})
    scrambled.targets[fold.test] = 0
    scrambled.features["speech"][fold.test] = np.nan
    assert torch.equal(weights(fit_fold(scrambled, fold, **recipe(epochs=12))), weights(fitted)), "test rows were read"


def test_ties_go_to_the_lower_loss() -> None:
    best = BestEpoch(monitor="val/uar", mode="max")
    model = torch.nn.Module()
    model.model = torch.nn.Linear(1, 1)

    class At:
        def __init__(self, epoch: int, uar: float, loss: float) -> None:
            self.current_epoch = epoch
            self.callback_metrics = {"val/uar": torch.tensor(uar), "val/loss": torch.tensor(loss)}

    for epoch, (uar, loss) in enumerate([(float("nan"), 1.0), (0.5, 0.9), (0.5, 0.7), (0.5, 0.8), (0.4, 0.1)]):
        best.on_train_epoch_end(At(epoch, uar, loss), model)  # type: ignore[arg-type]
    assert best.epoch == 2


def test_stops_early(table: FeatureTable, fold: Fold, recipe: Recipe, part: Part) -> None:
    watch = part("callbacks", "early_stopping", stop__patience=2)
    fitted = fit_fold(table, fold, **{**recipe(epochs=200), "callbacks": watch})
    assert len(fitted.history) < 200
    assert fitted.best_epoch <= len(fitted.history) - 2


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        ({"callbacks": {}}, "chooses the epoch"),
        ({"callbacks": {"best": partial(BestEpoch, monitor="test/uar", mode="max")}}, "val/uar"),
        ({"modalities": ["smell"]}, "smell"),
        ({"optimizer": partial(torch.optim.SGD, lr=float("inf"))}, "finite val/loss"),
    ],
)
def test_what_cannot_work_says_so(
    table: FeatureTable, fold: Fold, recipe: Recipe, broken: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        fit_fold(table, fold, **{**recipe(), **broken})


def test_quiet(
    table: FeatureTable, fold: Fold, recipe: Recipe, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    with warnings.catch_warnings(record=True) as heard, caplog.at_level(logging.INFO):
        warnings.simplefilter("always")
        fit_fold(table, fold, **recipe(epochs=2))
    assert capfd.readouterr() == ("", "")
    assert [record.getMessage() for record in caplog.records] == []
    assert [str(warning.message) for warning in heard] == []


@pytest.mark.parametrize("group", ["callbacks", "logger", "optimizer", "scheduler", "trainer"])
def test_every_config_builds(group: str, part: Part, table: FeatureTable, fold: Fold, recipe: Recipe) -> None:
    """Each file of the group takes part in a fit: a wrong or unknown argument would fail it."""
    changes = {"trainer": {"max_epochs": 2, "accelerator": "cpu", "devices": 1}, "scheduler": {}}
    for path in sorted((CONF / group).glob("*.yaml")):
        if path.stem == "none":
            assert "# @package _global_" in path.read_text().splitlines()[0]
            continue
        if path.stem in ("mlflow", "wandb") and find_spec(path.stem) is None:
            continue  # extras
        settings = changes.get(group, {}) | ({"T_max": 2} if path.stem == "cosine" else {})
        if path.stem == "ddp":
            settings["strategy"] = "auto"  # more than one process is test_distributed's business
        fitted = fit_fold(table, fold, **{**recipe(epochs=2), group: part(group, path.stem, **settings)})
        assert len(fitted.history) == 2, path


def test_mixed_precision(table: FeatureTable, fold: Fold, recipe: Recipe, part: Part) -> None:
    """The precision of trainer=gpu, which a CPU can do as well: it learns, and what it leaves is float32."""
    for head in ("concat", "gated", "late"):
        trainer = part("trainer", "gpu", max_epochs=15, accelerator="cpu")
        fitted = fit_fold(table, fold, **{**recipe(head=head), "trainer": trainer, "modality_dropout": 0.3})
        assert accuracy(fitted, table, fold.test) > 0.7
        assert {parameter.dtype for parameter in fitted.model.parameters()} == {torch.float32}


@pytest.mark.gpu
@pytest.mark.parametrize("name", ["default", "gpu"])
def test_on_a_gpu(table: FeatureTable, fold: Fold, recipe: Recipe, part: Part, name: str) -> None:
    trainer = part("trainer", name, max_epochs=15, accelerator="gpu")
    fitted = fit_fold(table, fold, **{**recipe(), "trainer": trainer, "modality_dropout": 0.3})
    assert accuracy(fitted, table, fold.test) > 0.7
    on_cpu = predict_logits(fitted.model, table)
    assert np.allclose(predict_logits(fitted.model.cuda(), table), on_cpu, atol=1e-3)


def test_small_fits_take_one_thread(table: FeatureTable, fold: Fold, recipe: Recipe, part: Part) -> None:
    seen: list[int] = []

    class Count(Callback):
        def on_train_batch_end(self, *_: Any) -> None:
            seen.append(torch.get_num_threads())

    torch.set_num_threads(2)
    try:
        watch = {**part("callbacks", "early_stopping"), "count": Count}
        fit_fold(table, fold, **{**recipe(epochs=1), "callbacks": watch})
        assert set(seen) == {1}
        assert torch.get_num_threads() == 2, "the caller's threads are its own"
        with fitting_threads(WORTH_SHARING):
            assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(1)


def test_long_fits_say_how_they_go(
    table: FeatureTable, fold: Fold, recipe: Recipe, caplog: pytest.LogCaptureFixture, part: Part
) -> None:
    talk = {**part("callbacks", "early_stopping"), "progress": partial(LongFitLog, every_seconds=0.0)}
    with caplog.at_level(logging.INFO):
        fit_fold(table, fold, **{**recipe(epochs=2), "callbacks": talk})
    assert len(caplog.records) == 2 * 4  # 60 rows in batches of 16
    assert "epoch 2 of at most 2" in caplog.text
    assert "steps/s" in caplog.text


def test_csv_logger_and_no_leftovers(
    table: FeatureTable, fold: Fold, recipe: Recipe, tmp_path: Path, part: Part
) -> None:
    fit_fold(table, fold, **{**recipe(epochs=3), "run_dir": tmp_path / "plain"})
    assert not list((tmp_path / "plain").iterdir()), "a short fit without a logger writes nothing"
    fit_fold(table, fold, **{**recipe(epochs=3), "run_dir": tmp_path / "csv", "logger": part("logger", "csv")})
    lines = (tmp_path / "csv" / "metrics.csv").read_text().splitlines()
    assert "val/uar" in lines[0]
    assert len(lines) >= 4


def test_scores_by_row_and_mask(table: FeatureTable, fold: Fold, recipe: Recipe) -> None:
    model = fit_fold(table, fold, **recipe(epochs=1)).model
    everything = predict_scores(model, table)
    some = np.array([7, 3, 110])
    assert np.allclose(predict_logits(model, table, some), everything.logits[some], atol=1e-5)
    assert everything.logits.dtype == np.float32
    assert everything.weights.shape == (len(table), 2)
    assert everything.embedding.shape == (len(table), 16)
    hidden = predict_scores(model, table, modalities=["text"])
    assert (hidden.weights[:, 0] == 0).all()
    silent = predict_scores(model, table, modalities=[])
    assert np.isfinite(silent.logits).all()
    assert (silent.weights == 0).all()
    assert predict_logits(model, table, np.array([], dtype=np.int64)).shape == (0, 3)
    table.features["text"][3, 0] = np.nan
    table.present["text"][3] = True
    with pytest.raises(InputError, match="row 3"):
        predict_logits(model, table)
    assert predict_logits(model, table, np.array([4])).shape == (1, 3)


def test_resume_points_are_spaced(table: FeatureTable, fold: Fold, recipe: Recipe, tmp_path: Path, part: Part) -> None:
    watch = {**part("callbacks", "early_stopping"), "resume": partial(ResumePoint, every_seconds=3600)}
    fit_fold(table, fold, **{**recipe(), "callbacks": watch, "run_dir": tmp_path / "long"})
    assert not (tmp_path / "long" / LAST).exists()


@pytest.mark.slow
def test_mosi_text_learns_and_fusion_holds(shared_data: Path, recipe: Recipe, part: Part, toy_table: ToyTable) -> None:
    """The published split: text alone near 0.757 with logistic regression, and fusion not below it by more than noise."""
    path = shared_data / "mosi" / "mosi_utterance.npz"
    if not path.is_file():
        pytest.skip(f"no {path}")
    arrays = np.load(path, allow_pickle=False)
    rows, videos = len(arrays["label"]), arrays["video"]
    table = replace(
        toy_table(rows, classes=2),
        features={"speech": arrays["feat_audio"].astype(np.float32), "text": arrays["feat_text"].astype(np.float32)},
        present={m: np.ones(rows, dtype=bool) for m in ("speech", "text")},
        targets=arrays["label"].astype(np.int64),
    )
    train, test = (arrays["split_bclstm"] == side for side in ("train", "test"))
    held_out = np.isin(videos, np.unique(videos[train])[::5])
    fold = Fold("mosi", *(np.flatnonzero(side) for side in (train & ~held_out, train & held_out, test)))
    parts = {**recipe(), "head": part("head", "gated"), "optimizer": part("optimizer", "adamw"), "batch_size": 64}
    parts["trainer"] = part("trainer", "default", accelerator="cpu")
    text = fit_fold(table, fold, modalities=["text"], **parts)
    both = fit_fold(table, fold, modality_dropout=0.3, **parts)
    assert accuracy(text, table, fold.test) >= 0.74
    assert accuracy(both, table, fold.test) >= accuracy(text, table, fold.test) - 0.03
