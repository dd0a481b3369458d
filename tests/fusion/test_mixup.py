"""Blended rows: of two rows that have the same modalities, in one measure for vectors and targets."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pytorch_lightning.callbacks import Callback

from extractors.errors import InputError
from fusion.callbacks import LAST
from fusion.classifier import EmotionClassifier
from fusion.data.splits import Fold
from fusion.data.table import FeatureTable
from fusion.fitted import FittedFold
from fusion.heads.gated import GatedHead
from fusion.losses import CrossEntropyLoss
from fusion.mixup import mix_rows, partners
from fusion.model import FusionModel
from fusion.training import fit_fold

Part = Callable[..., Any]
Recipe = Callable[..., dict[str, Any]]


def rows_of(patterns: list[tuple[bool, bool]]) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor], torch.Tensor]:
    """Each row holds the one-hot of its number where it is present, NaN where it is absent; so does its target."""
    mask, numbers = torch.tensor(patterns), torch.eye(len(patterns))
    present = {"speech": mask[:, 0], "text": mask[:, 1]}
    features = {m: numbers.where(here[:, None], torch.nan) for m, here in present.items()}
    return features, present, numbers


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=20),
    st.floats(1e-4, 10),
    st.integers(0, 2**31),
)
def test_a_row_is_blended_as_its_target_is(patterns: list[tuple[bool, bool]], alpha: float, seed: int) -> None:
    torch.manual_seed(seed)
    features, present, numbers = rows_of(patterns)
    mixed, targets = mix_rows(features, present, numbers, alpha=alpha)
    torch.testing.assert_close(targets.sum(dim=1), torch.ones(len(patterns)))
    assert (targets >= 0).all()
    for m, here in present.items():
        torch.testing.assert_close(mixed[m][here], targets[here])
    for row, shares in enumerate(targets):
        involved = {patterns[other] for other in torch.nonzero(shares).squeeze(1).tolist()}
        assert involved == {patterns[row]}, "partners have the same modalities"
        assert int((shares > 0).sum()) <= 2


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=30), st.integers(0, 2**31))
def test_everyone_is_partner_once(patterns: list[tuple[bool, bool]], seed: int) -> None:
    torch.manual_seed(seed)
    _, present, _ = rows_of(patterns)
    assert sorted(partners(present).tolist()) == list(range(len(patterns)))


def test_every_partner_is_as_likely() -> None:
    torch.manual_seed(0)
    _, present, _ = rows_of([(True, True)] * 4 + [(True, False)] * 2)
    draws = torch.stack([partners(present) for _ in range(4000)])
    for row in range(6):
        shares = draws[:, row].bincount(minlength=6) / 4000
        expected = [0.25] * 4 + [0, 0] if row < 4 else [0] * 4 + [0.5, 0.5]
        assert shares.tolist() == pytest.approx(expected, abs=0.03)


@pytest.mark.parametrize("alpha", [0.2, 1.0, 4.0])
def test_shares_are_drawn_from_beta(alpha: float) -> None:
    """Mean 1/2 and variance 1 / (4 (2 alpha + 1)), over the rows that had another for a partner."""
    torch.manual_seed(0)
    here = torch.ones(20_000, dtype=torch.bool)
    state = torch.random.get_rng_state()
    partner = partners({"text": here})
    torch.random.set_rng_state(state)
    numbers = torch.arange(20_000.0)[:, None]
    mixed, _ = mix_rows({"text": numbers}, {"text": here}, numbers, alpha=alpha)
    other = partner != torch.arange(20_000)
    shares = ((mixed["text"] - numbers[partner]) / (numbers - numbers[partner]))[other]
    assert shares.mean().item() == pytest.approx(0.5, abs=0.01)
    assert shares.var().item() == pytest.approx(1 / (4 * (2 * alpha + 1)), rel=0.05)


def test_standardising_after_is_standardising_before(table: FeatureTable) -> None:
    model = FusionModel(GatedHead(dims=table.dims, num_classes=3, width=8))
    model.fit_standardizers(table, np.arange(len(table)))
    features = {m: torch.from_numpy(values) for m, values in table.features.items()}
    present = {m: torch.from_numpy(mask) for m, mask in table.present.items()}
    targets = torch.eye(3)[torch.from_numpy(table.targets)]
    torch.manual_seed(0)
    after, _ = mix_rows(features, present, targets, alpha=0.5)
    torch.manual_seed(0)
    before, _ = mix_rows({m: model.standardizers[m](x) for m, x in features.items()}, present, targets, alpha=0.5)
    for m, mask in present.items():
        torch.testing.assert_close(model.standardizers[m](after[m])[mask], before[m][mask], atol=1e-4, rtol=1e-4)


def test_sequences_are_refused(table: FeatureTable) -> None:
    here = torch.ones(2, dtype=torch.bool)
    with pytest.raises(InputError, match="speech comes as sequences"):
        mix_rows({"speech": torch.zeros(2, 5, 3)}, {"speech": here}, torch.eye(2), alpha=0.2)
    model = FusionModel(GatedHead(dims=table.dims, num_classes=3, width=8))
    model.head.needs_sequences = True
    options: dict[str, Any] = {"loss": CrossEntropyLoss(class_counts=[1] * 3), "optimizer": partial(torch.optim.SGD)}
    with pytest.raises(InputError, match="this head reads sequences"):
        EmotionClassifier(model, mixup=0.2, **options)
    EmotionClassifier(model, **options)


def weights(fitted: FittedFold) -> torch.Tensor:
    return torch.cat([tensor.flatten().float() for tensor in fitted.model.state_dict().values()])


def test_it_trains_differently_and_the_same_again(
    table: FeatureTable, fold: Fold, recipe: Recipe, part: Part, tmp_path: Path
) -> None:
    """Also when killed and taken up again: an epoch's blends follow from the seed and the epoch."""

    class Kill(Callback):
        def on_train_batch_end(self, trainer: Any, *_: Any) -> None:
            if trainer.current_epoch == 2:
                raise RuntimeError("killed")

    watch = part("callbacks", "early_stopping", resume__every_seconds=0.0)
    base = {**recipe(epochs=4, modality_dropout=0.3, mixup=0.4, auxiliary_loss=0.5), "callbacks": watch}
    plain = fit_fold(table, fold, **{**base, "mixup": 0.0})
    whole = fit_fold(table, fold, **base)
    with pytest.raises(RuntimeError, match="killed"):
        fit_fold(table, fold, **{**base, "callbacks": {**watch, "kill": Kill}, "run_dir": tmp_path / "killed"})
    resumed = fit_fold(table, fold, **{**base, "run_dir": tmp_path / "on"}, ckpt_path=tmp_path / "killed" / LAST)
    assert torch.equal(weights(whole), weights(resumed))
    assert whole.history == resumed.history
    assert not torch.equal(weights(whole), weights(plain))
    assert plain.history[-1]["train/loss"] < whole.history[-1]["train/loss"], "blends are harder to fit"
