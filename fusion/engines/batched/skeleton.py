"""A head whose parameters are given with each call, so that one head can speak for all of a stack."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy

from torch import Tensor, vmap

from fusion.engines.batched.calls import StackedCalls
from fusion.engines.batched.products import Sink
from fusion.heads.base import Head


class Skeleton:
    """What `torch.func.functional_call` does for a module, with the places of its tensors looked up once.

    That search takes a fifth of the time of a step of a small head.

    Args:
        head: copied; its tensors are not used. In train or eval mode, as the calls shall be.

    >>> import torch
    >>> from fusion.heads.late import LateHead
    >>> head = LateHead(dims={"text": 3}, num_classes=2).eval()
    >>> stack = {name: torch.stack([tensor, 2 * tensor]).detach() for name, tensor in head.state_dict().items()}
    >>> features, present = {"text": torch.ones(2, 5, 3)}, {"text": torch.ones(2, 5, dtype=torch.bool)}
    >>> logits = Skeleton(head).logits(stack, features, present)
    >>> logits.shape, torch.allclose(logits[0], head({"text": torch.ones(5, 3)}, {"text": present["text"][0]}).logits)
    (torch.Size([2, 5, 2]), True)
    """

    def __init__(self, head: Head) -> None:
        self.head = deepcopy(head)
        names = {id(tensor): name for name, tensor in (*self.head.named_parameters(), *self.head.named_buffers())}
        # a tensor that stands in several places, as tied weights do, has the name of the first
        self._places = [
            (held, key, names[id(tensor)])
            for module in self.head.modules()
            for held in (module._parameters, module._buffers)
            for key, tensor in held.items()
            if tensor is not None
        ]

    def logits(
        self,
        stack: Mapping[str, Tensor],
        features: Mapping[str, Tensor],
        present: Mapping[str, Tensor],
        masks: Sequence[Tensor] = (),
        sink: Sink | None = None,
        shared: bool = False,
    ) -> Tensor:
        """(models, batch, classes): what the head says with each of the stacked parameters, on a batch for each.

        stack    : name -> (models, *shape), all parameters and buffers
        features : modality -> (models, batch, dim)
        present  : modality -> (models, batch) bool
        masks    : of its dropouts, as `draw_masks` makes them; none in eval mode
        sink     : where the backward pass is to leave the gradients of large weights
        shared   : features and presence are of one batch for all, and have no axis of models
        """
        names, modalities = list(stack), list(features)
        ends = len(names), len(names) + len(modalities), len(names) + 2 * len(modalities)

        def one(*tensors: Tensor) -> Tensor:
            own = dict(zip(names, tensors[: ends[0]], strict=True))
            shown = dict(zip(modalities, tensors[ends[0] : ends[1]], strict=True))
            there = dict(zip(modalities, tensors[ends[1] : ends[2]], strict=True))
            return self._with(own, shown, there, StackedCalls(tensors[ends[2] :], sink or Sink()))

        # flat: taking nested arguments apart costs as much as a few operations
        given = [present[m] for m in modalities]
        axes = [0] * len(names) + [None if shared else 0] * 2 * len(modalities) + [0] * len(masks)
        answer: Tensor = vmap(one, in_dims=tuple(axes), randomness="different")(
            *stack.values(), *features.values(), *given, *masks
        )
        return answer

    def _with(
        self,
        own: Mapping[str, Tensor],
        features: Mapping[str, Tensor],
        present: Mapping[str, Tensor],
        calls: StackedCalls,
    ) -> Tensor:
        before = [held[key] for held, key, _ in self._places]
        for held, key, name in self._places:
            held[key] = own[name]  # type: ignore[assignment]
        try:
            with calls:
                logits: Tensor = self.head(features, present).logits
            return logits
        finally:
            for (held, key, _), tensor in zip(self._places, before, strict=True):
                held[key] = tensor  # type: ignore[assignment]
