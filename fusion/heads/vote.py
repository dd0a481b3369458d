"""A weighted vote of finished models: no features, no gradient, a handful of numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import combinations_with_replacement, permutations
from math import comb
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from extractors.errors import InputError
from fusion.heads.base import HeadOutput
from fusion.heads.given import GivenHead, LearnOn, one_of, recall
from fusion.heads.masking import shares

Mean = Literal["arithmetic", "geometric"]
Weights = Literal["equal", "search"]
Objective = Literal["ua", "nll"]

GRID_POINTS = 2_000  # at most; with more models the grid is coarser
FINEST = 1e-3  # the last step of the refinement

Score = tuple[float, ...]


class VoteHead(GivenHead):
    """The weighted mean of what the models say, over those that say anything of a row.

    arithmetic: p = sum_m w_m p_m (a linear opinion pool); geometric: log p = sum_m w_m log p_m + const (a logarithmic
    one; Genest & Zidek, "Combining probability distributions", Statistical Science 1986, sections 2 and 3). A model is
    first softened by its temperature, softmax(log p_m / T_m), if asked for. The weights are on the simplex and
    renormalised over what is present: a row with one model gets that model's opinion, undiluted.

    `weights` are those w_m, and `embedding` is the fused distribution.

    Args:
        dims: modality -> number of classes.
        num_classes: how many labels.
        mean: arithmetic or geometric.
        weights: equal, or found by `search`: a grid over the simplex, then ever smaller steps from its best point.
        objective: what the search improves: `nll`, the mean negative log likelihood, or `ua`, the unweighted average
            recall, equals by nll.
        temperatures: whether each model gets a temperature of its own, fitted before the weights are.
        learn_on: the rows that weights and temperatures are found on: val, train or both. No model may have been
            trained on them.

    >>> head = VoteHead(dims={"speech": 2, "face": 2}, num_classes=2, mean="arithmetic", weights="equal")
    >>> features = {"speech": torch.tensor([[0.9, 0.1]]).log(), "face": torch.tensor([[0.3, 0.7]]).log()}
    >>> out = head(features, dict.fromkeys(features, torch.tensor([True])))
    >>> [f"{p:.3f}" for p in out.logits[0].exp()], out.weights.tolist()
    (['0.600', '0.400'], [[0.5, 0.5]])
    """

    def __init__(
        self,
        *,
        dims: Mapping[str, int],
        num_classes: int,
        mean: Mean = "geometric",
        weights: Weights = "search",
        objective: Objective = "nll",
        temperatures: bool = False,
        learn_on: LearnOn = "val",
    ) -> None:
        super().__init__(dims=dims, num_classes=num_classes, learn_on=learn_on)
        self.mean = one_of("mean", mean, get_args(Mean))
        self.search = one_of("weights", weights, get_args(Weights)) == "search"
        self.objective = one_of("objective", objective, get_args(Objective))
        if not isinstance(temperatures, bool):
            raise InputError(f"temperatures: expected true or false, got {temperatures!r}")
        self.fits_temperatures = temperatures
        self.temperature = nn.Parameter(torch.ones(len(self.dims)))
        # a lone model needs no weight, and its weight would change nothing
        self.weight = nn.Parameter(torch.full((len(self.dims),), 1 / len(self.dims))) if len(self.dims) > 1 else None

    def forward(self, features: Mapping[str, Tensor], present: Mapping[str, Tensor]) -> HeadOutput:
        opinions, mask = self.opinions(features, present)
        opinions = torch.log_softmax(opinions / self.temperature[:, None], dim=2)
        weight = opinions.new_ones(1) if self.weight is None else self.weight.clamp(min=0.0)
        weights = shares(weight.expand(mask.shape), mask)  # (batch, modalities)
        logits = self._pool(opinions, weights)
        return HeadOutput(logits, torch.softmax(logits, dim=1), weights)

    def learn(self, opinions: Tensor, mask: Tensor, targets: Tensor, groups: Tensor) -> None:
        """Temperatures first, one a model; then the weights, with those temperatures."""
        if not len(targets):
            raise InputError(f"no rows to find the weights on (learn_on={self.learn_on})")
        if self.fits_temperatures:
            fitted = [_temperature(opinions[:, m], mask[:, m], targets) for m in range(mask.shape[1])]
            self.temperature.copy_(torch.tensor(fitted))
            opinions = torch.log_softmax(opinions / self.temperature.double()[:, None], dim=2)
        if not self.search or self.weight is None:
            return

        def score(weight: Tensor) -> Score:
            """Less is better."""
            logits = torch.log_softmax(self._pool(opinions, shares(weight.expand(mask.shape), mask)), dim=1)
            nll = float(torch.nn.functional.nll_loss(logits, targets))
            if self.objective == "nll":
                return (nll,)
            return (-recall(logits.argmax(dim=1), targets, self.num_classes), nll)

        self.weight.copy_(best_weights(len(self.dims), score))

    def _pool(self, opinions: Tensor, weights: Tensor) -> Tensor:
        """(batch, classes) logits of (batch, modalities, classes) log-probabilities."""
        if self.mean == "geometric":
            return (weights[:, :, None] * opinions).sum(dim=1)
        pooled = (weights[:, :, None] * opinions.exp()).sum(dim=1)
        return pooled.clamp(min=torch.finfo(torch.float32).tiny).log()


def best_weights(models: int, score: Callable[[Tensor], Score]) -> Tensor:
    """(models,) float64 on the simplex that `score` (weights -> tuple, less is better) likes best; equals keep the most
    even of those that were tried first. A grid, then steps between pairs, each time half as long.

    >>> best_weights(2, lambda w: (abs(float(w[0]) - 0.7),)).round(decimals=3).tolist()
    [0.7, 0.3]
    """
    best = torch.full((models,), 1 / models, dtype=torch.float64)
    best_score = score(best)
    parts = _parts(models)
    for weight in _grid(models, parts):
        if (found := score(weight)) < best_score:
            best, best_score = weight, found
    step = 0.5 / parts
    while step >= FINEST:
        improved = False
        for one, other in permutations(range(models), 2):
            moved = best.clone()
            amount = min(step, float(moved[one]))
            moved[one] -= amount
            moved[other] += amount
            if (found := score(moved)) < best_score:
                best, best_score, improved = moved, found, True
        if not improved:
            step /= 2
    return best


def _parts(models: int) -> int:
    """Into how many parts the grid divides the whole: 20 for up to four models, fewer for more, 1 at least."""
    return next((parts for parts in range(20, 1, -1) if comb(parts + models - 1, models - 1) <= GRID_POINTS), 1)


def _grid(models: int, parts: int) -> list[Tensor]:
    """All weights of `models` that are multiples of 1 / parts, the most even first.

    >>> [weight.tolist() for weight in _grid(2, 2)]
    [[0.5, 0.5], [0.0, 1.0], [1.0, 0.0]]
    """
    points = []
    for bars in combinations_with_replacement(range(parts + 1), models - 1):
        edges = torch.tensor([0, *bars, parts], dtype=torch.float64)
        points.append(edges.diff() / parts)
    return sorted(points, key=lambda weight: float(weight.square().sum()))


def _temperature(opinions: Tensor, there: Tensor, targets: Tensor) -> float:
    from fusion.evaluation.calibration import fit_temperature

    return fit_temperature(opinions[there].numpy(), targets[there].numpy()) if there.any() else 1.0
