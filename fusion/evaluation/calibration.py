"""Confidence that can be believed: temperature, the threshold for `uncertain`, and what abstaining buys."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from math import ceil, log

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax

from extractors.errors import EmofuseError
from fusion.evaluation.scored import Bools, Floats, Ints

logger = logging.getLogger(__name__)

COLDEST, HOTTEST = 0.05, 20.0  # temperatures; beyond them a head is certain, or knows nothing
PRIOR_SPREAD = 1.0  # standard deviation of log T: a factor e either way is nothing unusual
GRID = 25  # starting points, evenly spaced in log T
COVERAGE = 0.9  # share of validation rows that get a label rather than `uncertain`


@dataclass(frozen=True)
class Calibration:
    """What validation taught.

    temperature : logits are divided by it
    threshold   : a confidence below it is `uncertain`
    coverage    : the share of validation rows at or above the threshold
    rows        : how many validation rows taught it
    """

    temperature: float = 1.0
    threshold: float = 0.0
    coverage: float = 1.0
    rows: int = 0

    def probabilities(self, logits: Floats) -> Floats:
        """(rows, classes) float64 probabilities of (rows, classes) logits."""
        return softmax(np.asarray(logits, dtype=np.float64) / self.temperature, axis=1)


def calibrate(logits: Floats, targets: Ints, *, coverage: float = COVERAGE) -> Calibration:
    """Temperature and threshold from validation rows; without any, neither changes anything.

    Args:
        logits: (rows, classes) of rows that the head was not trained on, and that are not test rows.
        targets: (rows,) their true classes.
        coverage: share of these rows that the threshold must let through.

    >>> rng = np.random.default_rng(0)
    >>> honest = rng.normal(size=(2000, 4))
    >>> truth = (honest + rng.gumbel(size=honest.shape)).argmax(axis=1)  # drawn from softmax(honest)
    >>> round(calibrate(3 * honest, truth).temperature)  # an overconfident head, by a factor of 3
    3
    """
    temperature = fit_temperature(logits, targets)
    if not len(targets):
        return Calibration()
    confidence = Calibration(temperature).probabilities(logits).max(axis=1)
    threshold = coverage_threshold(confidence, coverage)
    return Calibration(temperature, threshold, float((confidence >= threshold).mean()), len(targets))


def fit_temperature(logits: Floats, targets: Ints, *, prior_spread: float = PRIOR_SPREAD) -> float:
    """The temperature T that makes softmax(logits / T) likeliest on validation rows.

    Temperature scaling (Guo, Pleiss, Sun & Weinberger, ICML 2017, section 4.2) with a weak prior, log T ~ N(0,
    `prior_spread`²). The likelihood alone sends T to 0 where a few validation rows are all classified right, which makes
    the head certain of everything; the prior weighs less than one row and is soon forgotten. `prior_spread=inf` is
    Guo's fit. T lies in [0.05, 20] and is 1 without rows. Deterministic.

    logits  : (rows, classes); EmofuseError unless finite
    targets : (rows,) int64
    """
    logits, targets = np.asarray(logits, dtype=np.float64), np.asarray(targets, dtype=np.int64)
    if not len(targets):
        logger.warning("no validation rows to calibrate on: probabilities stay as the head gives them")
        return 1.0
    if not np.isfinite(logits).all():
        raise EmofuseError("validation logits are not finite numbers: the training diverged. Lower the learning rate.")
    rows = np.arange(len(targets))

    def loss(log_temperature: float) -> float:
        likelihood = log_softmax(logits / np.exp(log_temperature), axis=1)[rows, targets].sum()
        return float(0.5 * (log_temperature / prior_spread) ** 2 - likelihood)

    grid = np.linspace(log(COLDEST), log(HOTTEST), GRID)
    best = int(np.argmin([loss(point) for point in grid]))
    bounds = (grid[max(best - 1, 0)], grid[min(best + 1, GRID - 1)])
    fitted = minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": 1e-6}).x
    return float(np.clip(np.exp(fitted), COLDEST, HOTTEST))


def coverage_threshold(confidence: Floats, coverage: float = COVERAGE) -> float:
    """The greatest threshold that at least `coverage` of the rows reach; 0 without rows.

    >>> coverage_threshold(np.array([0.9, 0.5, 0.8, 0.7]), coverage=0.75)
    0.7
    """
    if not 0 < coverage <= 1:
        raise ValueError(f"expected a coverage above 0 and up to 1, got {coverage}")
    if not len(confidence):
        return 0.0
    kept = ceil(coverage * len(confidence) - 1e-9)  # 0.9 × 10 is 9.000000000000002 for a computer
    return float(np.sort(confidence)[::-1][kept - 1])


def risk_coverage(confidence: Floats, correct: Bools) -> tuple[Floats, Floats]:
    """Answer only the most confident rows: (points,) share answered, (points,) accuracy among them.

    One point for each confidence that occurs, from the most confident on; rows of equal confidence come together.
    Geifman & El-Yaniv (NeurIPS 2017); risk is one minus the accuracy.

    >>> share, accuracy = risk_coverage(np.array([0.9, 0.6, 0.9, 0.7]), np.array([True, False, True, True]))
    >>> share.tolist(), accuracy.round(2).tolist()
    ([0.5, 0.75, 1.0], [1.0, 1.0, 0.75])
    """
    order = np.argsort(-confidence, kind="stable")
    last = np.append(np.flatnonzero(np.diff(confidence[order])), len(order) - 1)  # last row of each confidence
    return (last + 1) / len(order), np.cumsum(correct[order])[last] / (last + 1)
