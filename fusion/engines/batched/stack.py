"""A step of many models at once: one forward and one backward pass over stacked parameters."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from fusion.data.datamodule import Batch
from fusion.engines.batched.calls import RecordDropout, Site, draw_masks
from fusion.engines.batched.member import Member
from fusion.engines.batched.parameters import Layouts, lie_alike, stacked
from fusion.engines.batched.products import Sink
from fusion.engines.batched.skeleton import Skeleton

JUDGED = 1024  # validation rows at a time


class Stack:
    """Heads of the same shape, trained in step. Each has its own rows, loss, optimizer and random numbers.

    Args:
        modality_dropout: chance that a modality of a training row is hidden.
    """

    def __init__(self, *, modality_dropout: float) -> None:
        self.modality_dropout = modality_dropout
        self._layouts = Layouts()
        self._members: list[Member] = []
        self._stack: dict[str, Tensor] = {}
        self._skeleton: Skeleton | None = None
        self._sites: dict[int, list[Site]] = {}  # rows of a batch -> the dropouts that one model comes by
        self._buffers: dict[tuple[int, int], dict[str, Tensor]] = {}  # models, rows -> where features are gathered

    def hold(self, members: Sequence[Member]) -> None:
        """From now on these are the models: others' parameters are let go, and the rest closes up."""
        if len(members) == len(self._members) and all(a is b for a, b in zip(members, self._members, strict=True)):
            return
        self._members = list(members)
        self._restack()

    def _restack(self) -> None:
        if self._members:
            self._skeleton = self._skeleton or Skeleton(self._members[0].head.train())
            self._stack = stacked([member.head for member in self._members], self._layouts, move=True)

    def step(self, number: int) -> None:
        """The step `number` of the epoch, for every model whose epoch has that many.

        Batches of different lengths cannot be stacked, so models whose last batch is short take that step by themselves.
        """
        alike: dict[int, list[Member]] = defaultdict(list)
        for member in self._members:
            if number < len(member.batches):
                alike[len(member.batches[number])].append(member)
        for members in alike.values():
            whole = len(members) == len(self._members)
            heads = [member.head for member in members]
            stack = self._stack if whole else stacked(heads, self._layouts, move=False)
            self._step(members, stack, [member.batches[number] for member in members])

    def validate(self) -> None:
        """Show every model its validation rows; those of the same fold together."""
        assert self._skeleton is not None
        alike: dict[int, list[Member]] = defaultdict(list)
        for member in self._members:
            alike[id(member.rows)].append(member)
        self._skeleton.head.eval()
        with torch.no_grad():
            for members in alike.values():
                whole = len(members) == len(self._members)
                heads = [member.head for member in members]
                stack = self._stack if whole else stacked(heads, self._layouts, move=False)
                for batch in members[0].rows.val.batches():
                    for member, logits in zip(members, self._judge(stack, batch), strict=True):
                        member.classifier.add_validation(logits, batch)
        self._skeleton.head.train()

    def _judge(self, stack: Mapping[str, Tensor], batch: Batch) -> Tensor:
        """(models, batch, classes), in parts that a stack of many models has the memory for."""
        assert self._skeleton is not None
        parts = []
        for start in range(0, len(batch.targets), JUDGED):
            span = slice(start, start + JUDGED)
            features = {m: values[span] for m, values in batch.features.items()}
            present = {m: values[span] for m, values in batch.present.items()}
            parts.append(self._skeleton.logits(stack, features, present, shared=True))
        return torch.cat(parts, dim=1)

    def _step(self, members: Sequence[Member], stack: Mapping[str, Tensor], batches: Sequence[Tensor]) -> None:
        features, present = self._gather(members, batches)
        present = self._shown(present, members)
        learned = {name: tensor for name, tensor in stack.items() if tensor.requires_grad}
        sink = Sink(learned.values())
        logits = self._forward(stack, features, present, members, sink)  # (models, batch, classes)
        losses = [
            member.classifier.loss(rows, member.goals(batch))
            for member, rows, batch in zip(members, logits.unbind(0), batches, strict=True)
        ]
        for member, loss, batch in zip(members, losses, batches, strict=True):
            member.classifier.add_step(loss, len(batch))
        # a model's loss depends on nothing of the others: the gradients of the sum are those of each
        gradients = torch.autograd.grad(losses, list(learned.values()), allow_unused=True)
        moved = False
        parts: list[Sequence[Tensor | None]] = []
        for (name, tensor), stacked_gradient in zip(learned.items(), gradients, strict=True):
            own = sink.take(tensor, stacked_gradient)
            if own is None:
                parts.append([None] * len(members))
                continue
            learnt = self._layouts.learn(name, own[0])
            if not learnt and not lie_alike(own[0], tensor[0]):
                own = [torch.empty_like(model).copy_(part) for model, part in zip(tensor.detach(), own, strict=True)]
            moved |= learnt
            parts.append(own)
        if moved:  # the first step only
            self._restack()
        for member, own_parts in zip(members, zip(*parts, strict=True), strict=True):
            member.step(list(own_parts))

    def _gather(self, members: Sequence[Member], batches: Sequence[Tensor]) -> tuple[dict[str, Tensor], Tensor]:
        """modality -> (models, batch, dim) float32, and present (models, batch, modalities) bool."""
        head, rows = members[0].head, len(batches[0])
        key = (len(members), rows)
        if key not in self._buffers:
            device = batches[0].device
            self._buffers[key] = {m: torch.empty(*key, dim, device=device) for m, dim in head.dims.items()}
        features = self._buffers[key]
        for place, (member, batch) in enumerate(zip(members, batches, strict=True)):
            member.rows.train.gather(batch, {m: values[place] for m, values in features.items()})
        present = [
            member.rows.train.present.index_select(0, batch) for member, batch in zip(members, batches, strict=True)
        ]
        return features, torch.stack(present)

    def _shown(self, present: Tensor, members: Sequence[Member]) -> Tensor:
        """`fusion.modality_dropout.drop_modalities` for all models: the same numbers, drawn from each one's generator."""
        if self.modality_dropout <= 0 or present.shape[2] < 2:
            return present
        draws = torch.empty(present.shape, device=present.device)
        for part, member in zip(draws.unbind(0), members, strict=True):
            torch.rand(part.shape, generator=member.generator, out=part)
        draws.masked_fill_(~present, -1.0)
        return present & ((draws >= self.modality_dropout) | (draws == draws.amax(dim=2, keepdim=True)))

    def _forward(
        self,
        stack: Mapping[str, Tensor],
        features: Mapping[str, Tensor],
        present: Tensor,
        members: Sequence[Member],
        sink: Sink,
    ) -> Tensor:
        assert self._skeleton is not None
        shown = dict(zip(features, present.unbind(dim=2), strict=True))
        rows = present.shape[1]
        if rows not in self._sites:
            with torch.no_grad(), RecordDropout() as record:
                self._skeleton.head(
                    {m: values[0] for m, values in features.items()}, {m: mask[0] for m, mask in shown.items()}
                )
            self._sites[rows] = record.sites
        masks = draw_masks(self._sites[rows], [member.generator for member in members])
        return self._skeleton.logits(stack, features, shown, masks, sink)
