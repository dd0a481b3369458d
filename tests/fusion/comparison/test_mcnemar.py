from __future__ import annotations

from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest, norm

from fusion.comparison.mcnemar import FEW, holm, mcnemar


def balance(a_only: int, b_only: int, both: int = 7) -> np.ndarray:
    return np.array([1] * a_only + [-1] * b_only + [0] * both)


@given(a_only=st.integers(0, 24), b_only=st.integers(0, 24))
@settings(deadline=None)
def test_few_discordant_pairs_are_tested_exactly(a_only, b_only):
    found = mcnemar(balance(a_only, b_only))
    if 0 < a_only + b_only < FEW:
        assert found.method == "exact"
        assert found.p == pytest.approx(binomtest(a_only, a_only + b_only, 0.5).pvalue)
    assert (found.a_only, found.b_only) == (a_only, b_only)
    assert 0 <= found.p <= 1


def test_many_as_edwards_wrote_it():
    """McNemar's own kind of table: 121 and 59 discordant; (|121 - 59| - 1)² / 180 = 20.672."""
    found = mcnemar(balance(121, 59, both=101))
    statistic = (abs(121 - 59) - 1) ** 2 / (121 + 59)
    assert statistic == pytest.approx(20.6722, abs=1e-4)
    assert found.method == "chi-square"
    assert found.p == pytest.approx(2 * norm.sf(statistic**0.5))  # χ² of one degree of freedom is a squared normal
    assert mcnemar(balance(20, 20)).p == 1.0


def test_nothing_discordant_shows_nothing():
    assert mcnemar(np.zeros(50, dtype=int)).p == 1.0
    assert mcnemar(np.array([], dtype=int)).p == 1.0


@given(st.lists(st.integers(-6, 6).filter(bool), min_size=1, max_size=9))
@settings(deadline=None, max_examples=60)
def test_several_seeds_are_tested_by_flipping_every_sign(sizes):
    total = abs(sum(sizes))
    flips = [
        abs(sum(sign * size for sign, size in zip(signs, sizes, strict=True)))
        for signs in product((1, -1), repeat=len(sizes))
    ]
    expected = np.mean([value >= total for value in flips])
    assert mcnemar(np.array([*sizes, 0, 0])).p == pytest.approx(expected)


@pytest.mark.parametrize("times", [2, 6])
@pytest.mark.parametrize(("a_only", "b_only"), [(9, 3), (60, 31)])
def test_the_same_answer_of_every_seed_is_one_answer(a_only, b_only, times):
    """Three seeds that all say the same know no more than one."""
    assert mcnemar(times * balance(a_only, b_only)) == mcnemar(balance(a_only, b_only))


def test_where_neither_is_better_it_says_so_as_often_as_it_should():
    """2,000 tables of 300 utterances, judged by three seeds each that resemble each other, neither system better."""
    rng = np.random.default_rng(0)
    hardness = rng.uniform(0.1, 0.9, size=(2_000, 300, 1))
    found = rng.random((2, 2_000, 300, 1)) < hardness  # what all seeds of a system make of the utterance
    right = np.where(rng.random((2, 2_000, 300, 3)) < 0.7, found, rng.random((2, 2_000, 300, 3)) < hardness)
    balances = right[0].sum(axis=2).astype(int) - right[1].sum(axis=2)
    rejected = np.mean([mcnemar(row).p < 0.05 for row in balances])
    assert 0.03 < rejected < 0.06
    # what it is there to avoid: the three judgements as three utterances
    careless = right[0].reshape(2_000, -1).astype(int) - right[1].reshape(2_000, -1)
    assert np.mean([mcnemar(row).p < 0.05 for row in careless]) > 0.1


def closed(p: list[float]) -> list[float]:
    """Holm as the closed test of Bonferroni's: the worst over all families that a hypothesis may be in."""
    families = [subset for size in range(1, len(p) + 1) for subset in combinations(range(len(p)), size)]
    return [max(min(1.0, len(f) * min(p[k] for k in f)) for f in families if i in f) for i in range(len(p))]


@given(st.lists(st.floats(0, 1), min_size=1, max_size=7))
@settings(deadline=None, max_examples=100)
def test_holm_is_the_closed_bonferroni_test(p):
    assert holm(p) == pytest.approx(closed(p))


def test_holm_by_hand():
    assert holm([0.01, 0.02, 0.03, 0.04]) == pytest.approx([0.04, 0.06, 0.06, 0.06])
    assert holm([0.2]) == [0.2]
    assert holm([]) == []
    assert holm([None, None]) == [None, None]
