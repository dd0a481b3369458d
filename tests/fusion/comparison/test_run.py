from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from extractors.errors import InputError
from fusion.comparison.run import METRICS, read_run, read_runs
from fusion.evaluation.metrics import evaluate


def test_what_was_written_is_read_back(write, scored_maker, tmp_path):
    run = read_run(write(tmp_path / "run", skill=1.5, meta={"gender": lambda id: "f" if id < "clip 5" else "m"}))
    [part] = run.replicates
    told = scored_maker(skill=1.5)
    assert part.scored.ids == told.ids
    assert part.scored.groups == told.groups
    np.testing.assert_array_equal(part.scored.targets, told.targets)
    np.testing.assert_array_equal(part.scored.predictions, told.predictions)
    np.testing.assert_allclose(part.scored.probabilities, told.probabilities, atol=1e-6)
    assert set(part.frame["meta_gender"]) == {"f", "m"}
    assert part.value == {metric: run.results["test"]["fusion"][metric]["value"] for metric in METRICS}
    assert (run.system, run.labels, run.seeds) == ("fusion", tuple("abcd"), (1,))
    assert (run.parameters, run.seconds) == (1234, 2.0)


def test_seeds_of_one_run_are_told_apart(write, scored_maker, tmp_path):
    run = read_run(write(tmp_path / "run", seeds=(3, 1, 2)))
    assert run.seeds == (1, 2, 3)
    assert run.seconds == 2.0  # of one seed
    for part in run.replicates:
        expected = evaluate(scored_maker(seeds=[part.seed]))
        assert part.value["ua"] == pytest.approx(expected["ua"])
        assert part.value["nll"] == pytest.approx(expected["nll"], abs=1e-4)


def test_rows_tested_repeatedly_have_keys_of_their_own(write, tmp_path):
    [part] = read_run(write(tmp_path / "run", rows=40, times=2)).replicates
    assert len(set(part.keys)) == len(part.keys) == 80
    assert ("clip 0", 0) in part.keys
    assert ("clip 0", 1) in part.keys


def test_a_run_of_an_earlier_version_is_read(write, tmp_path):
    """Neither a seed column nor meta columns, nor parameters in the test block."""
    folder = write(tmp_path / "run")
    frame = pd.read_csv(folder / "predictions.csv").drop(columns="seed")
    frame.to_csv(folder / "predictions.csv", index=False)
    results = json.loads((folder / "results.json").read_text())
    for name in ("seeds", "seeds_summary", "one_checkpoint", "run"):
        del results[name]
    for name in ("parameters", "seconds", "judged"):
        del results["test"]["fusion"][name]
    results["seed"] = 7
    (folder / "results.json").write_text(json.dumps(results))
    run = read_run(folder)
    assert run.seeds == (7,)
    assert (run.parameters, run.seconds) == (1234, 2.0)


def test_nine_digits_do_not_change_what_was_said(write, tmp_path):
    """A tie that only rounding made."""
    folder = write(tmp_path / "run")
    frame = pd.read_csv(folder / "predictions.csv", dtype=str, keep_default_na=False)
    right = frame.index[(frame["label"] == "b") & (frame["prediction"] == "b")][:2]
    frame.loc[right[0], ["p_a", "p_b", "p_c", "p_d"]] = ["0.333333333", "0.333333333", "0.333333333", "1e-12"]
    frame.to_csv(folder / "predictions.csv", index=False)
    [part] = read_run(folder).replicates
    assert part.scored.predictions[right[0]] == 1
    assert part.scored.probabilities[right[0], 3] == pytest.approx(1e-12)


def test_strange_names_are_only_names(write, tmp_path):
    labels = ("NA", "None", "a,b", 'c"d')
    run = read_run(write(tmp_path / "run", labels=labels))
    assert run.labels == labels
    assert set(run.replicates[0].frame["label"]) == set(labels)


def spoil(folder, what):
    predictions, results = folder / "predictions.csv", folder / "results.json"
    lines = predictions.read_text().splitlines(keepends=True)
    told = json.loads(results.read_text())
    if what == "half a json":
        results.write_text(results.read_text()[:500])
    elif what == "a list":
        results.write_text("[1, 2]")
    elif what == "no labels":
        results.write_text(json.dumps(told | {"labels": []}))
    elif what == "no interval":
        del told["test"]["fusion"]["ua"]["low"]
        results.write_text(json.dumps(told))
    elif what == "half a csv":
        predictions.write_text("".join(lines[:80]))
    elif what == "no csv":
        predictions.unlink()
    elif what == "empty csv":
        predictions.write_text("")
    elif what == "only a header":
        predictions.write_text(lines[0])
    elif what == "no column":
        predictions.write_text("".join(lines).replace("p_c", "p_x", 1))
    elif what == "no number":
        predictions.write_text("".join([lines[0], lines[1].replace(",0.", ",nought.", 3), *lines[2:]]))
    elif what == "another label":
        frame = pd.read_csv(predictions, dtype=str)
        frame.loc[3, "label"] = "z"
        frame.to_csv(predictions, index=False)
    elif what == "another prediction":
        frame = pd.read_csv(predictions, dtype=str)
        frame["prediction"] = frame["prediction"].map({"a": "b", "b": "a"}).fillna("c")
        frame.to_csv(predictions, index=False)
    elif what == "another run's":
        told["test"]["fusion"]["wa"]["value"] = 0.123
        results.write_text(json.dumps(told))
    elif what == "bytes":
        predictions.write_bytes(b"\xff\xfe\x00\x01" * 50)


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("half a json", "results.json: cannot be read"),
        ("a list", "expected an object, got list"),
        ("no labels", "labels: expected two class names or more"),
        ("no interval", "test.fusion.ua: expected value, low and high"),
        ("half a csv", "has 79 rows of WA"),
        ("no csv", "predictions.csv: not there"),
        ("empty csv", "predictions.csv: cannot be read"),
        ("only a header", "predictions.csv: no rows"),
        ("no column", "no column 'p_c'"),
        ("no number", "probabilities are no numbers, line 2"),
        ("another label", "label: 'z' not among the labels"),
        ("another prediction", "whose prediction is not the likeliest"),
        ("another run's", "one of them was cut short, or is of another run"),
        ("bytes", "predictions.csv: cannot be read"),
    ],
)
def test_damage_is_named_with_the_run_that_has_it(write, tmp_path, monkeypatch, what, words):
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "well")
    spoil(write(tmp_path / "ill"), what)
    with pytest.raises(InputError) as caught:
        read_runs([tmp_path / "well", tmp_path / "ill"])
    assert caught.value.exit_code == 2
    assert words in str(caught.value)
    assert all(line.startswith("ill: ") for line in caught.value.problems)


def test_all_damaged_runs_are_told_together(write, tmp_path):
    for name, what in (("one", "no csv"), ("two", "no labels"), ("three", "half a json")):
        spoil(write(tmp_path / name), what)
    with pytest.raises(InputError) as caught:
        read_runs([tmp_path / name for name in ("one", "two", "three")])
    assert len(caught.value.problems) == 3


def test_different_labels_are_refused_and_another_order_is_not(write, tmp_path):
    write(tmp_path / "one", labels="abcd")
    write(tmp_path / "two", labels="dcba")
    assert len(read_runs([tmp_path / "one", tmp_path / "two"])) == 2
    write(tmp_path / "three", labels="abce")
    with pytest.raises(InputError) as caught:
        read_runs([tmp_path / name for name in ("one", "two", "three")])
    assert len(caught.value.problems) == 2
    assert "a, b, c, e" in str(caught.value)
