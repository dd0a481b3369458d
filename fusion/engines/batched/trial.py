"""Whether a head can be stacked, found out by stacking it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from pytorch_lightning.utilities.seed import isolate_rng
from torch import Tensor

from fusion.engines.batched.calls import RecordDropout, draw_masks
from fusion.engines.batched.parameters import Layouts, stacked
from fusion.engines.batched.skeleton import Skeleton
from fusion.heads.base import Head

ROWS = 3
TOLERANCE = 1e-3


@dataclass(frozen=True)
class Trial:
    """What came of it.

    problem         : why the head cannot be stacked; None where it can
    draws_otherwise : it draws random numbers by other means than dropout, from torch's global generator
    parameters      : how many numbers the head learns
    """

    problem: str | None = None
    draws_otherwise: bool = False
    parameters: int = 1


def try_head(head: Callable[..., Head], dims: Mapping[str, int], num_classes: int) -> Trial:
    """Stack two heads, and hold what the stack says against what each of them says by itself.

    >>> from functools import partial
    >>> from fusion.heads.gated import GatedHead
    >>> try_head(partial(GatedHead, width=8), {"speech": 4, "text": 3}, 2)
    Trial(problem=None, draws_otherwise=False, parameters=394)
    """
    with isolate_rng():
        torch.manual_seed(0)
        heads = [head(dims=dims, num_classes=num_classes) for _ in range(2)]
        parameters = sum(parameter.numel() for parameter in heads[0].parameters() if parameter.requires_grad)
        features = {m: torch.randn(2, ROWS, dim) for m, dim in dims.items()}
        present = {m: torch.ones(2, ROWS, dtype=torch.bool) for m in dims}
        for row, mask in enumerate(present.values()):
            mask[:, row % ROWS] = len(dims) == 1
        try:
            problem, draws_otherwise = _stack(heads, features, present)
        except Exception as error:  # whatever vmap, autograd or the head dislikes: then fits go one by one
            return Trial(_first_line(error), parameters=max(1, parameters))
        return Trial(problem, draws_otherwise, max(1, parameters))


def _stack(heads: list[Head], features: dict[str, Tensor], present: dict[str, Tensor]) -> tuple[str | None, bool]:
    stack = stacked(heads, Layouts(), move=False)
    with torch.no_grad():
        by_itself = torch.stack(
            [
                head.eval()(
                    {m: values[place] for m, values in features.items()},
                    {m: mask[place] for m, mask in present.items()},
                ).logits
                for place, head in enumerate(heads)
            ]
        )
        together = Skeleton(heads[0].eval()).logits(stack, features, present)
    if not torch.allclose(by_itself, together, atol=TOLERANCE, rtol=TOLERANCE):
        return "it answers differently when stacked: what it learns or draws must be parameters or buffers", False
    before = {name: values.clone() for name, values in heads[0].named_buffers()}
    head = heads[0].train()
    with RecordDropout() as record:
        head({m: values[0] for m, values in features.items()}, {m: mask[0] for m, mask in present.items()})
    if any(not torch.equal(values, before[name]) for name, values in head.named_buffers()):
        return "its buffers change as it trains, so that its rows depend on each other", False
    state = torch.random.get_rng_state()
    masks = draw_masks(record.sites, [torch.Generator().manual_seed(place) for place in range(2)])
    logits = Skeleton(head).logits(stack, features, present, masks)
    learned = [values for values in stack.values() if values.requires_grad]
    if learned:
        torch.autograd.grad(logits.sum(), learned, allow_unused=True)
    return None, not torch.equal(state, torch.random.get_rng_state())


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0] if lines else 'it cannot be stacked'}"
