"""Every figure against scikit-learn or torchmetrics, on whatever hypothesis comes up with."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn import metrics as reference
from torchmetrics.classification import MulticlassCalibrationError

from fusion.evaluation.metrics import (
    BINS,
    METRICS,
    bin_of,
    evaluate,
    per_class,
    reliability,
    total_sums,
    unflatten,
    unit_sums,
)
from fusion.evaluation.scored import Scored


@st.composite
def scored_systems(draw) -> Scored:
    """Some rows, sharp or flat probabilities, classes that may be absent from the truth, the predictions or both."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    classes, rows = draw(st.integers(2, 9)), draw(st.integers(1, 60))
    logits = rng.normal(size=(2, rows, classes)) * draw(st.sampled_from([0.1, 1.0, 4.0]))
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=2, keepdims=True)
    targets = rng.integers(draw(st.integers(1, classes)), size=rows)
    return Scored(
        ids=list(map(str, range(rows))), targets=targets, probabilities=probabilities[0], uncalibrated=probabilities[1]
    )


@settings(max_examples=150, deadline=None)
@given(scored_systems())
def test_metrics_are_those_of_scikit_learn(scored):
    truth, said, found = scored.targets, scored.predictions, evaluate(scored)
    onehot = np.eye(scored.classes)[truth]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scikit-learn warns of classes without rows
        expected = {
            "wa": reference.accuracy_score(truth, said),
            "ua": reference.balanced_accuracy_score(truth, said),
            "macro_f1": reference.f1_score(truth, said, average="macro"),
            "weighted_f1": reference.f1_score(truth, said, average="weighted"),
            "nll": reference.log_loss(truth, scored.probabilities, labels=range(scored.classes)),
            "brier": ((scored.probabilities - onehot) ** 2).sum(axis=1).mean(),
        }
    assert {key: found[key] for key in expected} == pytest.approx(expected, abs=1e-9)


@settings(max_examples=100, deadline=None)
@given(scored_systems())
def test_ece_is_that_of_torchmetrics(scored):
    found = evaluate(scored)
    for key, probabilities in (("ece", scored.probabilities), ("ece_uncalibrated", scored.uncalibrated)):
        metric = MulticlassCalibrationError(num_classes=scored.classes, n_bins=BINS, norm="l1", validate_args=False)
        # torchmetrics bins in float32, and gives a confidence of exactly 1 a sixteenth bin of its own
        assume(probabilities.max().astype(np.float32) < 1)
        expected = metric(torch.from_numpy(probabilities), torch.from_numpy(scored.targets))
        assert found[key] == pytest.approx(float(expected), abs=2e-6)


@settings(max_examples=60, deadline=None)
@given(scored_systems())
def test_per_class_is_that_of_scikit_learn(scored):
    found = per_class(total_sums(scored).confusion)
    precision, recall, f1, support = reference.precision_recall_fscore_support(
        scored.targets, scored.predictions, labels=range(scored.classes), zero_division=np.nan
    )
    np.testing.assert_allclose(found["precision"], precision)
    np.testing.assert_allclose(found["recall"], recall)
    np.testing.assert_allclose(found["f1"], f1)
    np.testing.assert_array_equal(found["support"], support)


def test_sums_of_units_add_up_to_the_whole(systems_maker):
    scored = systems_maker()["fusion"]
    units = np.arange(len(scored)) % 7
    whole, parts = total_sums(scored), unflatten(unit_sums(scored, units, 7), scored.classes)
    for name in ("confusion", "gaps", "gaps_uncalibrated", "losses"):
        np.testing.assert_allclose(getattr(parts, name).sum(axis=0), getattr(whole, name), atol=1e-9)
    some = units == 3
    np.testing.assert_allclose(
        METRICS["ua"](parts)[3], reference.balanced_accuracy_score(scored.targets[some], scored.predictions[some])
    )


def test_bins_are_open_below_and_closed_above():
    assert bin_of(np.array([0.0, 1 / 15, 1 / 15 + 1e-9, 0.2, 1.0])).tolist() == [0, 0, 1, 2, 14]


def test_reliability_gaps_weigh_up_to_the_ece(systems_maker):
    scored = systems_maker()["speech"]
    found = reliability(scored.confidence, scored.correct)
    filled = found.count > 0
    gaps = np.abs(found.accuracy - found.confidence)[filled] * found.count[filled] / len(scored)
    assert found.count.sum() == len(scored)
    assert gaps.sum() == pytest.approx(evaluate(scored)["ece"])


def test_an_impossible_truth_leaves_nll_finite():
    sure = [[1.0, 0.0]]
    assert np.isfinite(evaluate(Scored(ids=["a"], targets=[1], probabilities=sure, uncalibrated=sure))["nll"])
