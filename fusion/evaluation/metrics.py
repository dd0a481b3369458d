"""The figures of merit, all computed from sums over rows.

Sums add up: those of a set of speakers are the sum of theirs. So one small table with a line per speaker holds
everything that thousands of bootstrap draws need (`bootstrap.py`), and the value of a metric and its draws come
from the same lines of code.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from fusion.evaluation.scored import Bools, Floats, Ints, Scored

BINS = 15  # equal-width bins of confidence, as in Guo et al. 2017
LEAST_PROBABILITY = 2.0**-52  # NLL of a truth held to be impossible stays finite: 36 nats, as in scikit-learn


@dataclass(frozen=True)
class Sums:
    """Sums over rows. The leading axes `...` are units, draws, or nothing.

    confusion         : (..., classes, classes) rows by true class, then by predicted class
    gaps              : (..., BINS) sum of (correct - confidence) of the rows in each bin of confidence
    gaps_uncalibrated : (..., BINS) the same before temperature scaling
    losses            : (..., 2) sums of the negative log likelihood in nats and of the Brier score
    """

    confusion: Floats
    gaps: Floats
    gaps_uncalibrated: Floats
    losses: Floats

    @property
    def rows(self) -> Floats:
        """(...,) how many rows were summed."""
        return self.confusion.sum(axis=(-2, -1))


def unit_sums(scored: Scored, units: Ints, count: int) -> Floats:
    """(count, width) the sums of each unit (a speaker, say), flat; `unflatten` gives them their names back.

    units : (rows,) int64 in 0..count-1, the unit of each row
    """
    classes = scored.classes
    cells = classes * classes
    cell = (units * classes + scored.targets) * classes + scored.predictions
    columns: list[Floats] = [np.bincount(cell, minlength=count * cells).reshape(count, cells).astype(np.float64)]
    truth = np.take_along_axis(scored.probabilities, scored.targets[:, None], axis=1)[:, 0]
    nll = -np.log(np.maximum(truth, LEAST_PROBABILITY))
    brier = (scored.probabilities**2).sum(axis=1) - 2 * truth + 1  # = Σ (p - onehot)²
    for probabilities in (scored.probabilities, scored.uncalibrated):
        confidence = probabilities.max(axis=1)
        gap = (probabilities.argmax(axis=1) == scored.targets) - confidence
        columns.append(_sums(units * BINS + bin_of(confidence), gap, count * BINS).reshape(count, BINS))
    columns += [_sums(units, loss, count)[:, None] for loss in (nll, brier)]
    return np.concatenate(columns, axis=1)


def unflatten(flat: Floats, classes: int) -> Sums:
    """The named sums of (..., width)."""
    cells = classes * classes
    return Sums(
        confusion=flat[..., :cells].reshape(*flat.shape[:-1], classes, classes),
        gaps=flat[..., cells : cells + BINS],
        gaps_uncalibrated=flat[..., cells + BINS : cells + 2 * BINS],
        losses=flat[..., cells + 2 * BINS :],
    )


def total_sums(scored: Scored) -> Sums:
    """The sums over all rows of one system."""
    return unflatten(unit_sums(scored, np.zeros(len(scored), np.int64), 1)[0], scored.classes)


def bin_of(confidence: Floats) -> Ints:
    """(rows,) which of the BINS bins, each ((b) / BINS, (b + 1) / BINS], a confidence falls into."""
    edges = np.linspace(0.0, 1.0, BINS + 1)
    return np.clip(np.searchsorted(edges, confidence, side="left") - 1, 0, BINS - 1)


def weighted_accuracy(sums: Sums) -> Floats:
    """WA: the share of rows whose class is right."""
    return _diagonal(sums).sum(axis=-1) / sums.rows


def unweighted_accuracy(sums: Sums) -> Floats:
    """UA, also UAR: mean recall over the classes that are present (Schuller et al. 2009)."""
    support = sums.confusion.sum(axis=-1)
    recall = _diagonal(sums) / np.maximum(support, 1)
    return recall.sum(axis=-1) / (support > 0).sum(axis=-1)


def macro_f1(sums: Sums) -> Floats:
    """Mean F1 over the classes that are present or predicted, as scikit-learn has it."""
    return _f1(sums).sum(axis=-1) / (_seen(sums) > 0).sum(axis=-1)


def weighted_f1(sums: Sums) -> Floats:
    """Mean F1 over the classes, weighted by how many rows each has."""
    support = sums.confusion.sum(axis=-1)
    return (_f1(sums) * support).sum(axis=-1) / support.sum(axis=-1)


def ece(sums: Sums) -> Floats:
    """Expected calibration error of the predicted class: Σ_b |rows right in b - sum of confidences in b| / rows.

    Guo, Pleiss, Sun & Weinberger (ICML 2017), equation 3, with 15 equal-width bins.
    """
    return np.abs(sums.gaps).sum(axis=-1) / sums.rows


def ece_uncalibrated(sums: Sums) -> Floats:
    """`ece` before temperature scaling."""
    return np.abs(sums.gaps_uncalibrated).sum(axis=-1) / sums.rows


def nll(sums: Sums) -> Floats:
    """Mean negative log likelihood of the true class, in nats, after temperature scaling."""
    return sums.losses[..., 0] / sums.rows


def brier(sums: Sums) -> Floats:
    """Mean Brier score Σ_k (p_k - [k is true])², 0 to 2 (Brier 1950), after temperature scaling."""
    return sums.losses[..., 1] / sums.rows


METRICS: dict[str, Callable[[Sums], Floats]] = {
    "wa": weighted_accuracy,
    "ua": unweighted_accuracy,
    "macro_f1": macro_f1,
    "weighted_f1": weighted_f1,
    "ece": ece,
    "ece_uncalibrated": ece_uncalibrated,
    "nll": nll,
    "brier": brier,
}
LOWER_IS_BETTER = frozenset({"ece", "ece_uncalibrated", "nll", "brier"})
GREATEST = {"nll": np.inf, "brier": 2.0}  # 1 for all others


def evaluate(scored: Scored) -> dict[str, float]:
    """Every metric of one system.

    >>> sure = Scored(ids=["a", "b"], targets=[0, 1], probabilities=[[1, 0], [1, 0]], uncalibrated=[[1, 0], [1, 0]])
    >>> evaluate(sure)["wa"], evaluate(sure)["ua"], evaluate(sure)["ece"]
    (0.5, 0.5, 0.5)
    """
    sums = total_sums(scored)
    return {name: float(metric(sums)) for name, metric in METRICS.items()}


def per_class(confusion: Floats) -> dict[str, Floats]:
    """(classes,) each: precision, recall, f1, support. NaN where a class has no rows to say it of.

    confusion : (classes, classes) counts, true class by predicted class
    """
    right, support, predicted = np.diagonal(confusion), confusion.sum(axis=1), confusion.sum(axis=0)
    with np.errstate(invalid="ignore"):
        return {
            "precision": right / predicted,
            "recall": right / support,
            "f1": 2 * right / (support + predicted),
            "support": support,
        }


@dataclass(frozen=True)
class Reliability:
    """Reliability diagram, (BINS,) each: rows in the bin, their mean confidence and their accuracy; NaN where empty."""

    count: Ints
    confidence: Floats
    accuracy: Floats


def reliability(confidence: Floats, correct: Bools) -> Reliability:
    """What confidence was claimed and what was kept, bin by bin."""
    bins = bin_of(confidence)
    count = np.bincount(bins, minlength=BINS)
    with np.errstate(invalid="ignore"):
        return Reliability(
            count=count,
            confidence=np.bincount(bins, weights=confidence, minlength=BINS) / count,
            accuracy=np.bincount(bins, weights=correct, minlength=BINS) / count,
        )


def _sums(cells: Ints, values: Floats, count: int) -> Floats:
    return np.bincount(cells, weights=values, minlength=count).astype(np.float64)


def _diagonal(sums: Sums) -> Floats:
    return np.diagonal(sums.confusion, axis1=-2, axis2=-1)


def _seen(sums: Sums) -> Floats:
    """(..., classes) rows that are of the class plus rows that were called so."""
    return sums.confusion.sum(axis=-1) + sums.confusion.sum(axis=-2)


def _f1(sums: Sums) -> Floats:
    return 2 * _diagonal(sums) / np.maximum(_seen(sums), 1)
