from __future__ import annotations

import logging

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import softmax

from extractors.errors import EmofuseError
from fusion.evaluation.calibration import (
    COLDEST,
    HOTTEST,
    Calibration,
    calibrate,
    coverage_threshold,
    fit_temperature,
    risk_coverage,
)
from fusion.evaluation.metrics import evaluate
from fusion.evaluation.scored import Scored


def drawn(rows: int, sharpness: float, seed: int = 0):
    """Logits that overstate what they know by `sharpness`, and classes drawn from the honest ones."""
    rng = np.random.default_rng(seed)
    honest = 1.5 * rng.normal(size=(rows, 5))
    return sharpness * honest, (honest + rng.gumbel(size=honest.shape)).argmax(axis=1)


@pytest.mark.parametrize("sharpness", [0.3, 1.0, 4.0])
def test_the_temperature_undoes_the_sharpness(sharpness):
    logits, targets = drawn(6_000, sharpness)
    assert fit_temperature(logits, targets) == pytest.approx(sharpness, rel=0.06)


def test_it_is_the_minimum_that_lbfgs_finds():
    """Guo et al.'s own method, temperature by L-BFGS, as reference for the fit without a prior."""
    logits, targets = drawn(400, 2.5, seed=1)
    scale = torch.ones(1, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([scale], max_iter=200, tolerance_change=1e-12)

    def closure():
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(torch.from_numpy(logits) / scale, torch.from_numpy(targets))
        loss.backward()
        return loss

    optimizer.step(closure)
    assert fit_temperature(logits, targets, prior_spread=np.inf) == pytest.approx(scale.item(), rel=1e-4)
    assert fit_temperature(logits, targets) == pytest.approx(scale.item(), rel=0.02)  # 400 rows outweigh the prior


def test_calibration_lowers_the_error_on_rows_it_has_not_seen():
    calibration = calibrate(*drawn(800, 4.0, seed=2))
    logits, targets = drawn(4_000, 4.0, seed=3)
    found = evaluate(
        Scored(
            ids=list(map(str, range(len(targets)))),
            targets=targets,
            probabilities=calibration.probabilities(logits),
            uncalibrated=softmax(logits, axis=1),
        )
    )
    assert found["ece"] < 0.03 < 0.1 < found["ece_uncalibrated"]


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 30), st.integers(2, 6), st.sampled_from([0.0, 1e-3, 1.0, 1e4]), st.integers(0, 10_000))
def test_whatever_the_rows_the_temperature_is_in_bounds_and_changes_no_label(rows, classes, scale, seed):
    rng = np.random.default_rng(seed)
    logits, targets = scale * rng.normal(size=(rows, classes)), rng.integers(classes, size=rows)
    calibration = calibrate(logits, targets)
    assert COLDEST <= calibration.temperature <= HOTTEST
    assert calibration.temperature == fit_temperature(logits, targets)
    np.testing.assert_array_equal(calibration.probabilities(logits).argmax(axis=1), logits.argmax(axis=1))
    assert calibration.coverage >= 0.9 - 1e-9


def test_a_handful_of_right_answers_does_not_make_it_certain():
    """All right, or all of one class: likelihood alone would go to the coldest temperature there is."""
    targets = np.array([0, 1, 2, 0, 1, 2])
    separated = 2.0 * np.eye(3)[targets]
    assert fit_temperature(separated, targets, prior_spread=np.inf) < 0.07  # the likelihood is flat down there
    assert 0.3 < fit_temperature(separated, targets) < 1
    one_class = np.tile([1.0, 0.0], (4, 1))
    assert 0.2 < fit_temperature(one_class, np.zeros(4, np.int64)) < 1
    assert fit_temperature(one_class, np.ones(4, np.int64)) > 1  # all wrong: less sure


def test_no_validation_rows_change_nothing_and_say_so(caplog):
    with caplog.at_level(logging.WARNING):
        found = calibrate(np.zeros((0, 3)), np.zeros(0, np.int64))
    assert found == Calibration(temperature=1.0, threshold=0.0, coverage=1.0, rows=0)
    assert "no validation rows" in caplog.text


def test_a_diverged_training_is_named():
    with pytest.raises(EmofuseError, match="diverged"):
        fit_temperature(np.array([[np.nan, 0.0]]), np.array([0]))


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from([0.3, 0.5, 0.50001, 0.8, 1.0]), min_size=1, max_size=40), st.floats(0.05, 1))
def test_the_threshold_is_the_greatest_that_keeps_the_coverage(values, coverage):
    confidence = np.array(values)
    threshold = coverage_threshold(confidence, coverage)
    assert (confidence >= threshold).mean() >= coverage - 1e-9
    assert (confidence > threshold).mean() < coverage


def test_impossible_coverage_is_refused():
    for coverage in (0.0, 1.1):
        with pytest.raises(ValueError, match="coverage above 0"):
            coverage_threshold(np.array([0.5]), coverage)


def test_risk_coverage_against_counting(systems_maker):
    scored = systems_maker()["speech"]
    confidence = scored.confidence.round(2)  # ties
    share, accuracy = risk_coverage(confidence, scored.correct)
    levels = np.unique(confidence)[::-1]
    np.testing.assert_allclose(share, [(confidence >= level).mean() for level in levels])
    np.testing.assert_allclose(accuracy, [scored.correct[confidence >= level].mean() for level in levels])
    assert (share[-1], accuracy[-1]) == (1.0, scored.correct.mean())
