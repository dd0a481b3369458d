"""Steps of the optimizers of a stack, all at once where they are torch's fused Adam."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

ADAMS: dict[type[torch.optim.Optimizer], Any] = {
    torch.optim.Adam: torch._fused_adam_,
    torch.optim.AdamW: torch._fused_adamw_,
}


class Found(NamedTuple):
    """What the kernel of a fused Adam changes beside the parameters.

    moments, squares : of each parameter
    steps            : of each parameter, the same tensor for all
    """

    moments: list[Tensor]
    squares: list[Tensor]
    steps: list[Tensor]


class Updates:
    """An optimizer of one model of a stack, for `step_together`.

    Half of the time of a step of a small model's fused Adam goes into finding its tensors and sorting them by device. They
    are the same in every step: after the first, they are handed to torch's kernel as they are. All other optimizers step as
    they always do.

    >>> parameter = nn.Parameter(torch.tensor([2.0]))
    >>> updates = Updates(torch.optim.AdamW([parameter], lr=0.5, weight_decay=0.0, fused=True), [parameter])
    >>> for _ in range(2):
    ...     step_together([updates], [[torch.tensor([3.0])]])
    >>> round(parameter.item(), 4)
    1.0
    """

    def __init__(self, optimizer: torch.optim.Optimizer, parameters: Sequence[nn.Parameter]) -> None:
        self.optimizer = optimizer
        self.parameters: list[Tensor] = list(parameters)
        self.found: Found | None = None

    def step(self, gradients: Sequence[Tensor | None]) -> None:
        """Change the parameters by `gradients`, in the order of `parameters`; None leaves one as it is."""
        if self.found is not None:
            self.found = None
            for state in self.optimizer.state.values():
                state["step"] = state["step"].clone()
        for parameter, gradient in zip(self.parameters, gradients, strict=True):
            parameter.grad = gradient
        self.optimizer.step()
        for parameter in self.parameters:
            parameter.grad = None
        if all(gradient is not None for gradient in gradients) and self._known():
            states = [self.optimizer.state[parameter] for parameter in self.parameters]
            if len({float(state["step"]) for state in states}) == 1:
                for state in states:
                    state["step"] = states[0]["step"]
                self.found = Found(*([state[name] for state in states] for name in ("exp_avg", "exp_avg_sq", "step")))

    def _known(self) -> bool:
        """Whether this is an Adam whose step is the kernel and nothing else."""
        optimizer: Any = self.optimizer
        (group, *others) = optimizer.param_groups
        hooks = optimizer._optimizer_step_pre_hooks or optimizer._optimizer_step_post_hooks
        same = [id(own) for own in group["params"]] == [id(own) for own in self.parameters]
        plain = type(optimizer) in ADAMS and same and bool(group["fused"]) and not isinstance(group["lr"], Tensor)
        return plain and not (group["amsgrad"] or others or hooks)


def step_together(updates: Sequence[Updates], gradients: Sequence[Sequence[Tensor | None]]) -> None:
    """Let each of `updates` change its parameters by its `gradients`.

    Adams of the same settings share a call of the kernel, which takes the tensors of all their models one after the other.
    """
    together: dict[Any, list[tuple[Updates, Found, Sequence[Any]]]] = defaultdict(list)
    for one, own in zip(updates, gradients, strict=True):
        if one.found is None or any(gradient is None for gradient in own):
            one.step(own)
            continue
        group = one.optimizer.param_groups[0]
        names = ("lr", "betas", "weight_decay", "eps", "maximize")
        together[(type(one.optimizer), *(group[name] for name in names))].append((one, one.found, own))
    for (kind, lr, (beta1, beta2), weight_decay, eps, maximize), models in together.items():
        with torch.no_grad():
            for _, found, _ in models:
                found.steps[0].add_(1)
            ADAMS[kind](
                [parameter for one, _, _ in models for parameter in one.parameters],
                [gradient for _, _, own in models for gradient in own],
                [moment for _, found, _ in models for moment in found.moments],
                [square for _, found, _ in models for square in found.squares],
                [],
                [steps for _, found, _ in models for steps in found.steps],
                lr=lr,
                beta1=beta1,
                beta2=beta2,
                weight_decay=weight_decay,
                eps=eps,
                amsgrad=False,
                maximize=maximize,
            )
