"""Emotion2Vec+ over many utterances at once: FunASR's numbers, without its padding, its loop and its memory."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from extractors.emotion2vec.budget import automatic_budget
from extractors.emotion2vec.exact import full_float32
from extractors.emotion2vec.network import PackedNetwork, unsupported
from extractors.emotion2vec.packing import FIELD, GRAIN, Layout, count_frames, plan_packs
from extractors.emotion2vec.transfer import to_device
from extractors.emotion2vec.waves import pack_waves
from extractors.errors import InputError

log = logging.getLogger(__name__)

Precision = Literal["float32", "bfloat16", "float16", "int8"]
Wave = NDArray[np.float32]


class PackedEncoder:
    """FunASR's Emotion2vec module, packed: the same numbers for every utterance, whatever shares its batch.

    module : FunASR's `Emotion2vec`, with or without its training decoder; its weights are taken over, it may go
    device : "cpu" or a CUDA device
    precision : "float32" equals the module to about 1e-5; "bfloat16" for CUDA, and CPUs with AVX512-BF16 or AMX;
        "float16" for CUDA; "int8" for the CPU
    max_tokens : tokens that run at once (frames, and ten for each utterance), or "auto"; memory depends on it and on
        the longest utterance alone. On CUDA it is halved, for good, when memory runs out

    Raises InputError for a module or a precision that cannot be run.

    >>> from extractors.emotion2vec.architecture import build_module
    >>> from extractors.emotion2vec.synthetic import random_model_conf
    >>> module = build_module(random_model_conf("tiny"), vocab_size=9).to_empty(device="cpu")
    >>> _ = [torch.nn.init.normal_(parameter) for parameter in module.parameters()]
    >>> encoder = PackedEncoder(module)
    >>> waves = [np.sin(np.arange(samples, dtype=np.float32)) for samples in (16_000, 400)]
    >>> [tuple(frames.shape) for frames in encoder.encode(waves)]
    [(49, 64), (1, 64)]
    """

    def __init__(
        self,
        module: nn.Module,
        *,
        device: str | torch.device = "cpu",
        precision: Precision = "float32",
        max_tokens: int | Literal["auto"] = "auto",
    ) -> None:
        self.device, self.precision = torch.device(device), precision
        _check_settings(module, self.device, precision, max_tokens)
        config: Any = module.cfg
        self.dim = int(config.embed_dim)  # width of a frame's vector
        self._normalize = bool(config.normalize)
        with torch.inference_mode():
            self.network = PackedNetwork(module, self.device, precision).eval()
        self.max_tokens = automatic_budget(self.device, self.dim) if max_tokens == "auto" else max_tokens

    @property
    def num_layers(self) -> int:
        """Transformer blocks; `layers` counts them from 0, or from the end with -1."""
        return len(self.network.blocks)

    def encode(self, waves: Sequence[Wave], *, layers: Sequence[int] | None = None, pool: bool = False) -> list[Tensor]:
        """Frames of each wave, in the order given.

        waves : each (samples,) float32, mono, 16 kHz, at least 400 samples
        layers : blocks whose outputs are wanted instead of the last one's: 0 … num_layers - 1, or -1 … from the end
        pool : the mean over a wave's frames, (dim,) or (len(layers), dim), instead of them; far less to copy from a GPU

        Returns float32 on the CPU: (frames, dim) for each wave, or (len(layers), frames, dim) where `layers` are given.
        There is one frame every 20 ms: frames = (samples - 400) // 320 + 1.
        Raises InputError for waves of another kind or shorter, and for layers that do not exist.
        """
        found = dict(self.stream(waves, layers=layers, pool=pool))
        return [found[index] for index in range(len(waves))]

    def stream(
        self, waves: Sequence[Wave], *, layers: Sequence[int] | None = None, pool: bool = False
    ) -> Iterator[tuple[int, Tensor]]:
        """(index, frames) as `encode` has them, as packs get done: about from the longest wave to the shortest."""
        _check_waves(waves)
        numbers = self._numbers(layers)
        counts = [count_frames(len(wave)) for wave in waves]
        pending: _Pending | None = None
        left = list(range(len(waves)))
        while left:
            budget = max(self.max_tokens // GRAIN, 1) * GRAIN  # rounded down, for packs are rounded up
            plan = plan_packs([counts[index] for index in left], slots=self.network.slots, max_tokens=budget)
            done: set[int] = set()
            for pack in ([left[place] for place in places] for places in plan):
                started = self._start(waves, pack, counts, numbers, pool=pool)
                if started is None:
                    break  # the budget has shrunk: plan what is left anew
                if pending is not None:
                    yield from pending.results(layers=layers is not None, pool=pool)
                pending = started
                done.update(pack)
            left = [index for index in left if index not in done]
        if pending is not None:
            yield from pending.results(layers=layers is not None, pool=pool)

    def _start(
        self, waves: Sequence[Wave], pack: list[int], counts: list[int], numbers: list[int], *, pool: bool
    ) -> _Pending | None:
        """Runs a pack (on CUDA: sets it going). None where memory ran out and a smaller budget may help."""
        layout = Layout(tuple(counts[index] for index in pack), self.network.slots, self.network.extra)
        try:
            with torch.inference_mode(), full_float32():
                wave = pack_waves([waves[index] for index in pack], layout, self.device, normalize=self._normalize)
                kept = self.network(wave, layout, numbers)
                frames = kept[:, to_device(layout.frame_places, self.device)].float()
                sizes = list(layout.frames)
                if pool:
                    frames = torch.stack([part.mean(dim=1) for part in frames.split(sizes, dim=1)], dim=1)
                    sizes = [1] * len(pack)
                return _Pending(pack, sizes, *_to_host(frames))
        except RuntimeError as error:
            if not _out_of_memory(error):
                raise
            if len(pack) == 1 or layout.tokens <= GRAIN:  # there is nothing to halve
                seconds = sum(layout.frames) / 50  # Hz
                error.add_note(
                    f"Not even {seconds:.1f} s of audio fit into what memory is left: free some of it, or cut long clips in "
                    "windows."
                )
                raise
        # only here is the failed pack's memory free again: the exception held on to it
        self.max_tokens = min(self.max_tokens, layout.tokens) // 2
        log.warning("out of memory with %d tokens; from now on at most %d run at once", layout.tokens, self.max_tokens)
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
        return None

    def _numbers(self, layers: Sequence[int] | None) -> list[int]:
        if layers is None:
            return [self.num_layers - 1]
        wrong = [f"layer {layer}" for layer in layers if not -self.num_layers <= layer < self.num_layers]
        if wrong:
            raise InputError(f"the encoder has layers 0 to {self.num_layers - 1}, or -1 from the end", wrong)
        return [layer % self.num_layers for layer in layers]


class _Pending(NamedTuple):
    """A pack whose frames are on their way to the CPU."""

    pack: list[int]
    sizes: list[int]  # frames of each utterance
    frames: Tensor  # (layers, sum(sizes), dim) float32
    ready: torch.cuda.Event | None

    def results(self, *, layers: bool, pool: bool) -> Iterator[tuple[int, Tensor]]:
        if self.ready is not None:
            self.ready.synchronize()
        for index, part in zip(self.pack, self.frames.split(self.sizes, dim=1), strict=True):
            part = part[:, 0] if pool else part
            # a copy: a view would keep the whole pack alive, and an inference tensor could not take part in autograd
            yield index, (part if layers else part[0]).clone()


def _to_host(frames: Tensor) -> tuple[Tensor, torch.cuda.Event | None]:
    """On CUDA, a copy into pinned memory that goes on while the next pack starts, and the event that ends it."""
    if frames.device.type != "cuda":
        return frames, None
    host = torch.empty(frames.shape, dtype=frames.dtype, pin_memory=True)
    host.copy_(frames, non_blocking=True)
    ready = torch.cuda.Event()
    ready.record(torch.cuda.current_stream(frames.device))
    return host, ready


def _out_of_memory(error: RuntimeError) -> bool:
    """Whether memory ran out, also where a library of CUDA's wanted some for itself and says so in its own way."""
    return isinstance(error, torch.OutOfMemoryError) or "STATUS_ALLOC_FAILED" in str(error)


def _check_settings(module: nn.Module, device: torch.device, precision: str, max_tokens: int | str) -> None:
    problems = unsupported(module, device, precision)
    if precision not in get_args(Precision):
        problems.append(f"precision: expected one of {', '.join(get_args(Precision))}, got {precision!r}")
    if max_tokens != "auto" and (not isinstance(max_tokens, int) or max_tokens < 1):
        problems.append(f"max_tokens: expected a positive number or 'auto', got {max_tokens!r}")
    if problems:
        raise InputError("the packed encoder cannot run this", problems)


def _check_waves(waves: Sequence[Wave]) -> None:
    problems = []
    for number, wave in enumerate(waves):
        if wave.ndim != 1 or wave.dtype != np.float32:
            problems.append(f"wave {number}: expected float32 (samples,), got {wave.dtype} {wave.shape}")
        elif len(wave) < FIELD:
            problems.append(f"wave {number}: {len(wave)} samples; a frame takes {FIELD} (25 ms)")
    if problems:
        raise InputError("the encoder cannot take these waves", problems, "Pass mono float32 arrays at 16 kHz.")
