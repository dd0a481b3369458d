"""What the calls of a head mean inside a stack: dropout from numbers of its own, and linear layers by the faster way."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from math import prod
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor
from torch.overrides import TorchFunctionMode

from fusion.engines.batched.products import Sink, linear


class Site(NamedTuple):
    """A dropout that one model comes by in a forward pass: the shape of what it is given, and the chance to be zeroed."""

    shape: tuple[int, ...]
    probability: float


class _Dropouts(TorchFunctionMode):
    """Inside, `torch.nn.functional.dropout` and so `nn.Dropout` are what `drop` says. All else is as it was."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Sequence[Any] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if func is F.dropout or func is torch.dropout:
            return self._dropout(*args, **(kwargs or {}))
        return func(*args, **(kwargs or {}))

    def _dropout(
        self, input: Tensor, p: float = 0.5, train: bool = True, inplace: bool = False, training: bool = True
    ) -> Tensor:
        # torch.dropout says `train` where torch.nn.functional.dropout says `training`
        if not (train and training) or p <= 0:
            return input
        return self.drop(input, p) if p < 1 else torch.zeros_like(input)

    def drop(self, values: Tensor, probability: float) -> Tensor:
        raise NotImplementedError


class RecordDropout(_Dropouts):
    """Drops nothing, and notes in `sites` what would have been dropped.

    >>> with RecordDropout() as record:
    ...     _ = torch.nn.Dropout(0.3)(torch.ones(2, 5))
    >>> record.sites
    [Site(shape=(2, 5), probability=0.3)]
    """

    def __init__(self) -> None:
        super().__init__()
        self.sites: list[Site] = []

    def drop(self, values: Tensor, probability: float) -> Tensor:
        self.sites.append(Site(tuple(values.shape), probability))
        return values


class StackedCalls(_Dropouts):
    """For a forward pass under `torch.vmap`: each dropout multiplies by the next of `masks`, as `draw_masks` makes them.

    sink : where the backward pass is to leave the gradients of large weights
    """

    def __init__(self, masks: Sequence[Tensor], sink: Sink) -> None:
        super().__init__()
        self._masks: Iterator[Tensor] = iter(masks)
        self._sink = sink

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Sequence[Any] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if func is F.linear:
            return linear(*args, **(kwargs or {}), sink=self._sink)
        return super().__torch_function__(func, types, args, kwargs)

    def drop(self, values: Tensor, probability: float) -> Tensor:
        return values * next(self._masks)


def draw_masks(sites: Sequence[Site], generators: Sequence[torch.Generator]) -> list[Tensor]:
    """For each site a mask (models, *shape) float32: 0, or 1 / (1 - probability).

    Model k's part is drawn from `generators[k]`, site by site: on a CPU the very numbers that torch's dropout would draw
    if that were the global generator.

    >>> mask = draw_masks([Site((4, 3), 0.5)], [torch.Generator().manual_seed(1)])[0]
    >>> _ = torch.manual_seed(1)
    >>> torch.equal(mask[0], torch.dropout(torch.ones(4, 3), 0.5, train=True))
    True
    """
    models, device = len(generators), generators[0].device
    sizes = [prod(shape) for shape, _ in sites]
    # what Tensor.bernoulli_ does on a CPU, in a third of its time: it is the comparison that it is slow at
    draws = torch.empty(models, sum(sizes), dtype=torch.float64, device=device)
    if sites:
        for own, generator in zip(draws.unbind(0), generators, strict=True):
            torch.rand(own.shape, dtype=torch.float64, generator=generator, out=own)
    masks = []
    for part, (shape, probability) in zip(draws.split(sizes, dim=1), sites, strict=True):
        mask = torch.empty(models, *shape, device=device)
        torch.lt(part.unflatten(1, shape), 1 - probability, out=mask)
        masks.append(mask.div_(1 - probability))
    return masks
