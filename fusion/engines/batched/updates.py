"""Steps of an optimizer, without the walk through its groups where it is torch's fused Adam."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

ADAMS: dict[type[torch.optim.Optimizer], Any] = {
    torch.optim.Adam: torch._fused_adam_,
    torch.optim.AdamW: torch._fused_adamw_,
}


class Updates:
    """An optimizer of one model of a stack, given its gradients at each step.

    Half of the time of a step of a small model's fused Adam goes into finding its tensors and sorting them by device. They
    are the same in every step: after the first, they are handed to torch's kernel as they are. All other optimizers step as
    they always do.

    >>> parameter = nn.Parameter(torch.tensor([2.0]))
    >>> updates = Updates(torch.optim.AdamW([parameter], lr=0.5, weight_decay=0.0, fused=True), [parameter])
    >>> updates.step([torch.tensor([3.0])]), updates.step([torch.tensor([3.0])])
    (None, None)
    >>> round(parameter.item(), 4)
    1.0
    """

    def __init__(self, optimizer: torch.optim.Optimizer, parameters: Sequence[nn.Parameter]) -> None:
        self.optimizer = optimizer
        self.parameters: list[Tensor] = list(parameters)
        self._found: tuple[list[Tensor], list[Tensor], list[Tensor]] | None = None  # two moments, and numbers of steps
        self._one = torch.ones((), device=parameters[0].device)

    def step(self, gradients: Sequence[Tensor | None]) -> None:
        """Change the parameters by `gradients`, in the order of `parameters`; None leaves one as it is."""
        whole = [gradient for gradient in gradients if gradient is not None]
        if self._found is not None and len(whole) == len(gradients):
            self._fused(whole, *self._found)
            return
        for parameter, gradient in zip(self.parameters, gradients, strict=True):
            parameter.grad = gradient
        self.optimizer.step()
        if len(whole) == len(gradients) and self._known():
            state = self.optimizer.state
            moments, squares, steps = (
                [state[parameter][name] for parameter in self.parameters] for name in ("exp_avg", "exp_avg_sq", "step")
            )
            self._found = moments, squares, steps

    def _known(self) -> bool:
        """Whether this is an Adam whose step is the kernel and nothing else."""
        optimizer: Any = self.optimizer
        (group, *others) = optimizer.param_groups
        hooks = optimizer._optimizer_step_pre_hooks or optimizer._optimizer_step_post_hooks
        same = [id(own) for own in group["params"]] == [id(own) for own in self.parameters]
        return type(optimizer) in ADAMS and same and bool(group["fused"]) and not (group["amsgrad"] or others or hooks)

    def _fused(
        self, gradients: list[Tensor], moments: list[Tensor], squares: list[Tensor], steps: list[Tensor]
    ) -> None:
        (group,) = self.optimizer.param_groups
        beta1, beta2 = group["betas"]
        with torch.no_grad():
            torch._foreach_add_(steps, self._one, alpha=1.0)
            ADAMS[type(self.optimizer)](
                self.parameters,
                gradients,
                moments,
                squares,
                [],
                steps,
                lr=group["lr"],
                beta1=beta1,
                beta2=beta2,
                weight_decay=group["weight_decay"],
                eps=group["eps"],
                amsgrad=False,
                maximize=group["maximize"],
            )
