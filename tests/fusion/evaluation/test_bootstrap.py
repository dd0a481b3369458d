from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm, t
from sklearn.metrics import balanced_accuracy_score, f1_score

from fusion.evaluation import bootstrap as module
from fusion.evaluation.bootstrap import bootstrap, expanded_tail, paired_difference, units_of
from fusion.evaluation.metrics import LOWER_IS_BETTER, METRICS
from fusion.evaluation.scored import Scored


def test_a_draw_is_what_repeating_the_rows_of_its_speakers_gives(systems_maker):
    """The weights of the first draws, spelled out as rows and handed to scikit-learn."""
    scored = systems_maker()["fusion"]
    found = bootstrap({"fusion": scored}, draws=20, seed=3)
    weights = next(module.draw_weights(found.units.count, 20, 3))
    for draw in range(20):
        rows = np.repeat(np.arange(len(scored)), weights[draw][found.units.index].astype(int))
        truth, said = scored.targets[rows], scored.predictions[rows]
        draws = found.systems["fusion"].draws
        assert draws["ua"][draw] == pytest.approx(balanced_accuracy_score(truth, said))
        assert draws["macro_f1"][draw] == pytest.approx(f1_score(truth, said, average="macro"))
        again = scored.take(rows)
        assert draws["ece"][draw] == pytest.approx(bootstrap({"x": again}, draws=1).systems["x"].value["ece"])


def test_every_unit_is_drawn_as_often_as_any():
    weights = np.concatenate(list(module.draw_weights(9, 4_000, 0)))
    assert weights.shape == (4_000, 9)
    assert (weights.sum(axis=1) == 9).all()
    np.testing.assert_allclose(weights.mean(axis=0), 1, atol=0.06)
    np.testing.assert_allclose(weights.var(axis=0), 8 / 9, atol=0.08)  # binomial(9, 1/9)


@pytest.mark.parametrize("metric", METRICS)
def test_intervals_hold_their_value_and_stay_in_range(systems_maker, metric):
    for rows, speakers in ((8, 6), (240, 8), (60, 0)):
        systems = systems_maker(rows=rows, speakers=speakers)
        found = bootstrap(systems, draws=300)
        interval = found.intervals("fusion")[metric]
        assert 0 <= interval["low"] <= interval["value"] <= interval["high"]
        if metric not in ("nll", "brier"):
            assert interval["high"] <= 1
        difference = found.difference("fusion", "text")[metric]
        assert difference["low"] <= difference["value"] <= difference["high"]


def test_same_seed_same_intervals_and_another_seed_others(systems_maker):
    systems = systems_maker()
    first, second, other = (bootstrap(systems, draws=300, seed=seed).intervals("text") for seed in (1, 1, 2))
    assert first == second
    assert first != other


def test_a_difference_is_paired(systems_maker):
    """Two systems that err alike differ by far less than two intervals side by side would let one think."""
    fusion = systems_maker()["fusion"]
    nearly = np.array(fusion.probabilities)
    nearly[:3] = np.roll(nearly[:3], 1, axis=1)
    twin = Scored(
        ids=fusion.ids, targets=fusion.targets, probabilities=nearly, uncalibrated=nearly, groups=fusion.groups
    )
    difference = paired_difference(fusion, twin, draws=500)["wa"]
    alone = bootstrap({"fusion": fusion}, draws=500).intervals("fusion")["wa"]
    assert difference["high"] - difference["low"] < 0.5 * (alone["high"] - alone["low"])
    same = paired_difference(fusion, fusion, draws=100)
    assert all(entry == {"value": 0.0, "low": 0.0, "high": 0.0} for entry in same.values())
    forth, back = paired_difference(fusion, twin, draws=200), paired_difference(twin, fusion, draws=200)
    for metric in METRICS:
        assert forth[metric]["low"] == pytest.approx(-back[metric]["high"])


def test_systems_on_other_rows_are_refused(systems_maker):
    one, other = systems_maker()["fusion"], systems_maker()["text"]
    with pytest.raises(ValueError, match="same rows in the same order; 'b' does not"):
        paired_difference(one, other.take(np.arange(len(other))[::-1]))


def test_few_or_unknown_speakers_mean_utterances_and_a_word_of_warning():
    assert (units_of([str(row % 5) for row in range(20)]).kind, units_of([None] * 4).kind) == ("speaker", "utterance")
    four = units_of([str(row % 4) for row in range(20)])
    assert (four.kind, four.count) == ("utterance", 20)
    assert "only 4 speakers" in four.note
    assert "only 1 speaker tested" in units_of(["a", "a"]).note
    mixed = units_of([*"abcdeabcde", None, None])
    assert (mixed.kind, mixed.total) == ("speaker", 7)
    assert mixed.note.startswith("2 rows of no known speaker")


def test_a_single_utterance_has_no_interval():
    one = Scored(ids=["a"], targets=[0], probabilities=[[0.9, 0.1]], uncalibrated=[[0.9, 0.1]])
    found = bootstrap({"speech": one}, draws=10).intervals("speech")
    assert found["wa"] == {"value": 1.0, "low": None, "high": None}
    assert found["ece"]["low"] is None


def test_many_units_are_lumped_without_changing_the_spread(systems_maker, monkeypatch):
    scored = systems_maker(rows=3_000, speakers=1_500)["fusion"]
    whole = bootstrap({"x": scored}, draws=2_000)
    monkeypatch.setattr(module, "MAX_UNITS", 300)
    lumped = bootstrap({"x": scored}, draws=2_000)
    assert (lumped.units.count, lumped.units.total, whole.units.count) == (300, 1_500, 1_500)
    for metric in ("wa", "ua", "macro_f1"):
        spread = [found.systems["x"].draws[metric].std() for found in (whole, lumped)]
        assert spread[0] == pytest.approx(spread[1], rel=0.2)


def test_expanded_tail_gives_a_mean_its_t_interval():
    """The percentiles of the bootstrap of a mean of 12 normal values are the ends of the textbook's t interval."""
    values = np.random.default_rng(0).normal(size=12)
    values = (values - values.mean()) / values.std(ddof=1)
    draws = norm(0, values.std() / np.sqrt(12))  # the bootstrap distribution, by the central limit
    assert draws.ppf(1 - expanded_tail(12)) == pytest.approx(t(11).ppf(0.975) / np.sqrt(12))


def clustered(rng: np.random.Generator, speakers: int, rows: int) -> dict[str, Scored]:
    """Speakers differ in how well they are understood; `sharp` claims too much, `fair` about what it keeps."""
    targets = rng.integers(4, size=speakers * rows)
    speaker = np.repeat(np.arange(speakers), rows)
    systems = {}
    for name, skill, sharpness in (("sharp", 1.2, 2.2), ("fair", 1.0, 0.9)):
        logits = rng.normal(size=(len(targets), 4))
        logits[np.arange(len(targets)), targets] += skill + rng.normal(0, 0.4, speakers)[speaker]
        p = np.exp(sharpness * logits) / np.exp(sharpness * logits).sum(axis=1, keepdims=True)
        ids, groups = list(map(str, range(len(targets)))), speaker.astype(str).tolist()
        systems[name] = Scored(ids=ids, targets=targets, probabilities=p, uncalibrated=p, groups=groups)
    return systems


def test_intervals_cover_the_truth_on_clustered_data():
    """95 % intervals over 10 simulated speakers hold the population's value in about 95 of 100 data sets.

    Resampling utterances, or plain percentiles, holds it in fewer: that is what the corrections are for.
    """
    rng = np.random.default_rng(5)
    population = bootstrap(clustered(rng, 3_000, 30), draws=1)
    truth = {name: population.systems[name].value for name in ("sharp", "fair")}
    held = dict.fromkeys([*METRICS, "difference", "fair ece", "plain ece"], 0)
    trials = 120
    for _ in range(trials):
        found = bootstrap(clustered(rng, 10, 30), draws=400)
        for metric, interval in found.intervals("sharp").items():
            held[metric] += interval["low"] <= truth["sharp"][metric] <= interval["high"]
        difference = found.difference("sharp", "fair")["ua"]
        held["difference"] += difference["low"] <= truth["sharp"]["ua"] - truth["fair"]["ua"] <= difference["high"]
        fair = found.intervals("fair")["ece"]
        held["fair ece"] += fair["low"] <= truth["fair"]["ece"] <= fair["high"]
        low, high = np.quantile(found.systems["fair"].draws["ece"], [0.025, 0.975])
        held["plain ece"] += low <= truth["fair"]["ece"] <= high
    share = {name: count / trials for name, count in held.items()}
    assert all(share[name] >= 0.88 for name in [*METRICS, "difference"]), share  # 0.88: 3.5 standard errors below 0.95
    assert share["fair ece"] >= 0.85, share  # 0.74 if noise alone did not bring the lower end to zero
    assert share["plain ece"] < 0.5, share


def test_ece_of_a_calibrated_system_reaches_down_to_zero():
    rng = np.random.default_rng(0)
    p = rng.dirichlet(np.ones(3), 200)
    targets = (np.cumsum(p, axis=1) > rng.random((200, 1))).argmax(axis=1)  # drawn from p: calibrated by construction
    groups = [str(row % 10) for row in range(200)]
    scored = Scored(
        ids=groups, targets=targets, probabilities=p, uncalibrated=p**4 / (p**4).sum(1, keepdims=True), groups=groups
    )
    drawn = bootstrap({"x": scored}, draws=500)
    found = drawn.intervals("x")
    assert found["ece"]["low"] == 0 < found["ece"]["value"]
    assert found["ece"]["high"] < np.quantile(
        drawn.systems["x"].draws["ece"], 0.975
    )  # resampling adds error of its own
    assert found["ece_uncalibrated"]["low"] > 0.1


def test_less_is_better_where_it_is():
    assert set(METRICS) > LOWER_IS_BETTER == {"ece", "ece_uncalibrated", "nll", "brier"}
