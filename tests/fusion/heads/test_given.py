"""Heads that fuse given class outputs: they find known weights, and keep the contract of all heads."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf
from safetensors.torch import load_file, save_file
from torch import Tensor

from extractors.errors import InputError
from fusion.heads.given import GivenHead
from fusion.heads.stacking import StackingHead
from fusion.heads.vote import VoteHead, best_weights

CONF = Path(__file__).resolve().parents[3] / "conf" / "head"
CLASSES = 4

Rows = tuple[dict[str, Tensor], dict[str, Tensor], Tensor]


def given(rows: int = 400, seed: int = 0, trust: Mapping[str, float] | None = None, missing: float = 0.0) -> Rows:
    """Models whose log-probabilities lean to the truth by `trust` nats."""
    trust = trust or {"speech": 2.0, "face": 0.7}
    generator = torch.Generator().manual_seed(seed)
    targets = torch.arange(rows) % CLASSES
    truth = torch.nn.functional.one_hot(targets, CLASSES).float()
    features, present = {}, {}
    for name, strength in trust.items():
        noise = torch.randn(rows, CLASSES, generator=generator)
        features[name] = torch.log_softmax(strength * truth + noise, dim=1)
        present[name] = torch.rand(rows, generator=generator) >= missing
    return features, present, targets


def accuracy(head: GivenHead, rows: Rows) -> float:
    features, present, targets = rows
    with torch.no_grad():
        return float((head(features, present).logits.argmax(dim=1) == targets).float().mean())


def fitted(head: GivenHead, train: Rows, val: Rows, **groups: Any) -> GivenHead:
    head.fit(*train, *val, **groups)
    return head.eval()


@pytest.fixture(params=["vote", "stacking"])
def build(request: pytest.FixtureRequest) -> Any:
    return instantiate(OmegaConf.load(CONF / f"{request.param}.yaml"))


DIMS = {"speech": CLASSES, "face": CLASSES}


# the vote -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mean", ["arithmetic", "geometric"])
def test_equal_weights_are_the_plain_mean(mean):
    features, present, _ = given()
    head = VoteHead(dims=DIMS, num_classes=CLASSES, mean=mean, weights="equal")
    with torch.no_grad():
        found = torch.softmax(head(features, present).logits, dim=1)
    if mean == "arithmetic":
        expected = sum(x.exp() for x in features.values()) / 2
    else:
        expected = torch.softmax(sum(features.values()) / 2, dim=1)
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("objective", ["ua", "nll"])
@pytest.mark.parametrize("mean", ["arithmetic", "geometric"])
def test_the_search_trusts_the_better_model(mean, objective):
    useless = {"speech": 2.5, "face": 0.0}
    head = fitted(
        VoteHead(dims=DIMS, num_classes=CLASSES, mean=mean, objective=objective),
        given(seed=1, trust=useless), given(seed=2, trust=useless),
    )  # fmt: skip
    weight = head.weight.detach()
    assert weight.sum() == pytest.approx(1)
    assert weight[0] > 0.8
    test = given(rows=2000, seed=3, trust=useless)
    even = VoteHead(dims=DIMS, num_classes=CLASSES, mean=mean, weights="equal")
    assert accuracy(head, test) > accuracy(even, test)


def test_the_search_finds_the_best_point_of_a_fine_grid():
    """No point of a grid ten times as fine is better by more than a hair."""
    val = given(seed=4)
    head = fitted(VoteHead(dims=DIMS, num_classes=CLASSES, mean="geometric"), val, val)
    features, _, targets = val

    def nll(weight: float) -> float:
        pooled = torch.log_softmax(weight * features["speech"] + (1 - weight) * features["face"], dim=1)
        return float(torch.nn.functional.nll_loss(pooled, targets))

    best = min(nll(weight) for weight in np.linspace(0, 1, 201))
    assert nll(float(head.weight.detach()[0])) <= best + 1e-5


@pytest.mark.parametrize("models", [2, 3, 5, 8])
def test_weights_of_many_models_stay_on_the_simplex(models):
    wanted = torch.arange(1, models + 1, dtype=torch.float64)
    wanted = wanted / wanted.sum()
    found = best_weights(models, lambda weight: (float((weight - wanted).square().sum()),))
    assert found.min() >= 0
    assert float(found.sum()) == pytest.approx(1)
    assert (found - wanted).abs().max() < 0.01


def test_equals_keep_even_weights():
    assert best_weights(3, lambda weight: (0.0,)).tolist() == pytest.approx([1 / 3] * 3)


def test_temperatures_soften_the_model_that_is_too_sure():
    features, present, targets = given(seed=5)
    features["face"] = torch.log_softmax(20 * features["face"], dim=1)
    val = (features, present, targets)
    head = fitted(VoteHead(dims=DIMS, num_classes=CLASSES, temperatures=True, weights="equal"), val, val)
    assert head.temperature[1] > 5 * head.temperature[0]


def test_the_vote_learns_on_the_rows_it_is_told_to():
    good, bad = {"speech": 3.0, "face": 0.0}, {"speech": 0.0, "face": 3.0}
    train, val = given(seed=6, trust=good), given(seed=7, trust=bad)
    weights = {
        side: float(fitted(VoteHead(dims=DIMS, num_classes=CLASSES, learn_on=side), train, val).weight.detach()[0])
        for side in ("train", "val", "both")
    }
    assert weights["val"] < 0.2 < weights["both"] < 0.8 < weights["train"]


def test_a_row_with_one_model_gets_that_one_undiluted():
    features, _, _ = given()
    head = VoteHead(dims=DIMS, num_classes=CLASSES)
    head.weight.data = torch.tensor([0.0, 1.0])  # even a model of no weight
    only = {"speech": torch.ones(400, dtype=torch.bool), "face": torch.zeros(400, dtype=torch.bool)}
    out = head(features, only)
    torch.testing.assert_close(torch.log_softmax(out.logits, dim=1), features["speech"])
    assert out.weights[0].tolist() == [1.0, 0.0]


# stacking -----------------------------------------------------------------------------------------------------------


def test_stacking_mends_a_model_that_mixes_up_two_classes():
    """No weight can: the vote keeps the confusion."""

    def confused(seed: int) -> Rows:
        features, present, targets = given(rows=800, seed=seed, trust={"speech": 3.0, "face": 0.3})
        features["speech"] = features["speech"][:, [1, 0, 2, 3]]
        return features, present, targets

    train, val, test = confused(1), confused(2), confused(3)
    stack = fitted(StackingHead(dims=DIMS, num_classes=CLASSES), train, val)
    vote = fitted(VoteHead(dims=DIMS, num_classes=CLASSES), train, val)
    assert accuracy(stack, test) > 0.8
    assert accuracy(vote, test) < 0.6


def test_stacking_equals_scikit_learn():
    from sklearn.linear_model import LogisticRegression

    features, present, targets = given(seed=8)
    present = {name: torch.ones_like(flags) for name, flags in present.items()}
    head = fitted(
        StackingHead(dims=DIMS, num_classes=CLASSES, c=[0.3], balanced=False), *[(features, present, targets)] * 2
    )
    inputs = torch.cat([features["speech"], features["face"]], dim=1).double().numpy()
    reference = LogisticRegression(C=0.3, tol=1e-6, max_iter=5_000).fit(inputs, targets.numpy())
    with torch.no_grad():
        found = torch.softmax(head(features, present).logits, dim=1).numpy()
    np.testing.assert_allclose(found, reference.predict_proba(inputs), atol=1e-4)


def test_stacking_of_two_classes_equals_scikit_learn():
    from sklearn.linear_model import LogisticRegression

    targets = torch.arange(60) % 2
    generator = torch.Generator().manual_seed(0)
    speech = torch.log_softmax(torch.nn.functional.one_hot(targets, 2) + torch.randn(60, 2, generator=generator), dim=1)
    rows = ({"speech": speech}, {"speech": torch.ones(60, dtype=torch.bool)}, targets)
    head = fitted(StackingHead(dims={"speech": 2}, num_classes=2, c=[1.0], balanced=False), rows, rows)
    reference = LogisticRegression(C=1.0, tol=1e-6).fit(speech.double().numpy(), targets.numpy())
    with torch.no_grad():
        found = torch.softmax(head(*rows[:2]).logits, dim=1).numpy()
    np.testing.assert_allclose(found, reference.predict_proba(speech.double().numpy()), atol=1e-4)


def test_stacking_answers_rows_that_lack_a_model_by_a_regression_of_the_others():
    train, val = given(rows=1200, seed=9, missing=0.3), given(seed=10, missing=0.3)
    head = fitted(StackingHead(dims=DIMS, num_classes=CLASSES, c=[1.0]), train, val)
    features, present, targets = train
    there = present["speech"]
    alone = StackingHead(dims={"speech": CLASSES}, num_classes=CLASSES, c=[1.0])
    rows = ({"speech": features["speech"][there]}, {"speech": there[there]}, targets[there])
    fitted(alone, rows, rows)
    test, _, _ = given(seed=11)
    only = {"speech": torch.ones(400, dtype=torch.bool), "face": torch.zeros(400, dtype=torch.bool)}
    with torch.no_grad():
        torch.testing.assert_close(head(test, only).logits, alone(test, only).logits)


def test_stacking_keeps_the_plain_mean_where_classes_are_missing(caplog):
    features, present, targets = given()
    some = targets < CLASSES - 1
    rows = ({m: x[some] for m, x in features.items()}, {m: x[some] for m, x in present.items()}, targets[some])
    head = fitted(StackingHead(dims=DIMS, num_classes=CLASSES), rows, rows)
    assert "averaged, not stacked" in caplog.text
    with torch.no_grad():
        found = torch.softmax(head(features, present).logits, dim=1)
    torch.testing.assert_close(found, torch.softmax(sum(features.values()) / 2, dim=1))


def test_c_is_chosen_over_whole_groups():
    """Speakers whose noise repeats in each of their rows: by rows, learning them by heart pays; by speakers, it does not."""
    rows, speakers = 240, 12
    generator = torch.Generator().manual_seed(0)
    groups = torch.arange(rows) % speakers
    targets = torch.randint(0, CLASSES, (speakers,), generator=generator)[groups]
    targets[:CLASSES] = torch.arange(CLASSES)
    voices = torch.randn(speakers, CLASSES, generator=generator)[groups]
    rows_of = ({"speech": torch.log_softmax(voices, dim=1)}, {"speech": torch.ones(rows, dtype=torch.bool)}, targets)

    def slope(**given_groups: Tensor) -> float:
        head = StackingHead(dims={"speech": CLASSES}, num_classes=CLASSES, c=[0.001, 100.0], balanced=False)
        return float(fitted(head, rows_of, rows_of, **given_groups).weight.detach().abs().max())

    assert slope() > 3
    assert slope(groups=groups, val_groups=groups) < 0.5


# both ---------------------------------------------------------------------------------------------------------------


def test_absent_is_inert_and_rows_do_not_meet(build):
    head = fitted(build(dims=DIMS, num_classes=CLASSES), given(missing=0.2), given(seed=1, missing=0.2))
    features, present, _ = given(rows=16, seed=2, missing=0.5)
    base = head(features, present)
    for filler in (torch.nan, torch.inf, 1e30):
        filled = {m: torch.where(present[m][:, None], x, filler) for m, x in features.items()}
        for part, expected in zip(head(filled, present), base, strict=True):
            torch.testing.assert_close(part, expected, rtol=0, atol=0)
    for row in range(16):
        one = head(
            {m: x[row : row + 1] for m, x in features.items()}, {m: x[row : row + 1] for m, x in present.items()}
        )
        torch.testing.assert_close(one.logits[0], base.logits[row])
    mask = torch.stack([present[m] for m in head.modalities], dim=1)
    assert (base.weights[~mask] == 0).all()
    torch.testing.assert_close(base.weights.sum(dim=1), mask.any(dim=1).float())
    assert base.logits.isfinite().all(), "also where nothing is there"


def test_saved_and_loaded_says_the_same(build, tmp_path):
    head = fitted(build(dims=DIMS, num_classes=CLASSES), given(), given(seed=1))
    save_file(head.state_dict(), tmp_path / "head.safetensors")
    again = build(dims=DIMS, num_classes=CLASSES)
    again.load_state_dict(load_file(tmp_path / "head.safetensors"))
    features, present, _ = given(seed=2)
    torch.testing.assert_close(again(features, present).logits, head(features, present).logits, rtol=0, atol=0)


def test_a_fit_is_repeatable(build):
    heads = [fitted(build(dims=DIMS, num_classes=CLASSES), given(), given(seed=1)) for _ in range(2)]
    for one, other in zip(heads[0].parameters(), heads[1].parameters(), strict=True):
        assert torch.equal(one, other)


def test_one_model_alone_works(build):
    trust = {"speech": 2.0}
    head = fitted(build(dims={"speech": CLASSES}, num_classes=CLASSES), given(trust=trust), given(seed=1, trust=trust))
    assert accuracy(head, given(seed=2, trust=trust)) > 0.6


def test_vectors_that_are_no_class_outputs_are_refused(build):
    with pytest.raises(InputError, match="one number for each class") as caught:
        build(dims={"speech": 768, "face": CLASSES}, num_classes=CLASSES)
    assert caught.value.problems == ("speech: 768 numbers for 4 classes",)


def test_settings_that_cannot_be():
    with pytest.raises(InputError, match="mean: expected arithmetic or geometric, got 'harmonic'"):
        VoteHead(dims=DIMS, num_classes=CLASSES, mean="harmonic")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="learn_on"):
        StackingHead(dims=DIMS, num_classes=CLASSES, learn_on="test")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="c: expected"):
        StackingHead(dims=DIMS, num_classes=CLASSES, c=[0.0])


def test_rows_without_label_or_model_teach_nothing(build):
    features, present, targets = given()
    junk = ({m: torch.cat([x, 50 * torch.randn(100, CLASSES)]) for m, x in features.items()},
            {m: torch.cat([x, torch.full((100,), m == "speech")]) for m, x in present.items()},
            torch.cat([targets, torch.full((100,), -1)]))  # fmt: skip
    clean = fitted(build(dims=DIMS, num_classes=CLASSES), (features, present, targets), (features, present, targets))
    mixed = fitted(build(dims=DIMS, num_classes=CLASSES), junk, junk)
    for one, other in zip(clean.parameters(), mixed.parameters(), strict=True):
        torch.testing.assert_close(one, other)
