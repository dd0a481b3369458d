"""Every way to attend gives softmax(q k · scale + bias) v of each utterance alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch._dynamo.testing
from torch import Tensor
from torch.nn.attention.flex_attention import flex_attention

from extractors.emotion2vec.architecture import build_module
from extractors.emotion2vec.attention import alibi_slopes, packed_attention
from extractors.emotion2vec.flex import BLOCK, block_mask, flex_attention_of
from extractors.emotion2vec.packing import Layout
from extractors.emotion2vec.synthetic import random_model_conf

HEADS, WIDTH, SCALE = 6, 8, 0.3
LAYOUTS = [
    Layout(frames=(5,), slots=10, extra=10),
    Layout(frames=(300, 1, 40), slots=10, extra=10),
    Layout(frames=(70, 130, 2), slots=9, extra=3),
    Layout(frames=(600, 20, 90), slots=9, extra=0),
]


def dense(qkv: Tensor, layout: Layout, slopes: Tensor) -> Tensor:
    """The definition, in float64, one utterance after the other; rows of no utterance are zero."""
    out = torch.zeros(len(qkv), HEADS, WIDTH, dtype=torch.float64)
    for start, stop in layout.spans:
        q, k, v = qkv[start:stop].double().permute(1, 2, 0, 3)
        place = torch.arange(stop - start)
        bias = -slopes.double()[:, None, None] * (place[:, None] - place[None, :]).abs()
        bias[:, : layout.extra] = 0
        bias[:, :, : layout.extra] = 0
        out[start:stop] = (((q @ k.mT) * SCALE + bias).softmax(-1) @ v).transpose(0, 1)
    return out.flatten(1)


def places(layout: Layout) -> Tensor:
    return torch.cat([torch.arange(start, stop) for start, stop in layout.spans])


def eager_flex(layout: Layout, slopes: Tensor, scale: float, _: torch.dtype) -> Callable[[Tensor], Tensor]:
    return flex_attention_of(layout, slopes, scale, kernel=flex_attention)


def without_onednn(layout: Layout, slopes: Tensor, scale: float, dtype: torch.dtype) -> Callable[[Tensor], Tensor]:
    attention = packed_attention(layout, slopes, scale, dtype)
    attention.onednn = False  # type: ignore[attr-defined]
    return attention


@pytest.mark.filterwarnings("ignore:flex_attention called without torch.compile")
@pytest.mark.parametrize("layout", LAYOUTS, ids=str)
@pytest.mark.parametrize("make", [packed_attention, without_onednn, eager_flex])
def test_equals_the_definition(make: Callable[..., Callable[[Tensor], Tensor]], layout: Layout) -> None:
    random = torch.Generator().manual_seed(1)
    qkv = torch.randn(layout.tokens, 3, HEADS, WIDTH, generator=random)
    slopes = alibi_slopes(HEADS) * torch.rand(HEADS, generator=random)
    found = make(layout, slopes, SCALE, torch.float32)(qkv)
    read = places(layout)
    torch.testing.assert_close(found[read].double(), dense(qkv, layout, slopes)[read], atol=2e-6, rtol=0)
    assert found.isfinite().all()


@pytest.mark.parametrize("layout", LAYOUTS, ids=str)
def test_the_block_mask_has_the_tiles_that_hold_a_pair_and_no_others(layout: Layout) -> None:
    tiles = block_mask(layout, torch.device("cpu"), lambda b, h, q, k: q == k).to_dense()[0, 0].bool()
    needed = torch.eye(len(tiles), dtype=torch.bool)
    for start, stop in layout.spans:
        needed[start // BLOCK : -(-stop // BLOCK), start // BLOCK : -(-stop // BLOCK)] = True
    assert torch.equal(tiles, needed)


@pytest.mark.slow
def test_packs_of_any_kind_share_one_compilation() -> None:
    """On CUDA each compilation takes seconds; after a few of them torch gives up, and the whole table is laid out."""
    compiler = torch._dynamo.testing.CompileCounter()
    kernel = torch.compile(flex_attention, dynamic=True, backend=compiler)
    for number in range(8):
        layout = Layout(frames=tuple(range(100, 190 + 37 * number, 40)), slots=10, extra=10)
        slopes = alibi_slopes(HEADS) * (1 + number)
        with torch.inference_mode():
            found = flex_attention_of(layout, slopes, SCALE, kernel)(torch.randn(layout.tokens, 3, HEADS, WIDTH))
        assert found.shape == (layout.tokens, HEADS * WIDTH)
        assert compiler.frame_count == 1
    small = Layout(frames=(20,), slots=10, extra=10)  # a single tile is a case of its own
    flex_attention_of(small, slopes, SCALE, kernel)(torch.randn(small.tokens, 3, HEADS, WIDTH))
    assert compiler.frame_count <= 2


@pytest.mark.parametrize("heads", [1, 4, 12, 16])
def test_slopes_are_funasrs(heads: int) -> None:
    module: Any = build_module(random_model_conf("tiny"), vocab_size=9)
    bias = module.modality_encoders["AUDIO"].get_alibi_bias(
        batch_size=1, time_steps=2, heads=heads, dtype=torch.float32, device="cpu"
    )
    torch.testing.assert_close(alibi_slopes(heads), -bias[0, :, 0, 1], atol=0, rtol=1e-6)
