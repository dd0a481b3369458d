from __future__ import annotations

import json
import os
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.metrics import balanced_accuracy_score, f1_score

from fusion.evaluation.bootstrap import paired_difference
from fusion.evaluation.metrics import METRICS, evaluate
from fusion.evaluation.result_files import write_predictions, write_results
from fusion.evaluation.results import baselines, build_results
from fusion.evaluation.scored import Scored
from fusion.evaluation.tables import footnotes

LABELS = ["angry", "sad", "excited", "content"]


def built(systems, **changed):
    return build_results(
        systems, **({"labels": LABELS, "split": "speaker_disjoint", "seed": 3, "draws": 200} | changed)
    )


def test_scripts_find_what_they_were_promised(systems_maker, tmp_path):
    systems = systems_maker()
    path = write_results(tmp_path / "new" / "results.json", built(systems, overlap={"speakers": 0}))
    results = json.loads(path.read_text(encoding="utf-8"), parse_constant=pytest.fail)  # NaN and Infinity fail
    assert (results["labels"], results["split"], results["seed"]) == (LABELS, "speaker_disjoint", 3)
    for name in ("fusion", "speech", "text"):
        for metric in ("wa", "ua", "macro_f1", "weighted_f1", "ece"):
            assert set(results["test"][name][metric]) == {"value", "low", "high"}
            assert set(results["difference"][metric]) == {"value", "low", "high"}
        assert results["test"][name]["n"] == 240
        assert np.sum(results["test"][name]["confusion"]) == 240
        assert [row["label"] for row in results["test"][name]["per_class"]] == LABELS
    scored = systems["text"]
    assert results["test"]["text"]["ua"]["value"] == pytest.approx(
        balanced_accuracy_score(scored.targets, scored.predictions)
    )
    assert results["test"]["text"]["selective"]["coverage"] == pytest.approx((scored.confidence >= 0.4).mean())
    assert results["interval"]["unit"] == "speaker"
    assert results["interval"]["units"] == 8
    assert (results["folds"], results["folds_summary"]) == ([], None)
    assert results["overlap"] == {"speakers": 0}
    assert results["versions"]["numpy"] == np.__version__


def test_the_difference_is_to_the_better_single_modality(systems_maker):
    systems = systems_maker(fusion=1.5, speech=0.3, text=1.4)
    results = built(systems)
    assert results["difference_against"] == "text"
    expected = paired_difference(systems["fusion"], systems["text"], draws=200, seed=3)
    for metric in METRICS:
        assert results["difference"][metric] == pytest.approx(expected[metric])


def test_verdicts_follow_the_data(systems_maker):
    assert built(systems_maker(fusion=3.0, speech=1.0, text=0.5))["verdict"]["fusion_helps"] == "yes"
    assert built(systems_maker(fusion=0.3, speech=2.5, text=0.5))["verdict"]["fusion_helps"] == "no"
    same = systems_maker(speech=1.0, text=0.0)
    results = built(same | {"fusion": same["speech"]})
    assert results["verdict"]["fusion_helps"] == "not shown"


def test_folds_are_each_measured_and_test_is_pooled(systems_maker):
    systems = systems_maker(folds=4)
    results = built(systems)
    assert [fold["name"] for fold in results["folds"]] == ["fold 0", "fold 1", "fold 2", "fold 3"]
    fold = results["folds"][1]
    part = systems["fusion"].in_fold("fold 1")
    assert (fold["n"], fold["speakers"]) == (len(part), 2)
    assert fold["interval"]["unit"] == "utterance"  # two speakers are too few
    assert fold["test"]["fusion"]["macro_f1"]["value"] == pytest.approx(
        f1_score(part.targets, part.predictions, average="macro")
    )
    assert fold["difference"]["wa"]["value"] == pytest.approx(
        fold["test"]["fusion"]["wa"]["value"] - fold["test"][results["difference_against"]]["wa"]["value"]
    )
    values = [fold["test"]["fusion"]["ua"]["value"] for fold in results["folds"]]
    summary = results["folds_summary"]["fusion"]["ua"]
    assert summary == pytest.approx({"mean": np.mean(values), "std_sample": np.std(values, ddof=1), "n": 4})
    assert results["test"]["fusion"]["wa"]["value"] == pytest.approx(systems["fusion"].correct.mean())  # pooled


def test_one_modality_alone_has_no_difference(systems_maker, tmp_path):
    results = built({"speech": systems_maker(folds=2)["speech"]})
    assert (results["difference"], results["difference_against"]) == (None, None)
    assert results["folds"][0]["difference"] is None
    assert results["verdict"]["fusion_helps"] is None
    write_results(tmp_path / "results.json", results)


def test_a_class_without_test_rows_is_null_not_nan(tmp_path):
    p = [[0.8, 0.1, 0.1], [0.6, 0.3, 0.1]]
    results = build_results(
        {"speech": Scored(ids=["a", "b"], targets=[0, 0], probabilities=p, uncalibrated=p)},
        labels=["a", "b", "c"], split="column", seed=0, draws=50,
    )  # fmt: skip
    assert results["test"]["speech"]["per_class"][2] == {
        "label": "c", "precision": None, "recall": None, "f1": None, "support": 0,
    }  # fmt: skip
    json.loads(write_results(tmp_path / "r.json", results).read_text(), parse_constant=pytest.fail)


def test_baselines_are_what_dummies_reach(systems_maker):
    scored = systems_maker(rows=90, classes=3)["text"]
    found, rows = baselines(scored), np.zeros((90, 1))
    said = DummyClassifier(strategy="most_frequent").fit(rows, scored.targets).predict(rows)
    assert found["majority"]["wa"] == pytest.approx((said == scored.targets).mean())
    assert found["majority"]["macro_f1"] == pytest.approx(
        f1_score(scored.targets, said, average="macro", labels=range(3), zero_division=0)
    )
    assert found["majority"]["ua"] == pytest.approx(1 / 3)
    guesses = (
        DummyClassifier(strategy="uniform", random_state=0).fit(rows, scored.targets).predict(np.zeros((90_000, 1)))
    )
    assert found["chance"]["weighted_f1"] == pytest.approx(
        f1_score(np.tile(scored.targets, 1_000), guesses, average="weighted"), abs=0.01
    )


def test_labels_must_match_the_probabilities(systems_maker):
    with pytest.raises(ValueError, match="expected 4 labels"):
        built(systems_maker(), labels=["a", "b"])


def test_predictions_hold_every_row_and_survive_any_text(systems_maker, tmp_path):
    systems = systems_maker(rows=12, classes=2, folds=2)
    labels = ['so, "so"', "<b>\n积极"]
    path = write_predictions(tmp_path / "predictions.csv", systems, labels)
    table = pd.read_csv(path, keep_default_na=False)
    fusion = systems["fusion"]
    assert list(table.columns) == [
        "id", "fold", "seed", "speaker", "label", "prediction", "confidence", "uncertain", f"p_{labels[0]}", f"p_{labels[1]}",
        "speech_prediction", "speech_confidence", "text_prediction", "text_confidence",
    ]  # fmt: skip
    assert tuple(table["id"]) == fusion.ids
    assert [labels.index(label) for label in table["label"]] == fusion.targets.tolist()
    assert [labels.index(label) for label in table["text_prediction"]] == systems["text"].predictions.tolist()
    np.testing.assert_allclose(table[[f"p_{label}" for label in labels]], fusion.probabilities, atol=1e-6)
    np.testing.assert_array_equal(table["uncertain"], fusion.uncertain)


def test_seeds_are_pooled_and_each_measured(systems_maker):
    parts = [systems_maker(folds=4, seed=0), systems_maker(folds=4, seed=0, fusion=1.0, speech=0.5)]
    systems = {
        name: Scored.concatenate([replace(part[name], seeds=[seed] * 240) for seed, part in enumerate(parts, start=1)])
        for name in ("fusion", "speech")
    }
    results = built(systems)
    assert results["seeds"] == [1, 2]
    assert (results["test"]["fusion"]["n"], results["test"]["fusion"]["judged"]) == (240, 480)
    assert results["interval"]["units"] == 8  # speakers, not speakers times seeds
    each = [evaluate(part["fusion"])["ua"] for part in parts]
    assert each[0] != each[1]
    assert results["seeds_summary"]["fusion"]["ua"] == pytest.approx(
        {"mean": np.mean(each), "std_sample": np.std(each, ddof=1), "n": 2}
    )
    gains = [evaluate(part["fusion"])["ua"] - evaluate(part["speech"])["ua"] for part in parts]
    assert results["seeds_summary"]["difference"]["ua"]["mean"] == pytest.approx(np.mean(gains))
    assert "sample of 2" in footnotes(results)[0]


def test_one_checkpoint_and_costs(systems_maker):
    systems = systems_maker()
    fits = [{"parameters": 10, "seconds": 1.5}, {"parameters": 10, "seconds": 2.0}]
    shown = {"speech": systems["speech"], "both": systems["fusion"]}
    results = built(systems, shown=shown, training={"fusion": fits}, run={"head": "gated"})
    assert results["one_checkpoint"]["both"]["ua"] == results["test"]["fusion"]["ua"]
    assert (results["test"]["fusion"]["parameters"], results["test"]["fusion"]["seconds"]) == (10, 3.5)
    assert "parameters" not in results["test"]["speech"]
    assert results["run"] == {"head": "gated"}


def test_predictions_tell_what_the_table_told(systems_maker, tmp_path):
    systems = systems_maker(rows=4, classes=2)
    rows = pd.DataFrame(
        {"id": [f"clip {row}" for row in (3, 2, 1, 0, 9)], "gender": list("abcde"), "text": "x", "empty": None}
    )
    table = pd.read_csv(write_predictions(tmp_path / "p.csv", systems, ["a", "b"], rows=rows))
    assert table["meta_gender"].tolist() == ["d", "c", "b", "a"]
    assert "meta_text" not in table
    assert "meta_empty" not in table


def test_a_failed_write_leaves_the_old_file_and_no_litter(tmp_path, monkeypatch):
    path = write_results(tmp_path / "results.json", {"a": 1})

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_results(path, {"a": 2})
    assert json.loads(path.read_text()) == {"a": 1}
    assert [entry.name for entry in tmp_path.iterdir()] == ["results.json"]
