"""Waves end to end, each normalised over its own samples."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from numpy.typing import NDArray
from torch import Tensor

from extractors.emotion2vec.packing import FIELD, HOP, Layout
from extractors.emotion2vec.transfer import to_device

EPS = 1e-5  # torch's default, which FunASR's normalisation takes


def pack_waves(
    waves: Sequence[NDArray[np.float32]], layout: Layout, device: torch.device, *, normalize: bool
) -> Tensor:
    """The packed wave, (layout.samples,) float32 on `device`.

    Each wave is normalised to mean 0 and variance 1 over all its samples; the few at its end that no
    frame sees are then left out.
    """
    if device.type == "cuda":
        flat = torch.empty(sum(map(len, waves)), pin_memory=True)
        np.concatenate(waves, out=flat.numpy())
        return place_flat(
            flat.to(device, non_blocking=True), [len(wave) for wave in waves], layout, normalize=normalize
        )
    packed = torch.zeros(layout.samples)
    for wave, start, frames in zip(waves, layout.wave_starts, layout.frames, strict=True):
        samples = torch.from_numpy(np.ascontiguousarray(wave))
        if normalize:
            samples = F.layer_norm(samples, samples.shape, eps=EPS)
        packed[start : start + _seen(frames)] = samples[: _seen(frames)]
    return packed


def place_flat(flat: Tensor, lengths: Sequence[int], layout: Layout, *, normalize: bool) -> Tensor:
    """The same from all waves in one tensor (samples,), without a loop over them: for GPUs.

    >>> layout = Layout(frames=(1, 2), slots=10, extra=10)
    >>> waves = [np.arange(450, dtype=np.float32), np.arange(800, dtype=np.float32) ** 2]
    >>> packed = place_flat(torch.from_numpy(np.concatenate(waves)), [450, 800], layout, normalize=True)
    >>> bool((packed - pack_waves(waves, layout, torch.device("cpu"), normalize=True)).abs().max() < 1e-5)
    True
    """
    device = flat.device
    table = torch.tensor([list(lengths), [_seen(frames) for frames in layout.frames], list(layout.wave_starts)])
    sizes, seen, starts = to_device(table, device)
    owner = torch.repeat_interleave(sizes, output_size=len(flat))  # utterance of each sample
    if normalize:
        wide = flat.double()
        wide -= _means(wide, sizes)[owner]
        wide *= (_means(wide.square(), sizes) + EPS).rsqrt()[owner]
        flat = wide.float()
    within = torch.arange(len(flat), device=device) - (sizes.cumsum(0) - sizes)[owner]
    # what no frame sees goes to a place past the end: picking the rest out by a mask would wait for the GPU
    place = torch.where(within < seen[owner], within + starts[owner], layout.samples)
    return flat.new_zeros(layout.samples + 1).index_put_((place,), flat)[:-1]


def _means(x: Tensor, sizes: Tensor) -> Tensor:
    return torch.segment_reduce(x, "mean", lengths=sizes, unsafe=True)  # or it would wait to look at the sizes


def _seen(frames: int) -> int:
    """Samples that some frame sees."""
    return (frames - 1) * HOP + FIELD
