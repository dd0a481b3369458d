"""Parts of the packed encoder: plans, places, products, and the switches it turns back."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.functional import gelu, linear

from extractors.emotion2vec.budget import automatic_budget
from extractors.emotion2vec.exact import full_float32
from extractors.emotion2vec.linear import OneDnnLinear, PlainLinear, has_onednn
from extractors.emotion2vec.packing import FIELD, HOP, Layout, plan_packs
from extractors.emotion2vec.quantize import CENTRE, LOW, Int8Linear, has_int8, quantize_rows
from extractors.emotion2vec.waves import pack_waves, place_flat

needs_onednn = pytest.mark.skipif(not has_onednn(), reason="this torch has no oneDNN")
needs_int8 = pytest.mark.skipif(not has_int8(), reason="this torch has no 8-bit product")


@given(
    frames=st.lists(st.integers(1, 3000), max_size=60),
    slots=st.integers(0, 12),
    max_tokens=st.sampled_from([1, 50, 2048]),
)
def test_a_plan_has_every_utterance_once_and_keeps_to_the_budget(
    frames: list[int], slots: int, max_tokens: int
) -> None:
    packs = list(plan_packs(frames, slots=slots, max_tokens=max_tokens))
    assert sorted(index for pack in packs for index in pack) == list(range(len(frames)))
    for pack in packs:
        assert len(pack) == 1 or sum(frames[index] + slots for index in pack) <= max_tokens
    halves = [sum(frames[index] + slots for index in pack) for pack in packs]
    assert sum(tokens <= max_tokens / 2 for tokens in halves) <= 1  # else two of them would have shared one


@given(frames=st.lists(st.integers(1, 40), min_size=1, max_size=8), extra=st.integers(0, 10), idle=st.integers(0, 3))
def test_a_layout_gives_every_token_one_place(frames: list[int], extra: int, idle: int) -> None:
    layout = Layout(tuple(frames), slots=extra + idle, extra=extra)
    places = torch.cat([layout.frame_places, layout.slot_places])
    assert torch.equal(places.sort().values, torch.arange(layout.tokens))
    assert set(layout.extra_places.tolist()) <= set(layout.slot_places.tolist())
    assert [stop - start for start, stop in layout.spans] == [extra + count for count in frames]
    # the frames of an utterance lie in the packed wave where its own samples do, with one to spare
    assert layout.frame_units.tolist() == [
        start // HOP + i for start, count in zip(layout.wave_starts, frames, strict=True) for i in range(count)
    ]
    assert layout.wave_starts[-1] + (frames[-1] - 1) * HOP + FIELD <= layout.samples


@pytest.mark.parametrize("normalize", [True, False])
def test_waves_are_placed_alike_with_and_without_a_loop(normalize: bool) -> None:
    random = np.random.default_rng(0)
    waves = [(random.standard_normal(n) * 0.01 + 0.3).astype(np.float32) for n in (400, 719, 1040, 5_555, 16_000)]
    layout = Layout(tuple((len(wave) - FIELD) // HOP + 1 for wave in waves), slots=10, extra=10)
    looped = pack_waves(waves, layout, torch.device("cpu"), normalize=normalize)
    flat = place_flat(
        torch.from_numpy(np.concatenate(waves)), [len(wave) for wave in waves], layout, normalize=normalize
    )
    torch.testing.assert_close(flat, looped, atol=1e-4 if normalize else 0, rtol=0)
    assert looped[: len(waves[0]) : 100].abs().max() > 0


@needs_onednn
@pytest.mark.parametrize("exact_gelu", [True, False])
def test_products_are_torchs(exact_gelu: bool) -> None:
    x, weight, bias = torch.randn(33, 70), torch.randn(50, 70), torch.randn(50)
    expected = linear(x, weight, bias)
    expected = gelu(expected) if exact_gelu else expected
    for layer in (OneDnnLinear(weight, bias), PlainLinear(weight, bias)):
        torch.testing.assert_close(layer(x, gelu=exact_gelu), expected, atol=1e-4, rtol=1e-5)


@needs_int8
def test_eight_bits_lose_about_a_hundredth() -> None:
    random = torch.Generator().manual_seed(0)
    weight, bias = torch.randn(96, 256, generator=random), torch.randn(96, generator=random)

    def loss(x: Tensor, zero_point: int) -> float:
        expected = linear(x, weight, bias)
        return float((Int8Linear(weight, bias, zero_point=zero_point)(x) - expected).std() / expected.std())

    around_zero = torch.randn(64, 256, generator=random)
    assert loss(around_zero, CENTRE) < 0.012
    assert loss(gelu(around_zero), LOW) < 0.9 * loss(gelu(around_zero), CENTRE) < 0.012


@needs_int8
def test_rows_in_eight_bits_do_not_see_one_another() -> None:
    layer = Int8Linear(torch.randn(48, 64), torch.randn(48))
    x = torch.randn(9, 64)
    expected = layer(x)
    spoiled = x.clone()
    spoiled[::2] = torch.tensor([1e6, torch.nan, torch.inf, 0.0, -1e-20])[:, None]
    assert torch.equal(layer(spoiled)[1::2], expected[1::2])
    assert torch.equal(layer(x[3:4]), expected[3:4])
    assert torch.equal(layer(torch.zeros(1, 64))[0], layer.bias)


@pytest.mark.parametrize("zero_point", [CENTRE, LOW])
def test_levels_stand_for_the_values_within_half_a_step(zero_point: int) -> None:
    x = torch.randn(20, 300) * torch.logspace(-6, 6, 20)[:, None]
    levels, steps = quantize_rows(x, zero_point)
    restored = (levels.float() - zero_point) * steps
    assert ((restored - x).abs() <= steps * 0.501).all()


def test_more_threads_than_one_may_ask_for_full_float32() -> None:
    torch.set_float32_matmul_precision("high")
    inside, leave = threading.Event(), threading.Event()

    def other() -> None:
        with full_float32():
            inside.set()
            leave.wait(10)

    thread = threading.Thread(target=other)
    try:
        thread.start()
        assert inside.wait(10)
        with full_float32():
            pass
        assert torch.get_float32_matmul_precision() == "highest"  # the other one still runs
        leave.set()
        thread.join(10)
        assert torch.get_float32_matmul_precision() == "high"
    finally:
        leave.set()
        torch.set_float32_matmul_precision("highest")


def test_the_budget_on_a_gpu_follows_its_free_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    def free(gib: float) -> Any:
        monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (int(gib * 2**30), 2**40))
        return automatic_budget(torch.device("cuda"), 1024)

    assert free(0.1) == 2048
    assert 2048 < free(4) < free(6) < 32_768
    assert free(80) == 32_768
