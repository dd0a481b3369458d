"""Reciprocal rank fusion, as its paper has it."""

from __future__ import annotations

import pytest

from fusion.explore.search.rank_fusion import fused_ranks


def test_scores_are_sums_of_reciprocal_ranks() -> None:
    found = fused_ranks([["a", "b"], ["b", "c"]])
    assert found == pytest.approx({"b": 1 / 62 + 1 / 61, "a": 1 / 61, "c": 1 / 62})
    assert list(found) == ["b", "a", "c"]


def test_equal_ones_stay_as_the_rankings_met_them() -> None:
    assert list(fused_ranks([["x", "y"], ["z"]])) == ["x", "z", "y"]
    assert fused_ranks([]) == {}
