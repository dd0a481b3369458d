"""Class outputs as log-probabilities: what a model wrote is checked against what it is said to have written."""

from __future__ import annotations

import logging
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax, logsumexp

from fusion.data.problems import Problems

log = logging.getLogger(__name__)

Kind = Literal["logits", "probabilities", "log_probabilities"]
KINDS: tuple[Kind, ...] = get_args(Kind)

LEAST = 1e-12  # a class that a model calls impossible keeps this much: else one model's zero could never be outvoted
TOLERANCE = 0.01  # by which a row of probabilities may miss one; written with two decimals, eight classes may miss 0.04

Floats = NDArray[np.float64]


def log_probabilities(values: Floats, kind: Kind, problems: Problems, *, tolerance: float = TOLERANCE) -> Floats:
    """Class outputs of a `kind` as log-probabilities, each row summing to one, none below log(LEAST).

    Rows that cannot be of that kind are noted in `problems`; logits that look like probabilities get a warning.

    values    : (rows, classes); a row of NaN is of a model that said nothing, and stays NaN
    tolerance : by which the probabilities of a row may miss one

    >>> log_probabilities(np.array([[0.0, 0.0], [np.nan, np.nan]]), "logits", Problems()).round(2).tolist()
    [[-0.69, -0.69], [nan, nan]]
    >>> problems = Problems()
    >>> _ = log_probabilities(np.array([[2.5, -1.0], [0.5, 0.5]]), "probabilities", problems)
    >>> problems.of_rows[0].detail(0)
    'expected probabilities that sum to one, got a sum of 1.5 and values from -1 to 2.5'
    """
    said = ~np.isnan(values).any(axis=1)
    given = values[said]
    if not len(given):
        return values
    wrong, told = _wrong(given, kind, tolerance)
    seems = looks_like(given, tolerance)
    if wrong.all() and len(given) > 1 and seems != kind:
        problems.of_file.append(
            f"expected {kind}, and no row is any: {told(0)} in the first. They look like {seems}"
            + (f"; say kind: {seems}" if seems in KINDS else "; divide them by 100")
        )
    elif wrong.any():
        rows = np.flatnonzero(said)
        everywhere = np.zeros(len(values), bool)
        everywhere[rows[wrong]] = True
        at = {int(row): number for number, row in enumerate(rows)}
        problems.add_rows(f"no {kind}", everywhere, lambda row: f"expected {_rule(kind)}, got {told(at[row])}")
    elif kind == "logits" and seems == "probabilities":
        log.warning("These logits look like probabilities: all rows are positive and sum to one. Say so (kind).")
    result = np.full(values.shape, np.nan)
    with np.errstate(all="ignore"):  # rows that are noted above may do anything here
        scores = np.log(np.clip(given, 0.0, None)) if kind == "probabilities" else given
        result[said] = np.maximum(log_softmax(scores, axis=1), np.log(LEAST))
    return result


def looks_like(values: Floats, tolerance: float = TOLERANCE) -> str:
    """What (rows, classes) numbers seem to be: one of KINDS, or `percentages`.

    >>> looks_like(np.array([[0.2, 0.8]])), looks_like(np.log([[0.2, 0.8]])), looks_like(np.array([[20.0, 80.0]]))
    ('probabilities', 'log_probabilities', 'percentages')
    >>> looks_like(np.array([[0.2, 3.0]]))
    'logits'
    """
    for kind in ("probabilities", "log_probabilities"):
        if not _wrong(values, kind, tolerance)[0].any():
            return kind
    return "logits" if _wrong(values / 100, "probabilities", tolerance)[0].any() else "percentages"


def _wrong(values: Floats, kind: str, tolerance: float):  # type: ignore[no-untyped-def]  # (mask, row -> words)
    """Which rows cannot be of that kind, (rows,) bool, and what to say of one."""
    least, most = values.min(axis=1), values.max(axis=1)
    if kind == "logits":
        return ~np.isfinite(values).all(axis=1), lambda row: f"values from {least[row]:g} to {most[row]:g}"
    with np.errstate(all="ignore"):
        sums = values.sum(axis=1) if kind == "probabilities" else np.exp(logsumexp(values, axis=1))
        wrong = ~(np.abs(sums - 1) <= tolerance)  # so that NaN is wrong too
    wrong |= (least < 0) if kind == "probabilities" else (most > tolerance)
    return wrong, lambda row: f"a sum of {sums[row]:g} and values from {least[row]:g} to {most[row]:g}"


def _rule(kind: Kind) -> str:
    return {
        "logits": "finite logits",
        "probabilities": "probabilities that sum to one",
        "log_probabilities": "log-probabilities, whose exponentials sum to one",
    }[kind]
