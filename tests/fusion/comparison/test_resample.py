from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import ttest_1samp

from fusion.comparison.resample import difference_p, least_p, seed_means, two_sided_p
from fusion.evaluation.bootstrap import Bootstrap, bootstrap, paired_difference
from fusion.evaluation.metrics import METRICS, evaluate
from fusion.evaluation.scored import Scored


def test_one_seed_is_the_paired_bootstrap(scored_maker):
    a, b = scored_maker(skill=1.5), scored_maker(skill=1.2)
    found = seed_means({"a": [a], "b": [b]}, draws=300, seed=5)
    assert found.difference("a", "b") == paired_difference(a, b, draws=300, seed=5)
    assert found.intervals("a") == bootstrap({"a": a, "b": b}, draws=300, seed=5).intervals("a")


def test_the_value_is_the_mean_over_seeds_whatever_the_metric(scored_maker):
    parts = [scored_maker(seeds=[seed]) for seed in (1, 2, 3)]
    found = seed_means({"a": parts}, draws=50)
    for metric in METRICS:
        assert found.systems["a"].value[metric] == pytest.approx(np.mean([evaluate(part)[metric] for part in parts]))


def test_the_same_seed_thrice_is_one_seed(scored_maker):
    """More judgements of the same utterances do not make an interval shorter."""
    a, b = scored_maker(skill=1.5), scored_maker(skill=1.2)
    once = seed_means({"a": [a], "b": [b]}, draws=300)
    thrice = seed_means({"a": [a] * 3, "b": [b]}, draws=300)
    for metric, interval in once.difference("a", "b").items():
        assert thrice.difference("a", "b")[metric] == pytest.approx(interval)


def test_draws_are_those_of_rows_put_together_by_hand(scored_maker):
    """Seeds that tested different rows: every draw against copying rows, with scikit-free arithmetic."""
    parts = [scored_maker(seeds=[1], rows=60), scored_maker(seeds=[2], rows=80, first=40)]
    found = seed_means({"a": parts}, draws=40, seed=3)
    rng = np.random.default_rng(3)
    names = list(dict.fromkeys(group for part in parts for group in part.groups))
    for draw, chosen in enumerate(rng.integers(len(names), size=(40, len(names)))):
        expected = []
        for part in parts:
            speaker = np.array(part.groups)
            index = np.concatenate([np.flatnonzero(speaker == names[unit]) for unit in chosen])
            expected.append(evaluate(part.take(index)))
        for metric in METRICS:
            assert found.systems["a"].draws[metric][draw] == pytest.approx(np.mean([e[metric] for e in expected]))


def test_a_draw_without_the_speakers_of_a_seed_takes_the_others(scored_maker):
    """Two seeds that tested 5 speakers each, none of them the same."""
    parts = [scored_maker(seeds=[1], rows=50, speakers=5), scored_maker(seeds=[2], rows=50, first=50, speakers=5)]
    second = parts[1]
    parts[1] = Scored(
        ids=second.ids,
        targets=second.targets,
        probabilities=second.probabilities,
        uncalibrated=second.uncalibrated,
        groups=[f"other {group}" for group in second.groups],
    )
    found = seed_means({"a": parts}, draws=4_000)
    assert found.units.total == 10
    assert all(np.isfinite(draws).all() for draws in found.systems["a"].draws.values())


def test_seeds_of_an_utterance_without_a_speaker_are_drawn_together(scored_maker):
    parts = [scored_maker(seeds=[seed], speakers=0) for seed in (1, 2)]
    found = seed_means({"a": parts}, draws=20)
    assert (found.units.kind, found.units.total) == ("utterance", 160)


@pytest.mark.parametrize("units", [5, 12, 300])
def test_p_is_below_alpha_where_the_interval_excludes_zero(units):
    """At any level, from the code that makes the intervals."""
    rng = np.random.default_rng(units)
    checked = 0
    for _ in range(60):
        draws = rng.normal(rng.normal(0, 2), 1, size=2_000) + rng.normal(0, 0.2)
        value = float(draws.mean() + rng.normal(0, 0.1))
        p = two_sided_p(value, draws, units)
        for alpha in (0.5, 0.2, 0.1, 0.05):
            if alpha <= least_p(2_000, units) or abs(p - alpha) < 1e-9:
                continue
            found = Bootstrap(units=_units(units), level=1 - alpha, systems={})
            interval = found._interval(value, draws, -np.inf, np.inf)
            assert (interval["low"] > 0 or interval["high"] < 0) == (p < alpha)
            checked += 1
    assert checked > 100


def _units(count: int):
    from fusion.evaluation.bootstrap import Units

    return Units(np.arange(count), count, count, "speaker")


def test_p_does_not_know_which_of_two_comes_first(scored_maker):
    a, b = scored_maker(skill=1.5), scored_maker(skill=1.2)
    found = seed_means({"a": [a], "b": [b]}, draws=500)
    for metric in METRICS:
        assert difference_p(found, "a", "b", metric) == pytest.approx(difference_p(found, "b", "a", metric))
    assert difference_p(found, "a", "a", "ua") == 1.0


def test_p_is_near_students_where_student_applies(scored_maker):
    """WA over speakers of equal size is a mean of speakers, so the paired t test over speakers must nearly agree."""
    for speakers, skill in ((8, 1.5), (20, 1.35), (40, 1.4)):
        a = scored_maker(skill=skill, rows=20 * speakers, speakers=speakers)
        b = scored_maker(skill=1.2, rows=20 * speakers, speakers=speakers)
        found = seed_means({"a": [a], "b": [b]}, draws=20_000)
        each = (a.correct.astype(float) - b.correct).reshape(20, speakers).mean(axis=0)
        expected = ttest_1samp(each, 0).pvalue
        assert difference_p(found, "a", "b", "wa") == pytest.approx(expected, abs=0.02, rel=0.15)


def test_where_neither_is_better_p_says_so_as_often_as_it_should():
    """400 pairs of equally good systems on 12 speakers who differ in which of the two suits them."""
    rng = np.random.default_rng(1)
    rejected = {0.05: 0, 0.2: 0}
    for trial in range(400):
        truth = rng.integers(3, size=240)
        speaker = np.arange(240) % 12
        suits = rng.normal(0, 0.6, size=12)[speaker]
        systems = {}
        for name, sign in (("a", 1), ("b", -1)):
            logits = rng.normal(size=(240, 3))
            logits[np.arange(240), truth] += 1 + sign * suits
            p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
            groups = [str(number) for number in speaker]
            ids = [str(row) for row in range(240)]
            systems[name] = [Scored(ids=ids, targets=truth, probabilities=p, uncalibrated=p, groups=groups)]
        p = difference_p(seed_means(systems, draws=400, seed=trial), "a", "b", "wa")
        rejected = {alpha: count + (p < alpha) for alpha, count in rejected.items()}
    assert 0.02 < rejected[0.05] / 400 < 0.08
    assert 0.14 < rejected[0.2] / 400 < 0.26


def test_all_draws_on_one_side_give_the_least_p():
    draws = np.random.default_rng(0).normal(50, 1, size=999)
    assert two_sided_p(50.0, draws, 10) == pytest.approx(least_p(999, 10))
    assert two_sided_p(-50.0, -draws, 10) == pytest.approx(least_p(999, 10))
    assert two_sided_p(50.0, draws, 1) is None
