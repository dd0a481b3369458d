"""McNemar's test, also for several seeds; and Holm's correction for many comparisons."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import gcd

import numpy as np
from scipy.stats import chi2

from fusion.evaluation.scored import Ints

FEW = 25  # discordant utterances; below, the χ² approximation is not to be trusted and the exact test costs nothing


@dataclass(frozen=True)
class McNemar:
    """`a_only` utterances on which a is right (more often than b), `b_only` the reverse; p and how it was found."""

    a_only: int
    b_only: int
    p: float
    method: str


def mcnemar(balance: Ints) -> McNemar:
    """Is one of two systems right more often than the other, utterance by utterance?

    Args:
        balance: (utterances,) whole numbers. For one seed each: +1 where only a is right, -1 where only b is, 0 where
            both are or neither. For several seeds: how much oftener a was right than b on that utterance.

    One seed: McNemar, "Note on the sampling error of the difference between correlated proportions or percentages",
    Psychometrika 1947. With fewer than 25 discordant utterances the exact binomial test, else χ² with the continuity
    correction (|b - c| - 1)² / (b + c) of Edwards, Psychometrika 1948.

    Several seeds: an utterance counts once, with all its judgements, because those of several seeds resemble each other.
    Under the null each utterance's balance is as likely to have the other sign, so the exact test flips signs, and the
    approximation is (|Σk| - 1)² / Σk², k the balances without their common divisor: the clustered McNemar of Durkalski,
    Palesch, Lipsitz & Rust, Statistics in Medicine 2003, with a cluster an utterance. For one seed both are the above.

    Utterances are taken to be independent. Those of one speaker are not, so p is too small for a claim on new speakers.

    >>> mcnemar(np.array([1] * 8 + [-1] + [0] * 91))
    McNemar(a_only=8, b_only=1, p=0.0390625, method='exact')
    """
    balance = np.asarray(balance, dtype=np.int64)
    discordant = balance[balance != 0]
    a_only, b_only = int((balance > 0).sum()), int((balance < 0).sum())
    if not len(discordant):
        return McNemar(0, 0, 1.0, "exact")
    discordant = discordant // gcd(*map(int, discordant))
    total = abs(int(discordant.sum()))
    if len(discordant) < FEW:
        return McNemar(a_only, b_only, _sign_flips(np.abs(discordant), total), "exact")
    statistic = max(total - 1, 0) ** 2 / float((discordant**2).sum())
    return McNemar(a_only, b_only, float(chi2.sf(statistic, 1)), "chi-square")


def _sign_flips(sizes: Ints, total: int) -> float:
    """P(|±k₁ ± k₂ …| >= total), every sign as likely as the other: binomial where all k are 1."""
    chance = np.ones(1)  # of each sum so far, from -Σ to +Σ
    for size in sizes.tolist():
        wider = np.zeros(len(chance) + 2 * size)
        wider[: len(chance)] += chance / 2
        wider[2 * size :] += chance / 2
        chance = wider
    middle = len(chance) // 2
    sums = np.abs(np.arange(len(chance)) - middle)
    return float(min(1.0, chance[sums >= total].sum()))


def holm(p: Sequence[float | None]) -> list[float | None]:
    """P-values corrected for their number; None stays None and counts for none.

    Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of Statistics 1979: keeps the
    chance of any false claim at α, whatever depends on what.

    >>> holm([0.01, 0.04, None, 0.03])
    [0.03, 0.06, None, 0.06]
    """
    known = sorted((value, place) for place, value in enumerate(p) if value is not None)
    corrected: list[float | None] = [None] * len(p)
    worst = 0.0
    for rank, (value, place) in enumerate(known):
        worst = max(worst, min(1.0, (len(known) - rank) * value))
        corrected[place] = worst
    return corrected
