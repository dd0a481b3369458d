"""What the heads share that fuse class outputs of finished models, and learn no features."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Literal, get_args

import torch
from torch import Tensor

from extractors.errors import InputError
from fusion.heads.base import Head, check_features

LearnOn = Literal["train", "val", "both"]

Side = tuple[Tensor, Tensor, Tensor, Tensor]  # opinions, mask, targets, groups of some rows


class GivenHead(Head):
    """Fuses what finished models say of each class: each modality's vector holds a score for each class.

    Scores are log-probabilities or logits; they are used as they come, not standardised. There are no gradient steps:
    the head finds its few parameters itself, in one `fit`.
    """

    fits_itself: bool = True
    standardize: bool = False
    given_probabilities: bool = True

    def __init__(self, *, dims: Mapping[str, int], num_classes: int, learn_on: LearnOn) -> None:
        super().__init__(dims=dims, num_classes=num_classes)
        if wrong := [f"{m}: {dim} numbers for {num_classes} classes" for m, dim in dims.items() if dim != num_classes]:
            raise InputError(
                f"{type(self).__name__} fuses class outputs, one number for each class",
                wrong,
                "Bring class outputs (data=posteriors), or take a head that learns from vectors: head=gated.",
            )
        self.learn_on = one_of("learn_on", learn_on, get_args(LearnOn))

    @abstractmethod
    def learn(self, opinions: Tensor, mask: Tensor, targets: Tensor, groups: Tensor) -> None:
        """Set the parameters. All float64 on the CPU, and every row has a modality.

        opinions : (rows, modalities, classes) log-probabilities, uniform where absent
        mask     : (rows, modalities) bool
        targets  : (rows,) int64
        groups   : (rows,) int64, rows of one group (a speaker) are never torn apart
        """

    def fit(
        self,
        features: Mapping[str, Tensor],
        present: Mapping[str, Tensor],
        targets: Tensor,
        val_features: Mapping[str, Tensor],
        val_present: Mapping[str, Tensor],
        val_targets: Tensor,
        *,
        groups: Tensor | None = None,
        val_groups: Tensor | None = None,
    ) -> None:
        """Learn from the training rows, the validation rows or both, as `learn_on` says.

        `features[m]` (rows, classes) float, `present[m]` (rows,) bool, `targets` (rows,) int64, `groups` (rows,) int64:
        the speaker of each row, -1 where not known; None where no speaker is.
        """
        train = self._side(features, present, targets, groups)
        val = self._side(val_features, val_present, val_targets, val_groups)
        sides = {"train": [train], "val": [val], "both": [train, val]}[self.learn_on]
        opinions, mask, targets, groups = (torch.cat(parts) for parts in zip(*sides, strict=True))
        with torch.no_grad():
            self.learn(opinions, mask, targets, groups)

    def opinions(self, features: Mapping[str, Tensor], present: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
        """(batch, modalities, classes) log-probabilities, uniform where absent, and (batch, modalities) bool."""
        check_features(features, self.dims)
        mask = torch.stack([present[m] for m in self.dims], dim=1)
        scores = torch.stack([torch.where(present[m][:, None], features[m], 0.0) for m in self.dims], dim=1)
        return torch.log_softmax(scores, dim=2), mask

    def _side(
        self, features: Mapping[str, Tensor], present: Mapping[str, Tensor], targets: Tensor, groups: Tensor | None
    ) -> Side:
        doubles = {m: features[m].detach().cpu().double() for m in self.dims}
        opinions, mask = self.opinions(doubles, {m: present[m].cpu() for m in self.dims})
        targets = targets.cpu()
        groups = torch.full_like(targets, -1) if groups is None else groups.cpu()
        kept = mask.any(dim=1) & (targets >= 0)
        return opinions[kept], mask[kept], targets[kept], groups[kept]


def one_of(name: str, value: str, known: tuple[str, ...]) -> str:
    """`value` where it is one of `known`. Raises InputError where not."""
    if value not in known:
        raise InputError(f"{name}: expected {', '.join(known[:-1])} or {known[-1]}, got {value!r}")
    return value


def recall(predictions: Tensor, targets: Tensor, num_classes: int) -> float:
    """Unweighted average recall over the classes that occur in `targets`.

    >>> recall(torch.tensor([0, 0, 1]), torch.tensor([0, 0, 2]), 3)
    0.5
    """
    support = torch.bincount(targets, minlength=num_classes).double()
    right = torch.bincount(targets[predictions == targets], minlength=num_classes).double()
    return float((right[support > 0] / support[support > 0]).mean())
