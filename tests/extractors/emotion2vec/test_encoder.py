"""The packed encoder gives FunASR's numbers for every utterance, whatever shares its pack."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn.functional import layer_norm
from torch.utils._python_dispatch import TorchDispatchMode

from extractors.emotion2vec.architecture import build_module
from extractors.emotion2vec.encoder import PackedEncoder
from extractors.emotion2vec.exact import full_float32
from extractors.emotion2vec.packing import Layout, count_frames
from extractors.emotion2vec.synthetic import random_model_conf
from extractors.emotion2vec.waves import pack_waves
from extractors.errors import InputError

TOLERANCE = 1e-4  # of a frame's values, which layer norm keeps around 1; ten times what is seen


def make_module(size: str = "tiny", seed: int = 0, **audio: Any) -> Any:
    """FunASR's own module with every parameter random; `audio` replaces settings of its audio encoder."""
    config = copy.deepcopy(random_model_conf(size))  # type: ignore[arg-type]
    config["modalities"]["audio"].update(audio)
    module: Any = build_module(config, vocab_size=9).to_empty(device="cpu")
    random = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            noise = torch.randn(parameter.shape, generator=random)
            if name.endswith("alibi_scale"):
                parameter.copy_(1 + 0.7 * noise)  # some below zero, where the model clamps
            elif parameter.dim() > 1 and "extra_tokens" not in name:
                parameter.copy_(noise * (1.3 / parameter[0].numel() ** 0.5))
            else:
                parameter.copy_(0.2 * noise + (1 if name.endswith("weight") else 0))
    return module


@torch.inference_mode()
def funasr_frames(module: Any, wave: np.ndarray) -> Tensor:
    """(frames, dim): what FunASR's `inference` computes of one wave before it pools."""
    source = torch.from_numpy(wave)
    return module.extract_features(layer_norm(source, source.shape)[None], padding_mask=None)["x"][0]


def make_waves(lengths: Sequence[int], seed: int = 0) -> list[np.ndarray]:
    random = np.random.default_rng(seed)
    return [(random.standard_normal(n) * random.uniform(0.001, 0.3)).astype(np.float32) for n in lengths]


@pytest.fixture(scope="module")
def module() -> Any:
    return make_module()


@pytest.fixture(scope="module")
def encoder(module: Any) -> PackedEncoder:
    return PackedEncoder(module)


def assert_equals_funasr(encoder: PackedEncoder, module: Any, waves: list[np.ndarray]) -> None:
    found = encoder.encode(waves)
    assert len(found) == len(waves)
    for wave, frames in zip(waves, found, strict=True):
        expected = funasr_frames(module, wave)
        assert frames.shape == expected.shape == (count_frames(len(wave)), encoder.dim)
        assert frames.dtype == torch.float32
        torch.testing.assert_close(frames, expected, atol=TOLERANCE, rtol=0)


@settings(max_examples=12, deadline=None)
@given(
    lengths=st.lists(st.integers(400, 4 * 16_000), min_size=1, max_size=8),
    max_tokens=st.sampled_from([1, 100, 300, 2048]),
    seed=st.integers(0, 99),
)
def test_equals_funasr_in_any_company(
    encoder: PackedEncoder, module: Any, lengths: list[int], max_tokens: int, seed: int
) -> None:
    encoder.max_tokens = max_tokens
    assert_equals_funasr(encoder, module, make_waves(lengths, seed))


def test_equals_funasr_at_every_edge_of_a_frame(encoder: PackedEncoder, module: Any) -> None:
    encoder.max_tokens = 2048
    edges = [400, 401, 719, 720, 721, 1039, 1040, 1600, 16_000, 16_079, 16_080, 16_081, 15_999]
    assert_equals_funasr(encoder, module, make_waves([*edges, 30 * 16_000, 400]))


@pytest.mark.parametrize(
    "audio",
    [
        {"learned_alibi_scale_per_layer": True},
        {"learned_alibi_scale_per_head": False},
        {"num_alibi_heads": 3},
        {"use_alibi_encoder": False},
        {"num_extra_tokens": 3},
        {"num_extra_tokens": 0},
        {"num_extra_tokens": 20},
        {"conv_pos_pre_ln": True},
        {"conv_pos_width": 40, "conv_pos_depth": 2},
    ],
    ids=lambda audio: ",".join(f"{key}={value}" for key, value in audio.items()),
)
def test_other_settings_of_the_architecture(audio: dict[str, Any]) -> None:
    module = make_module(**audio)
    assert_equals_funasr(PackedEncoder(module), module, make_waves([9_000, 400, 5_000, 6 * 16_000]))


def test_heads_that_are_no_power_of_two() -> None:
    module = make_module("base", num_extra_tokens=10)
    module.blocks = module.blocks[:1]
    module.modality_encoders["AUDIO"].context_encoder.blocks = nn.ModuleList()
    assert_equals_funasr(PackedEncoder(module), module, make_waves([8_000, 3_000]))


def test_hidden_layers_are_the_outputs_of_funasrs_blocks(encoder: PackedEncoder, module: Any) -> None:
    blocks = [*module.modality_encoders["AUDIO"].context_encoder.blocks, *module.blocks]
    waves = make_waves([20_000, 700, 90_000])
    found = encoder.encode(waves, layers=(-1, 0))
    for wave, layers in zip(waves, found, strict=True):
        seen: list[Tensor] = []
        hooks = [block.register_forward_hook(lambda _, __, out, seen=seen: seen.append(out[0])) for block in blocks]
        funasr_frames(module, wave)
        for hook in hooks:
            hook.remove()
        expected = torch.stack([seen[-1][0, 10:], seen[0][0, 10:]])
        torch.testing.assert_close(layers, expected, atol=TOLERANCE, rtol=0)


def test_pooling_is_the_mean_over_frames(encoder: PackedEncoder) -> None:
    waves = make_waves([20_000, 400, 90_000])
    for layers in (None, (0, 1)):
        frames = encoder.encode(waves, layers=layers)
        pooled = encoder.encode(waves, layers=layers, pool=True)
        torch.testing.assert_close(pooled, [found.mean(dim=-2) for found in frames], atol=1e-6, rtol=0)


def test_settings_of_the_process_are_left_alone(encoder: PackedEncoder) -> None:
    seen: list[str] = []
    hook = encoder.network.register_forward_pre_hook(lambda *_: seen.append(torch.get_float32_matmul_precision()))
    torch.set_float32_matmul_precision("medium")
    threads, state = torch.get_num_threads(), torch.get_rng_state()
    try:
        encoder.encode(make_waves([8_000]))
        assert torch.get_float32_matmul_precision() == "medium"
    finally:
        torch.set_float32_matmul_precision("highest")
        hook.remove()
    assert seen == ["highest"]
    assert torch.get_num_threads() == threads
    assert torch.equal(torch.get_rng_state(), state)


def test_it_does_not_need_the_training_decoder_nor_the_module_afterwards(module: Any) -> None:
    slim = copy.deepcopy(module)
    slim.modality_encoders["AUDIO"].remove_pretraining_modules()
    encoder = PackedEncoder(slim)
    slim.to("meta")
    assert_equals_funasr(encoder, module, make_waves([5_000, 16_000]))


def test_order_is_kept_and_repeats_are_bitwise_the_same(encoder: PackedEncoder) -> None:
    encoder.max_tokens = 400
    lengths = [16_000 + 320 * n for n in (3, 40, 1, 90, 7, 0, 21)]
    waves = make_waves(lengths)
    first, second = encoder.encode(waves), encoder.encode(waves)
    assert [len(frames) for frames in first] == [count_frames(length) for length in lengths]
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
    streamed = dict(encoder.stream(waves))
    assert all(torch.equal(streamed[i], first[i]) for i in range(len(waves)))


@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_a_neighbour_of_nan_changes_not_one_bit(module: Any, precision: Any) -> None:
    encoder = PackedEncoder(module, precision=precision)
    before, between, after = make_waves([30_000, 30_000, 30_000])
    expected = encoder.encode([before, between, after])
    for poison in (np.nan, np.inf):
        found = encoder.encode([before, np.full_like(between, poison), after])
        assert torch.equal(found[0], expected[0])
        assert torch.equal(found[2], expected[2])
        assert not found[1].isfinite().any()


def test_frames_are_ones_own_and_can_be_trained_on(encoder: PackedEncoder) -> None:
    frames, other = encoder.encode(make_waves([8_000, 8_000]))
    assert frames.untyped_storage().data_ptr() != other.untyped_storage().data_ptr()
    head = nn.Linear(encoder.dim, 2)
    head(frames).sum().backward()  # an inference tensor would refuse
    assert head.weight.grad is not None


class LargestTensor(TorchDispatchMode):
    """Values of the largest tensor that any operation makes."""

    values = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        for part in out if isinstance(out, (tuple, list)) else [out]:
            if isinstance(part, Tensor) and part.layout == torch.strided:
                self.values = max(self.values, part.untyped_storage().nbytes() // part.element_size())
        return out


@pytest.mark.parametrize("onednn", [True, False])
def test_long_clips_need_memory_by_their_length_not_its_square(
    encoder: PackedEncoder, module: Any, onednn: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not onednn:  # what runs on CPUs and builds without it
        monkeypatch.setattr("extractors.emotion2vec.attention.has_onednn", lambda *_: False)
    wave, short = make_waves([60 * 16_000, 7_000])
    with LargestTensor() as largest:
        found = encoder.encode([wave, short])
    frames = count_frames(len(wave))
    assert largest.values < frames**2  # the scores of one head alone, where the model has four
    torch.testing.assert_close(found[0], funasr_frames(module, wave), atol=TOLERANCE, rtol=0)
    torch.testing.assert_close(found[1], funasr_frames(module, short), atol=TOLERANCE, rtol=0)
    module.alibi_biases.clear()  # FunASR would keep 144 MB


OUT_OF_MEMORY = torch.OutOfMemoryError("CUDA out of memory")
CUBLAS = RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`")


def pack_sizes(
    encoder: PackedEncoder, limit: float = float("inf"), error: RuntimeError = OUT_OF_MEMORY
) -> tuple[list[int], Any]:
    """Tokens of each pack that runs; packs above `limit` run out of memory, as they would on a GPU."""
    sizes: list[int] = []

    def hook(_: nn.Module, inputs: tuple[Tensor, Layout, Any]) -> None:
        if inputs[1].tokens > limit:
            raise type(error)(f"{error}: {inputs[1].tokens} tokens")
        sizes.append(inputs[1].tokens)

    return sizes, encoder.network.register_forward_pre_hook(hook)


def test_memory_depends_on_the_budget_not_on_the_number_of_clips(module: Any) -> None:
    encoder = PackedEncoder(module, max_tokens=300)
    sizes, _ = pack_sizes(encoder)
    encoder.encode(make_waves([16_000] * 40))
    assert sizes == [256] * 10  # four clips of 59 tokens each, rounded up


@pytest.mark.parametrize("error", [OUT_OF_MEMORY, CUBLAS], ids=["torch", "cublas"])
def test_out_of_memory_halves_the_budget_and_nothing_is_lost(module: Any, error: RuntimeError) -> None:
    waves = make_waves([16_000, 400, 50_000, 9_000, 30_000, 64_000, 20_000, 800])
    expected = PackedEncoder(module).encode(waves)
    encoder = PackedEncoder(module, max_tokens=2048)
    sizes, hook = pack_sizes(encoder, limit=260, error=error)
    found = encoder.encode(waves)
    assert max(sizes) <= 260
    assert encoder.max_tokens <= 260 * 2
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a, b, atol=TOLERANCE, rtol=0)
    hook.remove()
    budget, (sizes, _) = encoder.max_tokens, pack_sizes(encoder)
    encoder.encode(waves)
    assert max(sizes) <= max(budget, 256)  # remembered


def test_one_utterance_that_never_fits_is_an_error(module: Any) -> None:
    encoder = PackedEncoder(module)
    pack_sizes(encoder, limit=100)
    with pytest.raises(torch.OutOfMemoryError):
        encoder.encode(make_waves([64_000, 400]))


@pytest.mark.parametrize("error", [OUT_OF_MEMORY, CUBLAS], ids=["torch", "cublas"])
def test_no_memory_at_all_is_an_error_and_not_tried_for_ever(module: Any, error: RuntimeError) -> None:
    encoder = PackedEncoder(module)
    pack_sizes(encoder, limit=0, error=error)
    with pytest.raises(type(error)) as caught:
        encoder.encode(make_waves([400, 400, 800]))
    assert "free some of it" in "".join(caught.value.__notes__)


def test_other_errors_are_not_taken_for_it(module: Any) -> None:
    encoder = PackedEncoder(module, max_tokens=2048)
    pack_sizes(encoder, limit=100, error=RuntimeError("CUDA error: an illegal memory access was encountered"))
    with pytest.raises(RuntimeError, match="illegal memory access"):
        encoder.encode(make_waves([64_000, 400]))
    assert encoder.max_tokens == 2048


@pytest.mark.parametrize("precision", ["int8", "bfloat16"])
def test_lower_precisions_stay_close_and_ignore_pack_mates(module: Any, precision: Any) -> None:
    try:
        encoder = PackedEncoder(module, precision=precision)
    except InputError as error:
        pytest.skip(str(error))
    waves = make_waves([40_000, 400, 16_000, 80_000, 7_000])
    together = encoder.encode(waves)
    for wave, frames in zip(waves, together, strict=True):
        expected = funasr_frames(module, wave)
        cosine = torch.cosine_similarity(frames.mean(0), expected.mean(0), dim=0)
        assert cosine > 0.998
        assert (frames - expected).abs().max() < 0.5
        assert not torch.equal(frames, expected)
        (alone,) = encoder.encode([wave])
        assert torch.equal(alone, frames)


def test_unusable_waves_are_all_named(encoder: PackedEncoder) -> None:
    good = make_waves([16_000])[0]
    with pytest.raises(InputError) as caught:
        encoder.encode([good, good[:399], good.astype(np.float64), np.stack([good, good])])  # type: ignore[list-item]
    assert [problem[:6] for problem in caught.value.problems] == ["wave 1", "wave 2", "wave 3"]


def test_nothing_in_nothing_out(encoder: PackedEncoder) -> None:
    assert encoder.encode([]) == []


def test_layers_that_do_not_exist_are_refused(encoder: PackedEncoder) -> None:
    assert encoder.num_layers == 2
    with pytest.raises(InputError, match="layers 0 to 1"):
        encoder.encode(make_waves([8_000]), layers=(0, 2))


@pytest.mark.parametrize(
    ("change", "arguments", "problem"),
    [
        (lambda module: module.cfg.update(layer_norm_first=True), {}, "layer_norm_first"),
        (
            lambda module: setattr(module.modality_encoders["AUDIO"].local_encoder.conv_layers[3][0], "stride", (3,)),
            {},
            "convolutions",
        ),
        (lambda module: None, {"precision": "float16"}, "float16 is for CUDA"),
        (lambda module: None, {"precision": "float64"}, "precision"),
        (lambda module: None, {"max_tokens": 0}, "max_tokens"),
    ],
)
def test_what_it_cannot_run_is_refused(
    module: Any, change: Callable[[Any], Any], arguments: dict[str, Any], problem: str
) -> None:
    changed = copy.deepcopy(module)
    change(changed)
    with pytest.raises(InputError, match=problem):
        PackedEncoder(changed, **arguments)


@pytest.mark.slow
def test_full_size_equals_funasr_and_the_lower_precisions_keep_its_direction() -> None:
    module = make_module("large")
    waves = make_waves([400, 16_000, 50_001, 12 * 16_000])
    assert_equals_funasr(PackedEncoder(module), module, waves)
    expected = torch.stack([funasr_frames(module, wave).mean(0) for wave in waves])
    for precision, bound in (("int8", 0.998), ("bfloat16", 0.9999)):
        try:
            encoder = PackedEncoder(module, precision=precision)  # type: ignore[arg-type]
        except InputError:
            continue  # this CPU does not compute in it
        found = torch.stack([frames.mean(0) for frames in encoder.encode(waves)])
        assert torch.cosine_similarity(found, expected).min() > bound


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA here")
def test_on_cuda_too(module: Any) -> None:
    waves = make_waves([400, 16_000, 5 * 16_000, 30 * 16_000, 1_000])
    assert_equals_funasr(PackedEncoder(module, device="cuda"), module, waves)
    expected = torch.stack([funasr_frames(module, wave).mean(0) for wave in waves])
    for precision in ("bfloat16", "float16"):
        found = torch.stack(PackedEncoder(module, device="cuda", precision=precision).encode(waves, pool=True))  # type: ignore[arg-type]
        assert torch.cosine_similarity(found, expected).min() > 0.999


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA here")
def test_a_pack_is_set_going_without_waiting_for_the_gpu(module: Any) -> None:
    waves = make_waves([400, 16_000, 5 * 16_000, 1_000])
    encoder = PackedEncoder(module, device="cuda")
    expected = encoder.encode(waves)  # what the first call compiles may wait
    layout = Layout(tuple(count_frames(len(wave)) for wave in waves), encoder.network.slots, encoder.network.extra)
    torch.cuda.set_sync_debug_mode("error")
    try:
        with torch.inference_mode(), full_float32():
            packed = pack_waves(waves, layout, encoder.device, normalize=True)
            found = encoder.network(packed, layout, [encoder.num_layers - 1])
    finally:
        torch.cuda.set_sync_debug_mode("default")
    start, stop = layout.frame_spans[2]
    torch.testing.assert_close(found[0, start:stop].cpu(), expected[2], atol=TOLERANCE, rtol=0)
