from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from extractors.errors import EmofuseError
from fusion.evaluation.scored import Scored

HALVES = [[0.5, 0.5], [0.25, 0.75]]


def test_folds_come_back_as_they_went_in(systems_maker):
    whole = systems_maker(folds=3)["fusion"]
    parts = [whole.in_fold(name) for name in whole.fold_names]
    again = Scored.concatenate(parts)
    assert whole.fold_names == ("fold 0", "fold 1", "fold 2")
    assert sorted(again.ids) == sorted(whole.ids)
    where = [whole.ids.index(id) for id in again.ids]
    np.testing.assert_array_equal(again.probabilities, whole.probabilities[where])
    np.testing.assert_array_equal(again.uncertain, whole.uncertain[where])


def test_unknown_speakers_of_any_kind_are_none():
    groups = pd.Series(["a", None, float("nan"), pd.NA, ""], dtype=object).tolist()
    five = [[0.5, 0.5]] * 5
    scored = Scored(ids=list("abcde"), targets=[0] * 5, probabilities=five, uncalibrated=five, groups=groups)
    assert scored.groups == ("a", None, None, None, None)
    assert scored.speakers == 1


def test_one_part_without_thresholds_leaves_the_whole_without():
    first = Scored(ids=["a"], targets=[0], probabilities=[[1, 0]], uncalibrated=[[1, 0]], uncertain=[True])
    second = Scored(ids=["b"], targets=[0], probabilities=[[1, 0]], uncalibrated=[[1, 0]])
    assert Scored.concatenate([first, second]).uncertain is None


def test_a_diverged_training_is_named():
    with pytest.raises(EmofuseError, match=r"1 of 2 test rows .* diverged"):
        Scored(ids=["a", "b"], targets=[0, 1], probabilities=[[0.5, 0.5], [np.nan, 0.5]], uncalibrated=HALVES)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ids": []}, "at least one"),
        ({"ids": ["a"]}, r"\(1, classes"),
        ({"targets": [0, 2]}, "targets in 0..1"),
        ({"targets": [0, -1]}, "targets in 0..1"),
        ({"probabilities": [[0.5, 0.9], [0.5, 0.5]]}, "sum to one"),
        ({"probabilities": [[-0.5, 1.5], [0.5, 0.5]]}, "sum to one"),
        ({"uncalibrated": [[0.2, 0.3, 0.5]] * 2}, "uncalibrated of"),
        ({"groups": ["a"]}, "2 rows of groups"),
    ],
)
def test_impossible_values_are_refused(change, message):
    good = {"ids": ["a", "b"], "targets": [0, 1], "probabilities": HALVES, "uncalibrated": HALVES}
    with pytest.raises(ValueError, match=message):
        Scored(**(good | change))


def test_float32_rounding_is_scaled_away():
    rough = np.random.default_rng(0).dirichlet(np.ones(40), 50).astype(np.float32)
    scored = Scored(ids=list(map(str, range(50))), targets=[0] * 50, probabilities=rough, uncalibrated=rough)
    assert scored.probabilities.dtype == np.float64
    np.testing.assert_allclose(scored.probabilities.sum(axis=1), 1, atol=1e-12)
