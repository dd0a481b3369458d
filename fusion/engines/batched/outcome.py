"""What a worker hands over of a finished fit: plain numbers and arrays, which travel between processes as they are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from fusion.engines.batched.member import Member
from fusion.fitted import FittedFold
from fusion.model import FusionModel


@dataclass(frozen=True)
class Outcome:
    """A finished fit.

    place      : of its job among the jobs
    best_epoch : counted from 0; -1 where no epoch can be chosen
    monitor    : the metric that chose it
    history    : of each epoch
    weights    : name -> values, the state of the `FusionModel` at the best epoch; empty where there is none
    seconds    : its share of the time
    """

    place: int
    best_epoch: int
    monitor: str
    history: list[dict[str, float]]
    weights: dict[str, NDArray[np.float32]]
    seconds: float

    @classmethod
    def of(cls, place: int, member: Member) -> Outcome:
        best = member.watch.best
        weights = {
            **{f"standardizers.{name}": values for name, values in member.rows.standardizers.items()},
            **best.weights,
        }
        arrays = {name: values.contiguous().numpy() for name, values in weights.items()} if best.weights else {}
        return cls(place, best.epoch, best.monitor, best.history, arrays, member.seconds)

    def fitted(self, model: FusionModel, excluded: dict[str, dict[str, int]]) -> FittedFold:
        """As `fit_fold` returns it; `model` is given the weights."""
        model.load_state_dict({name: torch.from_numpy(values) for name, values in self.weights.items()})
        return FittedFold(model.eval(), self.best_epoch, self.history, self.seconds, excluded)
