"""A step of many models at once: one forward and one backward pass over stacked parameters."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

import torch
from torch import Tensor

from fusion.data.datamodule import Batch
from fusion.engines.batched.calls import RecordDropout, Site, draw_masks
from fusion.engines.batched.member import Member
from fusion.engines.batched.parameters import Layouts, lie_alike, stacked
from fusion.engines.batched.passes import Given, Passes
from fusion.engines.batched.skeleton import Skeleton
from fusion.engines.batched.updates import step_together

JUDGED = 1024  # validation rows at a time


class Stack:
    """Heads of the same shape, trained in step. Each has its own rows, loss, optimizer and random numbers.

    Args:
        modality_dropout: chance that a modality of a training row is hidden.
        recordable: see `Passes`.
    """

    def __init__(self, *, modality_dropout: float, recordable: bool = True) -> None:
        self.modality_dropout, self.recordable = modality_dropout, recordable
        self._layouts = Layouts()
        self._members: list[Member] = []
        self._stack: dict[str, Tensor] = {}
        self._slices: dict[tuple[int, int], dict[str, Tensor]] = {}  # first, end -> that part of the stack
        self._passes: Passes | None = None
        self._sites: dict[int, list[Site]] = {}  # rows of a batch -> the dropouts that one model comes by
        self._buffers: dict[tuple[int, int], dict[str, Tensor]] = {}  # models, rows -> where features are gathered

    def hold(self, members: Sequence[Member]) -> None:
        """From now on these are the models: others' parameters are let go, and the rest closes up."""
        first: dict[int, int] = {}
        for place, member in enumerate(members):
            first.setdefault(id(member.rows), place)
        ordered = sorted(members, key=lambda member: first[id(member.rows)])  # those of a fold beside each other
        if len(ordered) == len(self._members) and all(a is b for a, b in zip(ordered, self._members, strict=True)):
            return
        self._members = ordered
        self._restack()

    def _restack(self) -> None:
        self._slices = {}
        if self._members:
            heads = [member.head for member in self._members]
            self._passes = self._passes or Passes(Skeleton(heads[0].train()), recordable=self.recordable)
            self._stack = stacked(heads, self._layouts, move=True)

    def _part(self, first: int, end: int) -> dict[str, Tensor]:
        """The stack of the models from `first` to before `end`, in the same memory."""
        if end - first == len(self._members):
            return self._stack
        if (first, end) not in self._slices:
            self._slices[first, end] = {
                name: tensor.detach()[first:end].requires_grad_(tensor.requires_grad)
                for name, tensor in self._stack.items()
            }
        return self._slices[first, end]

    def step(self, number: int) -> None:
        """The step `number` of the epoch, for every model whose epoch has that many.

        Batches of different lengths cannot be stacked, so models whose last batch is short take that step by themselves.
        """
        for (first, end), rows in _runs(self._members, lambda member: member.rows_of(number)):
            if rows:
                self._step(first, end, number)

    def validate(self) -> None:
        """Show every model its validation rows; those of the same fold together."""
        assert self._passes is not None
        skeleton = self._passes.skeleton
        skeleton.head.eval()
        with torch.no_grad():
            for (first, end), _ in _runs(self._members, lambda member: id(member.rows)):
                members, stack = self._members[first:end], self._part(first, end)
                for batch in members[0].rows.val.batches():
                    for member, logits in zip(members, _judge(skeleton, stack, batch), strict=True):
                        member.classifier.add_validation(logits, batch)
        skeleton.head.train()

    def _step(self, first: int, end: int, number: int) -> None:
        assert self._passes is not None
        members, stack = self._members[first:end], self._part(first, end)
        positions = torch.stack([member.batches[number] for member in members])
        present, goals = _looked_up(members, positions)
        shown = self._shown(present, members)
        features = self._gather(members, positions, shown)
        by_modality = dict(zip(features, shown.unbind(dim=2), strict=True))
        masks = draw_masks(self._dropouts(features, by_modality), [member.generator for member in members])
        losses = [member.classifier.loss for member in members]
        learnt = self._passes.run(Given(stack, features, by_modality, masks, goals, losses))
        for member, loss in zip(members, learnt.losses.unbind(0), strict=True):
            member.classifier.add_step(loss, positions.shape[1])
        moved = False
        parts: list[Sequence[Tensor | None]] = []
        learned = [(name, tensor) for name, tensor in stack.items() if tensor.requires_grad]
        for (name, tensor), own in zip(learned, learnt.gradients, strict=True):
            if own is None:
                parts.append([None] * len(members))
                continue
            learnt_layout = self._layouts.learn(name, own[0])
            if not learnt_layout and not lie_alike(own[0], tensor[0]):
                own = [torch.empty_like(model).copy_(part) for model, part in zip(tensor.detach(), own, strict=True)]
            moved |= learnt_layout
            parts.append(own)
        if moved:  # the first step only
            self._restack()
        step_together([member.updates for member in members], list(zip(*parts, strict=True)))

    def _gather(self, members: Sequence[Member], positions: Tensor, shown: Tensor) -> dict[str, Tensor]:
        """modality -> (models, batch, dim) float32, zero where not shown."""
        key = len(members), positions.shape[1]
        if key not in self._buffers:
            dims = members[0].head.dims
            self._buffers[key] = {m: torch.empty(*key, dim, device=positions.device) for m, dim in dims.items()}
        features = self._buffers[key]
        for (first, end), _ in _runs(members, lambda member: id(member.rows)):
            out = {m: values[first:end].flatten(0, 1) for m, values in features.items()}
            members[first].rows.train.gather(positions[first:end].flatten(), shown[first:end].flatten(0, 1), out)
        return features

    def _shown(self, present: Tensor, members: Sequence[Member]) -> Tensor:
        """`fusion.modality_dropout.drop_modalities` for all models: the same numbers, drawn from each one's generator."""
        if self.modality_dropout <= 0 or present.shape[2] < 2:
            return present
        draws = torch.empty(present.shape, device=present.device)
        for part, member in zip(draws.unbind(0), members, strict=True):
            torch.rand(part.shape, generator=member.generator, out=part)
        draws.masked_fill_(~present, -1.0)
        return present & ((draws >= self.modality_dropout) | (draws == draws.amax(dim=2, keepdim=True)))

    def _dropouts(self, features: Mapping[str, Tensor], shown: Mapping[str, Tensor]) -> list[Site]:
        assert self._passes is not None
        rows = next(iter(shown.values())).shape[1]
        if rows not in self._sites:
            with torch.no_grad(), RecordDropout() as record:
                self._passes.skeleton.head(
                    {m: values[0] for m, values in features.items()}, {m: mask[0] for m, mask in shown.items()}
                )
            self._sites[rows] = record.sites
        return self._sites[rows]


def _runs(members: Sequence[Member], kind: Callable[[Member], Any]) -> Iterator[tuple[tuple[int, int], Any]]:
    """The first and the end of each run of neighbours of a kind, and the kind."""
    end = 0
    for same, run in groupby(members, kind):
        first, end = end, end + sum(1 for _ in run)
        yield (first, end), same


def _looked_up(members: Sequence[Member], positions: Tensor) -> tuple[Tensor, Tensor]:
    """Presence (models, batch, modalities) bool, and what the loss is held against, at `positions` (models, batch)."""
    present, goals = [], []
    for (first, end), _ in _runs(members, lambda member: id(member.rows)):
        train, own = members[first].rows.train, positions[first:end]
        present.append(train.present[own])
        goals.append(train.goals[own])
    return (present[0], goals[0]) if len(present) == 1 else (torch.cat(present), torch.cat(goals))


def _judge(skeleton: Skeleton, stack: Mapping[str, Tensor], batch: Batch) -> Tensor:
    """(models, batch, classes), in parts that a stack of many models has the memory for."""
    parts = []
    for start in range(0, len(batch.targets), JUDGED):
        span = slice(start, start + JUDGED)
        features = {m: values[span] for m, values in batch.features.items()}
        present = {m: values[span] for m, values in batch.present.items()}
        parts.append(skeleton.logits(stack, features, present, shared=True))
    return torch.cat(parts, dim=1)
