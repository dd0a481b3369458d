"""Which answers to keep to oneself: the confidence below which a clip is `uncertain`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from extractors.errors import InputError
from fusion.evaluation.calibration import COVERAGE, Calibration, calibrate, coverage_threshold, risk_coverage
from fusion.explore.templates.heldout import HeldOut

LEAST_ROWS = 20  # held-out clips below which neither a temperature nor a threshold is learnt
LEAST_ANSWERED = 10  # clips that an accuracy is of, before a threshold is set by it


@dataclass(frozen=True)
class Reject:
    """How the threshold is found; at most one is given. Without any, 90 % of the held-out clips get an answer where there
    are enough to tell, and else every clip does.

    threshold : the confidence itself; 0: every clip gets an answer
    coverage  : share of held-out clips that are to get an answer
    precision : share of the answers to held-out clips that are to be right
    """

    threshold: float | None = None
    coverage: float | None = None
    precision: float | None = None

    def __post_init__(self) -> None:
        given = {name: value for name, value in vars(self).items() if value is not None}
        if len(given) > 1:
            raise InputError(f"reject: expected one of threshold, coverage and precision, got {' and '.join(given)}")
        for name, value in given.items():
            number = isinstance(value, int | float) and not isinstance(value, bool)
            if not number or not (0 if name == "threshold" else 1e-9) <= value <= 1:
                raise InputError(f"reject.{name}: expected a share between 0 and 1, got {value!r}")


def learn(heldout: HeldOut, reject: Reject) -> tuple[Calibration, str]:
    """Temperature and threshold of held-out clips, and how they came about in words.

    Raises InputError where a threshold is to be learnt and there is too little to learn it from, or where no threshold
    reaches the precision.
    """
    enough = len(heldout) >= LEAST_ROWS
    why = f"{len(heldout)} held-out clips, at least {LEAST_ROWS} are needed ({heldout.how})"
    wanted = "coverage" if reject.coverage is not None else "precision" if reject.precision is not None else None
    if not enough and wanted is not None:
        raise InputError(
            f"reject.{wanted}: a threshold cannot be learnt from {why}",
            hint="Give more labelled clips, or the threshold itself: reject.threshold=0.6.",
        )
    if not enough:
        return Calibration(threshold=reject.threshold or 0.0), f"not calibrated: {why}"
    learnt = calibrate(heldout.logits, heldout.targets)
    probabilities = learnt.probabilities(heldout.logits)
    confidence, correct = probabilities.max(axis=1), probabilities.argmax(axis=1) == heldout.targets
    if reject.threshold is not None:
        threshold = float(reject.threshold)
    elif reject.precision is not None:
        threshold = precision_threshold(confidence, correct, reject.precision)
    else:
        threshold = coverage_threshold(confidence, COVERAGE if reject.coverage is None else reject.coverage)
    coverage = float((confidence >= threshold).mean())
    how = f"temperature of {len(heldout):,} held-out clips ({heldout.how})"
    return Calibration(learnt.temperature, threshold, coverage, len(heldout)), how


def precision_threshold(confidence: np.ndarray, correct: np.ndarray, precision: float) -> float:
    """The lowest threshold above which at least that share of the answers is right, of no fewer than ten answers.

    Raises InputError with what can be reached where none does.

    >>> sure = np.linspace(1, 0.5, 20)
    >>> right = np.arange(20) < 15  # the least sure five are wrong
    >>> bool(precision_threshold(sure, right, 0.9) == sure[15])
    True
    """
    share, accuracy = risk_coverage(confidence, correct)
    usable = share * len(confidence) >= min(LEAST_ANSWERED, len(confidence)) - 1e-9
    reached = np.flatnonzero(usable & (accuracy >= precision - 1e-12))
    if not len(reached):
        best = float(accuracy[usable].max())
        raise InputError(
            f"reject.precision: no threshold makes {precision:.0%} of the answers right; {best:.1%} is the most",
            hint="Ask for less, give more labelled clips, or another space.",
        )
    kept = round(float(share[reached[-1]]) * len(confidence))
    return float(np.sort(confidence)[::-1][kept - 1])
