from __future__ import annotations

import numpy as np
import pytest

from extractors.errors import InputError
from fusion.comparison.groups import break_down
from fusion.comparison.rows import build_rows
from fusion.comparison.run import read_runs
from fusion.evaluation.bootstrap import bootstrap
from fusion.evaluation.metrics import evaluate


def broken_down(folders, columns, min_rows=20):
    rows, _ = build_rows(read_runs(folders), draws=200, seed=0, level=0.95)
    return rows, break_down(rows, columns, min_rows=min_rows, draws=200, seed=0, level=0.95)


def gender(id: str) -> str:
    number = int(id.split()[1])
    return "" if number < 3 else "f" if number % 16 < 8 else "m"


def test_groups_are_measured_on_their_rows(write, tmp_path):
    rows, [found] = broken_down([write(tmp_path / "run", meta={"gender": gender})], ["gender"], min_rows=3)
    scored = rows[0].replicates[0].scored
    assert found.values == ["f", "m", ""]
    for group in found.groups["head=gated"]:
        part = scored.take(np.flatnonzero([gender(id) == group.value for id in scored.ids]))
        assert (group.n, group.speakers) == (len(part), part.speakers)
        assert group.metrics["ua"].value == pytest.approx(evaluate(part)["ua"])
        if part.speakers >= 5:
            expected = bootstrap({"x": part}, draws=200, seed=0).intervals("x")["ua"]
            assert (group.metrics["ua"].low, group.metrics["ua"].high) == (expected["low"], expected["high"])
        else:
            assert group.metrics["ua"].low is None
    by_name = {group.value: group for group in found.groups["head=gated"]}
    assert not by_name[""].counted  # what is not known is no group
    gap = found.gaps["head=gated"]["wa"]
    values = [by_name[name].metrics["wa"].value for name in ("f", "m")]
    assert gap.value == pytest.approx(max(values) - min(values))


def test_small_groups_do_not_count_for_the_gap(write, tmp_path):
    _, [found] = broken_down([write(tmp_path / "run", rows=100, speakers=3)], ["speaker"], min_rows=34)
    assert [group.counted for group in found.groups["head=gated"]] == [True, False, False]
    assert found.gaps["head=gated"]["ua"] is None


def test_several_seeds_are_averaged(write, tmp_path):
    rows, [found] = broken_down([write(tmp_path / "run", seeds=(1, 2))], ["speaker"])
    group = found.groups["head=gated"][0]
    each = [
        evaluate(part.take(np.flatnonzero(np.array(part.scored.groups) == "s0")))["wa"] for part in rows[0].replicates
    ]
    assert group.n == 20  # utterances, not judgements
    assert group.metrics["wa"].value == pytest.approx(np.mean(each))
    assert group.metrics["wa"].sd == pytest.approx(np.std(each, ddof=1))


def test_a_misspelt_column_is_told_once_and_the_near_one_named(write, head, tmp_path):
    folders = [write(tmp_path / name, **head(name)) for name in ("film", "late", "gated")]
    with pytest.raises(InputError) as caught:
        broken_down(folders, ["spaker"])
    assert caught.value.problems == ("no column 'spaker'; there is speaker, fold, label; did you mean speaker?",)


def test_a_column_that_is_not_there_is_named_with_what_is(write, head, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folders = [
        write(tmp_path / "one", meta={"gender": gender}, **head("film")),
        write(tmp_path / "two", **head("late")),
    ]
    with pytest.raises(InputError) as caught:
        broken_down(folders, ["gender", "age"])
    assert len(caught.value.problems) == 3
    assert "one: no column 'age'; there is speaker, fold, label, gender" in str(caught.value)
    assert "two: no column 'gender'; there is speaker, fold, label" in str(caught.value)
