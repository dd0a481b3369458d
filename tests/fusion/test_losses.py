"""Losses against scikit-learn, torch and hand-made numbers; every config builds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from hydra.utils import instantiate
from omegaconf import OmegaConf
from sklearn.utils.class_weight import compute_class_weight

from fusion.losses import CrossEntropyLoss, FocalLoss, class_weights

CONFIGS = sorted((Path(__file__).resolve().parents[2] / "conf" / "loss").glob("*.yaml"))
COUNTS = [50, 30, 15, 5]


@pytest.fixture
def batch() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(32, 4, generator=generator), torch.randint(4, (32,), generator=generator)


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_one_hot_targets_cost_what_classes_do(path: Path, batch: tuple[torch.Tensor, torch.Tensor]) -> None:
    """Every config: the same loss and the same gradient, whichever way a row's one label is written."""
    loss = instantiate(OmegaConf.load(path))(class_counts=COUNTS)
    logits, targets = batch
    found = []
    for written in (targets, F.one_hot(targets, 4).float()):
        given = logits.clone().requires_grad_()
        loss(given, written).backward()
        assert given.grad is not None
        found.append((loss(given, written).item(), given.grad))
    assert found[0][0] == pytest.approx(found[1][0], rel=1e-6)
    torch.testing.assert_close(found[0][1], found[1][1])


@pytest.mark.parametrize("make", [FocalLoss, CrossEntropyLoss])
@pytest.mark.parametrize("weighting", ["none", "balanced"])
def test_a_distribution_costs_what_its_labels_cost_on_average(
    make: Callable[..., torch.nn.Module], weighting: Any, batch: tuple[torch.Tensor, torch.Tensor]
) -> None:
    """Ten votes on each of 32 rows as shares, against 320 rows with a vote each."""
    loss = make(class_counts=COUNTS, weighting=weighting)
    logits, _ = batch
    votes = torch.randint(4, (32, 10), generator=torch.Generator().manual_seed(1))
    shares = F.one_hot(votes, 4).sum(dim=1) / 10
    one_by_one = loss(logits.repeat_interleave(10, dim=0), votes.flatten())
    assert loss(logits, shares).item() == pytest.approx(one_by_one.item(), rel=1e-5)


def test_without_weights_it_is_torchs_for_probabilities(batch: tuple[torch.Tensor, torch.Tensor]) -> None:
    shares = torch.rand(32, 4, generator=torch.Generator().manual_seed(1)).softmax(dim=1)
    for smoothing in (0.0, 0.1):
        found = CrossEntropyLoss(class_counts=COUNTS, label_smoothing=smoothing)(batch[0], shares)
        assert found.item() == pytest.approx(
            F.cross_entropy(batch[0], shares, label_smoothing=smoothing).item(), rel=1e-6
        )


def test_cross_entropy_is_least_at_the_distribution_itself() -> None:
    shares = torch.tensor([[0.6, 0.4, 0.0, 0.0]])
    loss = CrossEntropyLoss(class_counts=COUNTS)
    best = loss(shares.clamp(min=1e-9).log(), shares)
    assert best.item() == pytest.approx(-(0.6 * np.log(0.6) + 0.4 * np.log(0.4)), rel=1e-5)
    assert all(loss(torch.log(torch.tensor([[p, 1 - p, 1e-9, 1e-9]])), shares) > best for p in (0.5, 0.7, 0.9))


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_sure_rows_of_shares_keep_finite_gradients(path: Path) -> None:
    logits = torch.tensor([[200.0, -200.0, 0.0, 0.0], [-200.0, 200.0, 0.0, 0.0]], requires_grad=True)
    loss = instantiate(OmegaConf.load(path))(class_counts=COUNTS)(logits, torch.eye(4)[:2] * 0.5 + 0.125)
    loss.backward()
    assert loss.isfinite()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_every_config_builds_and_has_gradients(path: Path, batch: tuple[torch.Tensor, torch.Tensor]) -> None:
    logits, targets = batch
    logits.requires_grad_()
    loss = instantiate(OmegaConf.load(path))(class_counts=COUNTS)(logits, targets)
    assert loss.ndim == 0
    loss.backward()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()
    assert (logits.grad != 0).any()


def test_balanced_weights_are_scikit_learns() -> None:
    targets = np.repeat(np.arange(4), COUNTS)
    expected = compute_class_weight("balanced", classes=np.arange(4), y=targets)
    assert class_weights(COUNTS).numpy() == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("weighting", ["none", "balanced", "effective"])
def test_weights_average_one_over_the_rows(weighting: Any) -> None:
    weights = class_weights(COUNTS, weighting)
    assert float((weights * torch.tensor(COUNTS)).sum() / sum(COUNTS)) == pytest.approx(1.0, rel=1e-6)
    assert (weights.diff() >= 0).all(), "rarer classes never count less"


def test_effective_number_lies_between() -> None:
    """beta -> 0 counts every class alike, beta -> 1 by inverse frequency (Cui et al. 2019, section 3.2)."""
    assert class_weights(COUNTS, "effective", beta=1e-9).numpy() == pytest.approx(np.ones(4), rel=1e-6)
    near_one = class_weights(COUNTS, "effective", beta=1 - 1e-9)
    assert near_one.numpy() == pytest.approx(class_weights(COUNTS, "balanced").numpy(), rel=1e-4)


def test_a_class_without_rows_has_weight_one() -> None:
    assert class_weights([10, 0, 30])[1] == 1.0
    loss = CrossEntropyLoss(class_counts=[10, 0, 30], weighting="balanced")
    assert loss(torch.zeros(2, 3), torch.tensor([1, 1])).item() == pytest.approx(np.log(3))


def test_unknown_weighting() -> None:
    with pytest.raises(ValueError, match="balanced"):
        class_weights(COUNTS, "heavy")  # type: ignore[arg-type]


def test_weighting_lifts_the_rare_class() -> None:
    plain, weighted = (CrossEntropyLoss(class_counts=[90, 10], weighting=w) for w in ("none", "balanced"))
    logits, targets = torch.tensor([[2.0, 0.0]]).repeat(10, 1), torch.tensor([0] * 9 + [1])
    assert weighted(logits, targets) > plain(logits, targets)


def test_label_smoothing_is_torchs(batch: tuple[torch.Tensor, torch.Tensor]) -> None:
    loss = CrossEntropyLoss(class_counts=COUNTS, label_smoothing=0.1)
    assert torch.equal(loss(*batch), F.cross_entropy(*batch, label_smoothing=0.1))


@pytest.mark.parametrize("weighting", ["none", "balanced"])
def test_focal_without_focus_is_cross_entropy(weighting: Any, batch: tuple[torch.Tensor, torch.Tensor]) -> None:
    focal = FocalLoss(class_counts=COUNTS, gamma=0.0, weighting=weighting)
    plain = CrossEntropyLoss(class_counts=COUNTS, weighting=weighting)
    assert focal(*batch).item() == pytest.approx(plain(*batch).item(), rel=1e-6)


def test_focal_by_hand() -> None:
    """p_t = 0.9 and 0.1, gamma 2: -(0.1² log 0.9 + 0.9² log 0.1) / 2."""
    logits = torch.log(torch.tensor([[0.9, 0.1], [0.9, 0.1]]))
    expected = -(0.1**2 * np.log(0.9) + 0.9**2 * np.log(0.1)) / 2
    assert FocalLoss(class_counts=[1, 1])(logits, torch.tensor([0, 1])).item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("make", [FocalLoss, CrossEntropyLoss])
@pytest.mark.parametrize("gamma", [0.5, 2.0])
def test_sure_rows_keep_finite_gradients(make: Callable[..., torch.nn.Module], gamma: float) -> None:
    logits = torch.tensor([[200.0, -200.0], [-200.0, 200.0]], requires_grad=True)
    loss = make(class_counts=[1, 1], **({"gamma": gamma} if make is FocalLoss else {}))(logits, torch.tensor([0, 0]))
    loss.backward()
    assert loss.isfinite()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()


def test_nothing_of_the_loss_is_saved() -> None:
    assert not CrossEntropyLoss(class_counts=COUNTS).state_dict()
    assert not FocalLoss(class_counts=COUNTS).state_dict()
