"""Stacked generalisation: a logistic regression learns from what finished models say."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from extractors.errors import InputError
from fusion.heads.base import HeadOutput
from fusion.heads.given import GivenHead, LearnOn
from fusion.heads.masking import shares

log = logging.getLogger(__name__)

MOST_MODELS = 6  # a regression for each of their 63 combinations
PARTS = 5  # of the cross-validation that chooses C


class StackingHead(GivenHead):
    """Multinomial logistic regression on the models' log-probabilities (Wolpert, "Stacked generalization", Neural
    Networks 1992; with probabilities as level-one data: Ting & Witten, "Issues in stacked generalization", JAIR 1999).

    One regression for each combination of models, learnt on the rows that have at least these: a row that lacks a model
    is answered by a regression that never knew it. Where such rows are too few to have every class, that combination
    keeps its start, the plain geometric mean. The inverse regularisation C is chosen by likelihood in a cross-validation
    over whole groups (speakers), or over rows where no groups are given.

    `weights` are the shares that the models have in the spread of a row's logits, and `embedding` is the logits.

    Args:
        dims: modality -> number of classes.
        num_classes: how many labels.
        learn_on: train, val or both. No model may have been trained on these rows, or the one that knows them by heart
            is trusted too much.
        c: values of C to choose from; one value is taken as it is.
        balanced: whether each class counts alike, however many rows it has.

    >>> head = StackingHead(dims={"speech": 2, "face": 2}, num_classes=2, c=[1.0])
    >>> targets = torch.arange(40) % 2
    >>> speech = torch.nn.functional.one_hot(targets, 2).float().mul(0.8).add(0.1).log()
    >>> rows = ({"speech": speech, "face": torch.zeros(40, 2)}, dict.fromkeys(head.dims, torch.ones(40, dtype=torch.bool)))
    >>> head.fit(*rows, targets, *rows, targets)
    >>> out = head(*rows)
    >>> bool((out.logits.argmax(dim=1) == targets).all()), out.weights[0].detach().round(decimals=2).tolist()
    (True, [1.0, 0.0])
    """

    def __init__(
        self,
        *,
        dims: Mapping[str, int],
        num_classes: int,
        learn_on: LearnOn = "train",
        c: Sequence[float] = (0.0001, 0.001, 0.01, 0.1, 1.0),
        balanced: bool = True,
    ) -> None:
        super().__init__(dims=dims, num_classes=num_classes, learn_on=learn_on)
        models = len(self.dims)
        if models > MOST_MODELS:
            raise InputError(f"stacking takes at most {MOST_MODELS} models, got {models}: {', '.join(self.dims)}")
        self.c, self.balanced = [float(value) for value in c], balanced
        if not self.c or not all(0 < value < float("inf") for value in self.c):
            raise InputError(f"c: expected numbers above 0, got {list(c)}")
        held = _combinations(models)  # (combinations, models) bool
        even = held / held.sum(dim=1, keepdim=True)
        start = even[:, :, None, None] * torch.eye(num_classes)
        self.weight = nn.Parameter(start)  # (combinations, modalities, classes said, classes)
        self.bias = nn.Parameter(torch.zeros(len(held), num_classes))

    def forward(self, features: Mapping[str, Tensor], present: Mapping[str, Tensor]) -> HeadOutput:
        opinions, mask = self.opinions(features, present)
        number = (mask.long() * 2 ** torch.arange(mask.shape[1], device=mask.device)).sum(dim=1)  # 0: nothing there
        weight = torch.cat([self.weight.new_zeros(1, *self.weight.shape[1:]), self.weight])[number]
        bias = torch.cat([self.bias.new_zeros(1, self.num_classes), self.bias])[number]
        said = torch.einsum("bmk,bmkc->bmc", opinions, weight)  # (batch, modalities, classes)
        logits = said.sum(dim=1) + bias
        spread = (said - said.mean(dim=2, keepdim=True)).square().sum(dim=2)  # its root has no gradient at zero
        return HeadOutput(logits, logits, shares(spread, mask))

    def learn(self, opinions: Tensor, mask: Tensor, targets: Tensor, groups: Tensor) -> None:
        """A regression for each combination of models."""
        for number, held in enumerate(_combinations(mask.shape[1])):
            names = [name for name, there in zip(self.dims, held, strict=True) if there]
            rows = mask[:, held].all(dim=1)
            missing = self.num_classes - len(targets[rows].unique())
            if missing:
                log.warning(
                    "%d rows have %s, and none is of %d of the classes: these are averaged, not stacked.",
                    int(rows.sum()), " and ".join(names), missing,
                )  # fmt: skip
                continue
            inputs = opinions[rows][:, held].flatten(start_dim=1).numpy()
            fitted = self._regression(inputs, targets[rows].numpy(), groups[rows].numpy())
            # two classes have one line of coefficients, the second's against the first
            slopes, offsets = (
                np.concatenate([-x, x]) / 2 if len(x) == 1 else x for x in (fitted.coef_, fitted.intercept_)
            )
            weight = torch.from_numpy(slopes).reshape(self.num_classes, int(held.sum()), -1)  # class, model, class said
            self.weight[number] = 0.0
            self.weight[number, held] = weight.permute(1, 2, 0).to(self.weight.dtype)
            self.bias[number] = torch.from_numpy(offsets).to(self.bias.dtype)

    def _regression(self, inputs: NDArray[np.float64], targets: NDArray[np.int64], groups: NDArray[np.int64]) -> Any:
        from sklearn.linear_model import LogisticRegression

        def regression(c: float) -> Any:
            # log-probabilities of sure models are long and nearly parallel: lbfgs takes a thousand steps where Newton takes ten
            balance = "balanced" if self.balanced else None
            return LogisticRegression(C=c, class_weight=balance, solver="newton-cholesky", tol=1e-6)

        losses = np.zeros(len(self.c))
        if len(self.c) > 1:
            for train, val in _parts(targets, groups):
                for number, c in enumerate(self.c):
                    losses[number] += _loss(regression(c).fit(inputs[train], targets[train]), inputs[val], targets[val])
        chosen = self.c[int(np.argmin(losses))]
        log.debug("C %g chosen of %s", chosen, self.c)
        return regression(chosen).fit(inputs, targets)


def _combinations(models: int) -> Tensor:
    """(2^models - 1, models) bool: which models each combination has; combination n has model m where bit m of n + 1 is set.

    >>> _combinations(2).tolist()
    [[True, False], [False, True], [True, True]]
    """
    return torch.tensor([[number >> model & 1 == 1 for model in range(models)] for number in range(1, 2**models)])


def _parts(targets: NDArray[np.int64], groups: NDArray[np.int64]) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Rows to learn from and to judge by, whole groups on one side; a row of no known group is a group of its own.

    Divisions in which a class would be missing from what is learnt are left out; none where all are.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    groups = np.where(groups < 0, groups.max(initial=-1) + 1 + np.arange(len(groups)), groups)
    parts = min(PARTS, len(np.unique(groups)))
    if parts < 2:
        return []
    splitter = StratifiedGroupKFold(n_splits=parts, shuffle=True, random_state=0)
    divided = splitter.split(targets, targets, groups)
    return [(train, val) for train, val in divided if len(np.unique(targets[train])) == len(np.unique(targets))]


def _loss(fitted: Any, inputs: NDArray[np.float64], targets: NDArray[np.int64]) -> float:
    """Sum of the negative log likelihoods, in nats."""
    found = fitted.predict_log_proba(inputs)[np.arange(len(targets)), targets]
    return float(-found.sum())
