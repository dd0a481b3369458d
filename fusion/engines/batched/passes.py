"""A forward and a backward pass of a stack: worked out at first, then played back from a recording."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from fusion.engines.batched.products import Sink
from fusion.engines.batched.recording import plain_state, record
from fusion.engines.batched.skeleton import Skeleton

log = logging.getLogger(__name__)

RECORDED_AFTER = 200  # steps of one shape: what a recording has saved by as many more is about what it costs
KNOWN_LOSSES = ("fusion.losses", "torch.nn.modules.loss")  # functions of arguments and buffers, and of nothing else
CLOSE = 1e-3


@dataclass(frozen=True)
class Given:
    """What a pass is given.

    stack    : name -> (models, *shape), all parameters and buffers
    features : modality -> (models, batch, dim), zero where not shown
    shown    : modality -> (models, batch) bool
    masks    : of the dropouts, as `draw_masks` makes them
    goals    : (models, batch) int64, or (models, batch, classes) float32
    losses   : of each model
    """

    stack: Mapping[str, Tensor]
    features: Mapping[str, Tensor]
    shown: Mapping[str, Tensor]
    masks: Sequence[Tensor]
    goals: Tensor
    losses: Sequence[nn.Module]

    @property
    def learned(self) -> list[Tensor]:
        """The parameters."""
        return [tensor for tensor in self.stack.values() if tensor.requires_grad]


@dataclass(frozen=True)
class Learnt:
    """What comes of it.

    losses    : (models,)
    gradients : of each parameter, one for each model; None where it has no part in the loss
    """

    losses: Tensor
    gradients: Sequence[Sequence[Tensor] | None]


class Passes:
    """Does passes; those of a shape that comes often, on a CPU, from a recording.

    A step of a small head is some hundred short operations, and a fifth of its time goes into finding out which they are:
    modules, `torch.vmap`, autograd. They are the same in every step.

    Args:
        skeleton: the head.
        recordable: False where it draws random numbers of its own.
    """

    def __init__(self, skeleton: Skeleton, *, recordable: bool) -> None:
        self.skeleton, self.recordable = skeleton, recordable
        self._seen: Counter[Any] = Counter()
        self._recorded: dict[Any, Callable[[Given], Learnt]] = {}

    def run(self, given: Given) -> Learnt:
        """Losses and gradients."""
        key = self._key(given) if self.recordable else None
        if key is None:
            return self._work_out(given)
        if key not in self._recorded:
            self._seen[key] += 1
            if self._seen[key] <= RECORDED_AFTER:
                return self._work_out(given)
            self._recorded[key] = self._record(given)
        return self._recorded[key](given)

    def _key(self, given: Given) -> Any:
        """What a recording depends on beside the numbers; None where it would depend on more."""
        known = all(type(loss).__module__.startswith(KNOWN_LOSSES) for loss in given.losses)
        if given.goals.device.type != "cpu" or not known:
            return None
        return given.goals.shape, given.goals.dtype, tuple(plain_state(loss) for loss in given.losses)

    def _work_out(self, given: Given) -> Learnt:
        learned = given.learned
        sink = Sink(learned)
        logits = self.skeleton.logits(given.stack, given.features, given.shown, given.masks, sink)
        losses = [
            loss(said, goals)
            for loss, said, goals in zip(given.losses, logits.unbind(0), given.goals.unbind(0), strict=True)
        ]
        # a model's loss depends on nothing of the others: the gradients of the sum are those of each
        gradients = torch.autograd.grad(losses, learned, allow_unused=True)
        return Learnt(
            torch.stack([loss.detach() for loss in losses]),
            [sink.take(tensor, gradient) for tensor, gradient in zip(learned, gradients, strict=True)],
        )

    def _record(self, given: Given) -> Callable[[Given], Learnt]:
        """Does for others of this shape what `_work_out` does; that itself where it cannot be recorded."""
        try:
            play = Player(self._work_out, self.skeleton.head, given)
            if not _alike(play(given), self._work_out(given)):
                raise RuntimeError("it answers differently when played back")
        except Exception as error:  # whatever the tracer dislikes: then it goes on as before
            log.debug("the steps of this head are not recorded: %s", error)
            return self._work_out
        return play


class Player:
    """`work_out` from a recording.

    Args:
        work_out: what to record.
        head: must not change in it.
        given: of the shape that it is recorded for. What is always so of them is told from what happens to be so by
            recording it with other rows hidden, at random.
    """

    def __init__(self, work_out: Callable[[Given], Learnt], head: nn.Module, given: Given) -> None:
        names, modalities, losses = list(given.stack), list(given.features), given.losses
        learns = [tensor.requires_grad for tensor in given.stack.values()]
        many = len(modalities)
        self._models: list[int] = []  # of each parameter: gradients, 0 for None

        def flat_work_out(*flat: Tensor) -> list[Tensor]:
            left = iter(flat)
            stack = {
                name: next(left).detach().requires_grad_(learned) for name, learned in zip(names, learns, strict=True)
            }
            features = {m: next(left) for m in modalities}
            shown = {m: next(left) for m in modalities}
            masks, goals = [next(left) for _ in given.masks], next(left)
            with _Borrowed(losses, list(left)), torch.enable_grad():
                learnt = work_out(Given(stack, features, shown, masks, goals, losses))
            self._models = [len(own or ()) for own in learnt.gradients]
            return [learnt.losses, *(part for own in learnt.gradients for part in own or ())]

        generator = torch.Generator().manual_seed(0)
        shown = {m: torch.rand(here.shape, generator=generator) < 0.5 for m, here in given.shown.items()}
        features = {m: values * shown[m][..., None] for m, values in given.features.items()}
        sample = Given(given.stack, features, shown, given.masks, given.goals, losses)
        silent = {len(names) + place: len(names) + many + place for place in range(many)}
        before = [plain_state(module) for module in head.modules()]
        self._play = record(flat_work_out, _flat(sample), silent)
        if [plain_state(module) for module in head.modules()] != before:
            raise RuntimeError("the head remembers something of each call")

    def __call__(self, given: Given) -> Learnt:
        with torch.no_grad():
            losses, *parts = self._play(*_flat(given))
        left = iter(parts)
        return Learnt(losses, [[next(left) for _ in range(models)] or None for models in self._models])


class _Borrowed:
    """Inside, the tensors of `modules` are those given."""

    def __init__(self, modules: Sequence[nn.Module], tensors: Sequence[Tensor]) -> None:
        self._places = [place for module in modules for place in _places(module)]
        self._own = [held[name] for held, name in self._places]
        self._lent = tensors

    def __enter__(self) -> None:
        for (held, name), tensor in zip(self._places, self._lent, strict=True):
            held[name] = tensor

    def __exit__(self, *_: object) -> None:
        for (held, name), tensor in zip(self._places, self._own, strict=True):
            held[name] = tensor


def _places(module: nn.Module) -> list[tuple[dict[str, Any], str]]:
    held: list[dict[str, Any]] = [module._parameters, module._buffers]
    return [(tensors, name) for tensors in held for name, tensor in tensors.items() if tensor is not None]


def _flat(given: Given) -> list[Tensor]:
    return [
        *(tensor.detach() for tensor in given.stack.values()),
        *given.features.values(),
        *given.shown.values(),
        *given.masks,
        given.goals,
        *(held[name] for loss in given.losses for held, name in _places(loss)),
    ]


def _alike(one: Learnt, other: Learnt) -> bool:
    if [own is None for own in one.gradients] != [own is None for own in other.gradients]:
        return False
    mine = [one.losses, *(part for own in one.gradients for part in own or ())]
    theirs = [other.losses, *(part for own in other.gradients for part in own or ())]
    return all(
        torch.allclose(a, b, rtol=CLOSE, atol=CLOSE * float(b.abs().max()), equal_nan=True)
        for a, b in zip(mine, theirs, strict=True)
    )
