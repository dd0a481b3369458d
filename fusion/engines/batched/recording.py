"""The operations of a function, written down once and played back without asking again which they are."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.fx.experimental.proxy_tensor import make_fx

from fusion.engines.batched.fills import choose, worth_choosing

PLAIN = (bool, int, float, str, type(None))


def plain_state(module: nn.Module) -> tuple[Any, ...]:
    """The type of a module, and what it holds that is no tensor: what could make it another function.

    >>> plain_state(nn.Dropout(0.5)) == plain_state(nn.Dropout(0.5)), plain_state(nn.Dropout(0.5)) == plain_state(nn.ReLU())
    (True, False)
    """
    held = ((name, value) for name, value in vars(module).items() if name[0] != "_")
    return (type(module), *(item if isinstance(item[1], PLAIN) else (item[0], id(item[1])) for item in held))


def record(
    work_out: Callable[..., list[Tensor]], sample: Sequence[Tensor], silent: Mapping[int, int]
) -> Callable[..., list[Tensor]]:
    """A function of tensors of these shapes that does the operations of `work_out` one after the other.

    work_out : of tensors; whatever it does must follow from their shapes
    sample   : its arguments
    silent   : place of an argument (*batch, dim) -> place of that (*batch) bool which tells where it is not zero. To set it
               to zero there once more is left out.

    Raises what the tracer raises where `work_out` looks at a number.

    >>> play = record(lambda x: [torch.where(x > 0, x, 0.0).sum()], [torch.ones(3)], {})
    >>> play(torch.tensor([1.0, 2.0, -3.0]))
    [tensor(3.)]
    """
    module = make_fx(work_out)(*sample)
    graph = module.graph
    seen = _Seen(module)
    seen.run(*sample)
    arguments = [node for node in graph.nodes if node.op == "placeholder"]
    for node in list(graph.nodes):
        if node.target is torch.ops.aten.detach.default:
            node.replace_all_uses_with(node.args[0])
            continue
        chosen = _chosen(node, seen.values)
        if chosen is None:
            continue
        where, values, inside, outside = chosen
        place = arguments.index(values) if values in arguments else -1
        if place in silent and outside == 0 and torch.equal(seen.values[where].squeeze(-1), sample[silent[place]]):
            node.replace_all_uses_with(values)
        elif worth_choosing(seen.values[where], seen.values[values]):
            with graph.inserting_before(node):
                node.replace_all_uses_with(graph.call_function(choose, (where, values, outside, inside)))
    graph.eliminate_dead_code()
    module.recompile()
    play: Callable[..., list[Tensor]] = module.forward
    return play


def _chosen(node: fx.Node, values: Mapping[fx.Node, Any]) -> tuple[fx.Node, fx.Node, bool, float] | None:
    """Condition, values, what the condition is where they are kept, and the number that is put elsewhere."""
    if node.target is torch.ops.aten.masked_fill.Scalar:
        kept, where, number = node.args
        return (where, kept, False, float(number)) if isinstance(number, PLAIN) else None  # type: ignore[return-value,arg-type]
    if node.target is torch.ops.aten.where.self:
        where, kept, other = node.args
        scalar = isinstance(other, fx.Node) and other.target is torch.ops.aten.scalar_tensor.default
        return (where, kept, True, float(other.args[0])) if scalar else None  # type: ignore[return-value,arg-type,union-attr]
    return None


class _Seen(fx.Interpreter):
    """Plays a recording, and keeps what each operation came to."""

    def __init__(self, module: fx.GraphModule) -> None:
        super().__init__(module, garbage_collect_values=False)
        self.values: dict[fx.Node, Any] = {}

    def run_node(self, n: fx.Node) -> Any:
        self.values[n] = super().run_node(n)
        return self.values[n]
