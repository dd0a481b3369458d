from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest

from fusion.comparison.mcnemar import holm
from fusion.comparison.pairs import balance, compare_pairs, match
from fusion.comparison.rows import build_rows
from fusion.comparison.run import METRICS, read_runs
from fusion.evaluation.bootstrap import paired_difference


def rows_of(*folders):
    return build_rows(read_runs(folders), draws=200, seed=0, level=0.95)[0]


def pairs_of(rows, **changed):
    return compare_pairs(rows, **({"draws": 500, "seed": 0, "level": 0.95, "min_common": 0.5} | changed))


def test_two_single_runs(two):
    [pair] = pairs_of(rows_of(*two))
    a, b = (row.replicates[0].scored for row in rows_of(*two))
    expected = paired_difference(a, b, draws=500, seed=0)
    for metric in METRICS:
        entry = pair.differences[metric]
        assert {"value": entry.value, "low": entry.low, "high": entry.high} == expected[metric]
        assert entry.p_holm == entry.p  # one comparison
    a_only, b_only = int((a.correct & ~b.correct).sum()), int((b.correct & ~a.correct).sum())
    assert (pair.mcnemar.a_only, pair.mcnemar.b_only) == (a_only, b_only)
    assert pair.mcnemar.p == pytest.approx(binomtest(a_only, a_only + b_only, 0.5).pvalue, rel=0.3)
    assert (pair.match.common, pair.match.of, pair.match.refused) == (160, 160, None)


def test_every_two_rows_are_corrected_together(write, head, tmp_path):
    rows = rows_of(*(write(tmp_path / str(skill), skill=skill, **head(f"h{skill}")) for skill in (0.8, 1.2, 1.3, 2.0)))
    pairs = pairs_of(rows)
    assert [(pair.a, pair.b) for pair in pairs][:2] == [("head=h0.8", "head=h1.2"), ("head=h0.8", "head=h1.3")]
    assert len(pairs) == 6
    for metric in METRICS:
        assert [p.differences[metric].p_holm for p in pairs] == holm([p.differences[metric].p for p in pairs])
    assert [pair.mcnemar_holm for pair in pairs] == holm([pair.mcnemar.p for pair in pairs])


def test_seeds_on_the_same_rows_all_count_even_if_unequal_in_number(write, head, tmp_path):
    rows = rows_of(
        write(tmp_path / "a", seeds=(1, 2, 3), skill=1.6, **head("film")),
        write(tmp_path / "b", seeds=(7,), skill=1.2, **head("late")),
    )
    found = match(*rows, min_common=0.5)
    assert (len(found.a), len(found.b), found.seeds) == (3, 1, None)
    [pair] = pairs_of(rows)
    assert pair.differences["ua"].value == pytest.approx(
        rows[0].metrics["ua"].value - rows[1].metrics["ua"].value, abs=1e-6
    )
    right = [np.sum([part.correct for part in parts], axis=0) for parts in (found.a, found.b)]
    np.testing.assert_array_equal(balance(found), right[0] - 3 * right[1])


def test_where_the_split_follows_the_seed_seeds_are_paired(write, head, tmp_path):
    """Seeds 1, 2 and 3 tested different thirds; the other row lacks seed 3."""
    folders = [
        write(tmp_path / f"{name}{seed}", seeds=(seed,), rows=60, first=60 * seed, **head(name))
        for name, seeds in (("film", (1, 2, 3)), ("late", (1, 2)))
        for seed in seeds
    ]
    rows = rows_of(*folders)
    assert not rows[0].same_rows_each_seed
    found = match(*rows, min_common=0.5)
    assert (found.seeds, found.common, found.of) == ((1, 2), 120, 120)
    for mine, theirs in zip(found.a, found.b, strict=True):
        assert mine.ids == theirs.ids
    assert len(balance(found)) == 120
    assert pairs_of(rows)[0].differences["wa"].value == pytest.approx(
        np.mean([a.correct.mean() - b.correct.mean() for a, b in zip(found.a, found.b, strict=True)])
    )


def test_only_rows_tested_in_both_are_paired(write, head, tmp_path):
    rows = rows_of(
        write(tmp_path / "a", rows=100, **head("film")),
        write(tmp_path / "b", rows=100, first=30, seeds=(2,), **head("late")),
    )
    found = match(*rows, min_common=0.5)
    assert (found.common, found.of, found.refused) == (70, 100, None)
    assert sorted(found.a[0].ids) == sorted(found.b[0].ids) == sorted(f"clip {row}" for row in range(30, 100))
    assert match(*rows, min_common=0.8).refused == "only 70 of 100 test rows in common"
    [pair] = pairs_of(rows, min_common=0.8)
    assert not pair.differences
    assert pair.mcnemar is None


def test_nothing_in_common(write, head, tmp_path):
    rows = rows_of(
        write(tmp_path / "a", rows=50, **head("film")), write(tmp_path / "b", rows=50, first=60, **head("late"))
    )
    assert match(*rows, min_common=0.01).refused == "only 0 of 50 test rows in common"


def test_the_same_id_with_another_label_is_other_data(write, head, tmp_path):
    rows = rows_of(write(tmp_path / "a", **head("film")), write(tmp_path / "b", data=1, **head("late")))
    assert "ids have another label (clip 0" in match(*rows, min_common=0.5).refused
    rows = rows_of(write(tmp_path / "c", **head("film")), write(tmp_path / "d", speakers=7, **head("late")))
    assert "ids have another speaker" in match(*rows, min_common=0.5).refused


def test_another_order_of_labels_is_no_other_data(write, head, tmp_path):
    """The classes of one run stand in another order: the same truths by name, and nothing changes."""
    import json

    import pandas as pd

    a = write(tmp_path / "a", skill=1.6, **head("film"))
    b = write(tmp_path / "b", skill=1.2, **head("late"))
    before = pairs_of(rows_of(a, b))[0]
    results = json.loads((b / "results.json").read_text())
    (b / "results.json").write_text(json.dumps(results | {"labels": ["d", "b", "a", "c"]}))
    frame = pd.read_csv(b / "predictions.csv", dtype=str, keep_default_na=False)
    frame.sample(frac=1, random_state=0).to_csv(b / "predictions.csv", index=False)  # nor does the order of the rows
    after = pairs_of(rows_of(a, b))[0]
    assert after.mcnemar == before.mcnemar
    assert after.differences["ua"].value == pytest.approx(before.differences["ua"].value)
    assert after.differences["ua"].low == pytest.approx(before.differences["ua"].low)


def test_repeats_all_count_as_seeds_do(write, head, tmp_path):
    """One row tested every utterance three times, the other once."""
    rows = rows_of(write(tmp_path / "a", times=3, skill=1.6, **head("film")), write(tmp_path / "b", **head("late")))
    found = match(*rows, min_common=0.5)
    assert (found.common, found.of, found.seeds) == (160, 160, None)
    assert (len(found.a[0]), len(found.b[0])) == (480, 160)
    right = found.a[0].correct.reshape(3, 160).sum(axis=0) - 3 * found.b[0].correct
    assert sorted(balance(found)) == sorted(right)
    [pair] = pairs_of(rows)
    expected = found.a[0].correct.mean() - found.b[0].correct.mean()
    assert pair.differences["wa"].value == pytest.approx(expected)


def test_no_draw_depends_on_which_other_rows_there_are(write, head, tmp_path):
    folders = [write(tmp_path / str(skill), skill=skill, **head(f"h{skill}")) for skill in (0.8, 1.2, 2.0)]
    three = pairs_of(rows_of(*folders))
    [two] = pairs_of(rows_of(*folders[1:]))
    for metric in METRICS:
        together, alone = three[2].differences[metric], two.differences[metric]
        assert (together.value, together.low, together.high, together.p) == pytest.approx(
            (alone.value, alone.low, alone.high, alone.p)
        )
