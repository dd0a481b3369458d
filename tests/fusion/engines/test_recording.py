"""What makes a stack fast changes nothing of what comes out: recordings, bits masked, optimizers together."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
from torch import nn

from fusion.data.table import FeatureTable
from fusion.engines.base import Job
from fusion.engines.batched import passes, products
from fusion.engines.batched.fills import choose, worth_choosing
from fusion.engines.batched.recording import record
from fusion.engines.batched.trial import try_head
from fusion.engines.batched.updates import Updates, step_together
from fusion.fitted import FittedFold
from fusion.heads.base import HeadOutput
from fusion.heads.gated import GatedHead
from tests.fusion.engines.test_agreement import POOLED, assert_alike

Jobs = Callable[..., list[Job]]
Recipe = Callable[..., dict[str, Any]]
Part = Callable[..., Any]
Run = Callable[..., list[FittedFold]]


class Played:
    """How many recordings were made, and how many failed."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.recorded: list[bool] = []
        record_pass = passes.Passes._record

        def note(own: passes.Passes, given: passes.Given) -> Any:
            play = record_pass(own, given)
            self.recorded.append(isinstance(play, passes.Player))
            return play

        monkeypatch.setattr(passes.Passes, "_record", note)
        monkeypatch.setattr(passes, "RECORDED_AFTER", 1)


@pytest.mark.parametrize(
    "head", [pytest.param(head, marks=() if head == "gated" else pytest.mark.slow) for head in POOLED]
)
def test_played_back_as_worked_out(
    head: str,
    table: FeatureTable,
    jobs_of: Jobs,
    shared_recipe: Recipe,
    part: Part,
    one_by_one: Run,
    together: Run,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Also with rows that lack a modality, and whose absent vectors are no numbers."""
    played = Played(monkeypatch)
    table.present["text"][::5] = False
    table.features["text"][::5] = torch.nan
    recipe = shared_recipe(epochs=4, modality_dropout=0.3)
    recipe["head"] = part("head", head, dropout=0.4, **POOLED[head])
    jobs = jobs_of()
    assert_alike(together(table, jobs, recipe), one_by_one(table, jobs, recipe))
    assert played.recorded
    assert all(played.recorded)


@pytest.mark.slow
def test_by_onednn_and_with_other_losses(
    table: FeatureTable,
    jobs_of: Jobs,
    shared_recipe: Recipe,
    part: Part,
    one_by_one: Run,
    together: Run,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The class weights of a fold are its own, also where another fold's steps were recorded."""
    played = Played(monkeypatch)
    monkeypatch.setattr(products, "WORTH_A_CALL", 0)
    for loss in ("weighted", "focal", "label_smoothing"):
        recipe, jobs = shared_recipe(epochs=3, head="gated", loss=part("loss", loss)), jobs_of(seeds=(1,))
        parameters = sum(p.numel() for p in recipe["head"](dims=table.dims, num_classes=3).parameters())
        alone = 16 * parameters  # bytes: one model at a time, each after the other
        found = together(table, jobs, recipe, workers=1, stack_bytes=alone)
        assert_alike(found, one_by_one(table, jobs, recipe))
    assert all(played.recorded)


class Counting(GatedHead):
    """It does something else in every step."""

    calls = 0

    def forward(self, features: Any, present: Any) -> HeadOutput:
        self.calls += self.training
        out = super().forward(features, present)
        return out._replace(logits=out.logits * (1 + self.calls % 2))


def test_what_changes_from_call_to_call_is_not_recorded(
    table: FeatureTable, jobs_of: Jobs, shared_recipe: Recipe, together: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    played = Played(monkeypatch)
    together(table, jobs_of(seeds=(1,)), shared_recipe(epochs=2) | {"head": Counting})
    assert played.recorded
    assert not any(played.recorded)


@pytest.mark.parametrize("kept", [True, False])
@pytest.mark.parametrize("other", [0.0, -1.5, torch.finfo(torch.float32).min, torch.inf])
def test_choose_is_where_to_the_bit(other: float, kept: bool) -> None:
    torch.manual_seed(0)
    values = torch.randn(3, 5, 2, 32).transpose(0, 1)
    values[0, 0, 0, :4] = torch.tensor([torch.nan, -0.0, torch.inf, -torch.inf])
    where = torch.rand(5, 3, 2, 1) < 0.5
    wanted = torch.where(where == kept, values, other)
    assert worth_choosing(where, values)
    assert torch.equal(choose(where, values, other, kept).view(torch.int32), wanted.view(torch.int32))
    assert not worth_choosing(values > 0, values), "a mask of its size"
    assert not worth_choosing(where, values.double())


def test_only_what_is_zero_already_is_left_out() -> None:
    """A mask that happens to agree with the argument's in one call is told from one that must."""

    def work_out(values: torch.Tensor, shown: torch.Tensor, other: torch.Tensor) -> list[torch.Tensor]:
        return [torch.where(shown[:, None], values, 0.0), torch.where(other[:, None], values, 0.0)]

    shown = torch.rand(64, generator=torch.Generator().manual_seed(0)) < 0.5
    values = torch.ones(64, 16) * shown[:, None]
    play = record(work_out, [values, shown, torch.ones(64, dtype=torch.bool)], {0: 1})
    kept, masked = play(torch.ones(64, 16), shown, torch.zeros(64, dtype=torch.bool))
    assert kept.min() == 1, "taken as it is"
    assert masked.max() == 0


def test_optimizers_step_together_as_alone() -> None:
    """Of two rates, at different steps, one of them once without a gradient, and one that is none of the known."""

    def models() -> tuple[list[list[nn.Parameter]], list[Updates]]:
        torch.manual_seed(0)
        parameters = [[nn.Parameter(torch.randn(3, 4)), nn.Parameter(torch.randn(3))] for _ in range(4)]
        made: Sequence[torch.optim.Optimizer] = [
            torch.optim.AdamW(parameters[0], lr=0.1, fused=True),
            torch.optim.AdamW(parameters[1], lr=0.1, fused=True),
            torch.optim.AdamW(parameters[2], lr=0.2, fused=True),
            torch.optim.SGD(parameters[3], lr=0.1, momentum=0.9),
        ]
        return parameters, [Updates(one, own) for one, own in zip(made, parameters, strict=True)]

    (mine, updates), (theirs, alone) = models(), models()
    for number in range(7):
        gradients: list[list[torch.Tensor | None]] = [[torch.randn(3, 4), torch.randn(3)] for _ in range(4)]
        if number == 4:
            gradients[1][1] = None
        todo = [place for place in range(4) if place or number != 2]  # the first falls behind
        step_together([updates[place] for place in todo], [gradients[place] for place in todo])
        for place in todo:
            for parameter, gradient in zip(theirs[place], gradients[place], strict=True):
                parameter.grad = gradient
            alone[place].optimizer.step()
    for own, reference in zip(mine, theirs, strict=True):
        for parameter, wanted in zip(own, reference, strict=True):
            assert torch.equal(parameter, wanted)


def test_the_faster_products_are_found_whoever_asks_first() -> None:
    products.usable.cache_clear()
    there = products.usable()
    products.usable.cache_clear()
    large = 3 * products.WORTH_A_CALL // 1024  # wide enough that a trial of three rows asks, from within vmap
    assert try_head(lambda **given: GatedHead(**given, width=large), {"text": 1024}, 2).problem is None
    assert products.usable.cache_info().currsize == 1
    assert products.usable() == there


@pytest.mark.slow
def test_a_worker_keeps_what_it_frees() -> None:
    """In a process of its own, because it is for good."""
    code = (
        "import resource, torch; from fusion.engines.batched.memory import keep_freed_memory as keep\n"
        "def faults(): return resource.getrusage(resource.RUSAGE_SELF).ru_minflt\n"
        "if keep():\n"
        "    for number in range(20):\n"
        "        torch.ones(2**20) + torch.ones(2**20)\n"
        "        before = faults() if number == 9 else before if number > 9 else 0\n"
        "    assert faults() - before < 1000, faults() - before\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
