"""The batched engine among others: what it refuses, what it tells, what it leaves behind."""

from __future__ import annotations

import csv
import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pytorch_lightning.callbacks import Timer
from torch import Tensor, nn

from extractors.errors import InputError
from fusion.callbacks import LAST, BestEpoch, LongFitLog
from fusion.data.table import FeatureTable
from fusion.engines.base import Job
from fusion.engines.batched import BatchedEngine, products, reasons_against
from fusion.engines.batched.stack import Stack
from fusion.fitted import FittedFold
from fusion.heads.base import Head, HeadOutput
from fusion.training import predict_logits

Jobs = Callable[..., list[Job]]
Recipe = Callable[..., dict[str, Any]]
Part = Callable[..., Any]
Run = Callable[..., list[FittedFold]]


class UserHead(Head):
    """Written with plain torch operations, some of them functional, and tied weights."""

    def __init__(self, *, dims: Any, num_classes: int, width: int = 8) -> None:
        super().__init__(dims=dims, num_classes=num_classes)
        self.down = nn.ModuleDict({m: nn.Linear(dim, width) for m, dim in dims.items()})
        self.mix = nn.Parameter(torch.randn(width, width) / width**0.5)
        self.once, self.again = nn.Linear(width, width), nn.Linear(width, width)
        self.again.weight = self.once.weight
        self.out = nn.Linear(width, num_classes)
        self.register_buffer("scale", torch.rand(width) + 0.5)

    def forward(self, features: Any, present: Any) -> HeadOutput:
        parts = [
            torch.where(present[m][:, None], torch.tanh(layer(features[m])) @ self.mix, 0.0)
            for m, layer in self.down.items()
        ]
        hidden = nn.functional.dropout(torch.stack(parts).sum(dim=0) * self.scale, 0.2, self.training)
        hidden = self.again(torch.relu(self.once(hidden)))
        weights = torch.stack([present[m] for m in self.dims], dim=1).float()
        return HeadOutput(self.out(hidden), hidden, weights / weights.sum(dim=1, keepdim=True).clamp(min=1))


class Peeking(UserHead):
    """What it does depends on what it is given."""

    def forward(self, features: Any, present: Any) -> HeadOutput:
        if present[self.modalities[0]].any():
            return super().forward(features, present)
        raise AssertionError


class Remembering(UserHead):
    """Of every batch that it is trained on."""

    def forward(self, features: Any, present: Any) -> HeadOutput:
        out = super().forward(features, present)
        if self.training:
            with torch.no_grad():
                self.scale.copy_(0.9 * self.scale + 0.1 * out.embedding.mean(dim=0).abs())
        return out


class Hiding(UserHead):
    """Something that it has drawn, which is neither parameter nor buffer."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.secret = torch.randn(settings["num_classes"])

    def forward(self, features: Any, present: Any) -> HeadOutput:
        out = super().forward(features, present)
        return out._replace(logits=out.logits + self.secret)


class Noisy(UserHead):
    """It draws otherwise than by dropout."""

    def forward(self, features: Any, present: Any) -> HeadOutput:
        out = super().forward(features, present)
        noise = 0.1 * torch.randn_like(out.logits) if self.training else torch.zeros_like(out.logits)
        return out._replace(logits=out.logits + noise)


def weights(fitted: FittedFold) -> Tensor:
    return torch.cat([tensor.flatten().float() for tensor in fitted.model.state_dict().values()])


def apart(some: Sequence[FittedFold], others: Sequence[FittedFold]) -> float:
    return max((weights(a) - weights(b)).abs().max().item() for a, b in zip(some, others, strict=True))


def test_a_users_head(
    table: FeatureTable, jobs_of: Jobs, shared_recipe: Recipe, one_by_one: Run, together: Run
) -> None:
    recipe, jobs = shared_recipe(modality_dropout=0.3), jobs_of()
    recipe["head"] = UserHead
    assert reasons_against(recipe, table, jobs) == []
    assert apart(together(table, jobs, recipe), one_by_one(table, jobs, recipe)) < 1e-4


def test_the_faster_products(
    table: FeatureTable,
    jobs_of: Jobs,
    shared_recipe: Recipe,
    one_by_one: Run,
    together: Run,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Every layer by oneDNN, however small, also where a weight has two places."""
    if not products.usable():
        pytest.skip("this torch has no oneDNN product of plain matrices")
    monkeypatch.setattr(products, "WORTH_A_CALL", 0)
    for head in (UserHead, shared_recipe()["head"]):
        recipe, jobs = shared_recipe(epochs=3, head="gated") | {"head": head}, jobs_of(seeds=(1,))
        assert apart(together(table, jobs, recipe), one_by_one(table, jobs, recipe)) < 1e-4


def test_models_do_not_know_of_each_other(
    table: FeatureTable, jobs_of: Jobs, shared_recipe: Recipe, together: Run
) -> None:
    """The same alone, among others, and in several processes, to the last bits of their sums; and repeated, to all."""
    recipe, jobs = shared_recipe(epochs=3, modality_dropout=0.3), jobs_of()
    whole = together(table, jobs, recipe, workers=1)
    alone = [together(table, [job], recipe)[0] for job in jobs]
    several = together(table, jobs, recipe, workers=2)
    assert apart(alone, whole) < 1e-5
    assert apart(several, whole) < 1e-5
    assert apart(whole[:3], whole[3:]) > 0.1, "another seed"
    assert apart(together(table, jobs, recipe, workers=1), whole) == 0
    assert apart(together(table, jobs, recipe, workers=2), several) == 0


def test_what_draws_otherwise_is_trained_in_one_process_and_repeats(
    table: FeatureTable, jobs_of: Jobs, shared_recipe: Recipe, together: Run
) -> None:
    recipe, jobs = shared_recipe(epochs=3), jobs_of()
    recipe["head"] = Noisy
    first = together(table, jobs, recipe, workers=2)
    torch.manual_seed(99)
    assert apart(first, together(table, jobs, recipe, workers=2)) == 0
    assert len({weights(fitted).sum().item() for fitted in first}) == len(jobs)


@pytest.mark.parametrize("workers", [1, 2])
def test_done_is_told_once_each_and_the_callers_state_is_its_own(
    workers: int, table: FeatureTable, jobs_of: Jobs, shared_recipe: Recipe, together: Run
) -> None:
    told: list[tuple[Job, FittedFold]] = []
    recipe, jobs = shared_recipe(epochs=2, modality_dropout=0.3), jobs_of()
    torch.manual_seed(0)
    states, numpy_state = torch.random.get_rng_state(), np.random.get_state()[1].copy()
    threads = torch.get_num_threads()
    fits = together(table, jobs, recipe, done=lambda job, fitted: told.append((job, fitted)), workers=workers)
    assert torch.equal(torch.random.get_rng_state(), states)
    assert (np.random.get_state()[1] == numpy_state).all()
    assert torch.get_num_threads() == threads
    assert {id(job): fitted for job, fitted in told} == {
        id(job): fitted for job, fitted in zip(jobs, fits, strict=True)
    }
    assert len(told) == len(jobs)


def test_several_sets_of_modalities(
    table: FeatureTable, jobs_of: Jobs, shared_recipe: Recipe, one_by_one: Run, together: Run
) -> None:
    jobs = [*jobs_of(seeds=(1,)), *jobs_of(seeds=(1,), modalities=("text",)), *jobs_of(seeds=(2,))]
    recipe = shared_recipe(epochs=2)
    assert apart(together(table, jobs, recipe), one_by_one(table, jobs, recipe)) < 1e-4


class Diverging(nn.Module):
    """A loss that is NaN for a fold with as many rows of each class as the first has."""

    def __init__(self, *, class_counts: Sequence[int], broken: Sequence[int]) -> None:
        super().__init__()
        self.broken = list(class_counts) == list(broken)

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        loss = nn.functional.cross_entropy(logits, targets)
        return loss * torch.nan if self.broken else loss


def test_one_that_diverges_does_not_spoil_the_others(
    table: FeatureTable, jobs_of: Jobs, shared_recipe: Recipe, one_by_one: Run, together: Run
) -> None:
    jobs, told = jobs_of(seeds=(1,)), {}
    broken = np.bincount(table.targets[jobs[0].fold.train], minlength=3).tolist()
    recipe = shared_recipe() | {"loss": partial(Diverging, broken=broken)}
    with pytest.raises(InputError) as together_said:
        together(table, jobs, recipe, done=lambda job, fitted: told.update({job.fold.name: fitted}))
    assert set(told) == {"b", "c"}
    assert apart([told["b"], told["c"]], one_by_one(table, jobs[1:], recipe)) < 1e-4
    with pytest.raises(InputError) as alone_said:
        one_by_one(table, jobs[:1], recipe)
    assert together_said.value.summary == alone_said.value.summary
    assert together_said.value.hint == alone_said.value.hint
    assert list(together_said.value.problems) == ["fold a, seed 1, speech + text"]
    with pytest.raises(InputError, match="none of 0 epochs"):
        together(table, jobs, shared_recipe(epochs=0))


def test_bad_data_is_told_before_anything_is_trained(
    table: FeatureTable, jobs_of: Jobs, shared_recipe: Recipe, together: Run
) -> None:
    jobs = jobs_of(seeds=(1,))
    empty = replace(jobs[1].fold, train=np.array([], dtype=np.int64))
    with pytest.raises(InputError, match="train: no row is left"):
        together(table, [jobs[0], replace(jobs[1], fold=empty)], shared_recipe(), done=pytest.fail)
    with pytest.raises(InputError, match="smell"):
        together(table, jobs_of(modalities=("smell",)), shared_recipe(), done=pytest.fail)


def test_an_error_of_a_worker_is_the_callers(table: FeatureTable, jobs_of: Jobs, shared_recipe: Recipe) -> None:
    recipe, jobs = shared_recipe() | {"loss": partial(Failing)}, jobs_of()
    for workers in (1, 2):
        with pytest.raises(RuntimeError, match="no such thing"):
            BatchedEngine(workers=workers).fit(table, jobs, recipe, done=lambda job, fitted: None)

    def refuse(job: Job, fitted: FittedFold) -> None:
        raise KeyError("the caller's own")

    for workers in (1, 2):
        with pytest.raises(KeyError, match="own"):
            BatchedEngine(workers=workers).fit(table, jobs, shared_recipe(), done=refuse)


class Failing(nn.Module):
    def __init__(self, *, class_counts: Sequence[int]) -> None:
        super().__init__()

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        raise RuntimeError("no such thing")


def test_a_killed_worker_is_told(
    table: FeatureTable, jobs_of: Jobs, shared_recipe: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    import os

    monkeypatch.setattr(Stack, "step", lambda self, number: os._exit(9))
    with pytest.raises(ChildProcessError, match="ended with 9"):
        BatchedEngine(workers=2).fit(table, jobs_of(), shared_recipe(), done=lambda job, fitted: None)


@pytest.mark.slow
def test_reasons(table: FeatureTable, jobs_of: Jobs, shared_recipe: Recipe, part: Part, tmp_path: Path) -> None:
    jobs = jobs_of()
    trainer = partial(part, "trainer", "default", accelerator="cpu", max_epochs=2)
    going_on = [replace(jobs[0], checkpoint=tmp_path / LAST), *jobs[1:]]
    best = partial(BestEpoch, monitor="val/loss", mode="min")

    class Sequenced(UserHead):
        needs_sequences = True

    class Itself(UserHead):
        fits_itself = True

    class Own(torch.optim.SGD):
        pass

    refused: list[tuple[dict[str, Any], list[Job], str]] = [
        ({"head": Sequenced}, jobs, "sequences"),
        ({"head": Itself}, jobs, "by itself"),
        ({"head": Peeking}, jobs, "head: "),
        ({"head": Remembering}, jobs, "buffers change"),
        ({"head": Hiding}, jobs, "must be parameters or buffers"),
        ({"mixup": 0.2}, jobs, "mixup"),
        ({"auxiliary_loss": 0.5}, jobs, "auxiliary_loss"),
        ({"optimizer": torch.optim.LBFGS}, jobs, "LBFGS"),
        ({"optimizer": partial(Own, lr=0.1)}, jobs, "Own"),
        ({"scheduler": lambda optimizer: object()}, jobs, "scheduler"),
        ({"callbacks": {"best": best, "timer": Timer}}, jobs, "Timer"),
        ({"callbacks": {}}, jobs, "chooses the epoch"),
        ({"trainer": trainer(precision="bf16-mixed")}, jobs, "trainer.precision"),
        ({"trainer": trainer(gradient_clip_val=1.0)}, jobs, "trainer.gradient_clip_val"),
        ({"trainer": trainer(accumulate_grad_batches=2)}, jobs, "trainer.accumulate_grad_batches"),
        ({"trainer": trainer(devices=2)}, jobs, "trainer.devices"),
        ({"trainer": trainer(limit_train_batches=3)}, jobs, "trainer.limit_train_batches"),
        ({"trainer": trainer(max_time="00:01:00:00")}, jobs, "Timer"),
        ({"trainer": trainer(min_epochs=2)}, jobs, "trainer.min_epochs"),
        ({}, going_on, "1 of 6 fits go on from a checkpoint"),
    ]
    for changes, todo, reason in refused:
        recipe = shared_recipe(epochs=2) | changes
        reasons = reasons_against(recipe, table, todo)
        assert len(reasons) == 1, (changes, reasons)
        assert reason in reasons[0], (changes, reasons)
        with pytest.raises(InputError, match="engine=batched") as caught:
            BatchedEngine().fit(table, todo, recipe, done=pytest.fail)
        assert list(caught.value.problems) == reasons
    assert reasons_against(shared_recipe(), table, jobs) == []
    assert reasons_against(shared_recipe() | {"trainer": trainer(enable_progress_bar=True)}, table, jobs) == []


def test_histories_are_written_and_progress_is_told(
    table: FeatureTable,
    jobs_of: Jobs,
    shared_recipe: Recipe,
    part: Part,
    together: Run,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    talk = {**part("callbacks", "early_stopping"), "progress": partial(LongFitLog, every_seconds=0.0)}
    recipe, jobs = shared_recipe(epochs=3, callbacks=talk, logger=part("logger", "csv")), jobs_of(seeds=(1,))
    with caplog.at_level(logging.INFO):
        fits = together(table, jobs, recipe)
    assert "3 of 3 fits done" in caplog.text
    assert "steps/s, at most 0:00:00 left" in caplog.text
    for job, fitted in zip(jobs, fits, strict=True):
        with (job.place / "metrics.csv").open() as file:
            lines = list(csv.DictReader(file))
        assert [float(line["val/loss"]) for line in lines] == [epoch["val/loss"] for epoch in fitted.history]
    assert capfd.readouterr().err == ""


@pytest.mark.gpu
def test_on_a_gpu(table: FeatureTable, jobs_of: Jobs, shared_recipe: Recipe, part: Part, together: Run) -> None:
    recipe, jobs = shared_recipe(modality_dropout=0.3), jobs_of()
    recipe["trainer"] = part("trainer", "default", max_epochs=15, accelerator="gpu")
    for job, fitted in zip(jobs, together(table, jobs, recipe), strict=True):
        found = predict_logits(fitted.model, table, job.fold.test).argmax(axis=1)
        assert (found == table.targets[job.fold.test]).mean() > 0.7


def test_a_stack_of_nothing_holds_nothing() -> None:
    stack = Stack(modality_dropout=0.0)
    stack.hold([])
    stack.step(0)
