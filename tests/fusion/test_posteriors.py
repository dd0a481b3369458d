"""`data=posteriors` the whole way: class outputs in, figures, a bundle and predictions out."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hydra.core.global_hydra import GlobalHydra
from scipy.special import log_softmax

import fusion.cli

LABELS = ["angry", "calm", "sad"]
TURNED = ["sad", "angry", "calm"]  # the order that the face model writes in
SPEAKERS, FOLDS, TAKES = 12, 3, 12


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two models on three folds: speech hears anger, face sees calm, and both are sure of what they were trained on."""
    folder = tmp_path_factory.mktemp("given")
    random = np.random.default_rng(0)
    clips = pd.DataFrame(
        [(f"{s}-{t}", t % 3, f"s{s}", s % FOLDS) for s in range(SPEAKERS) for t in range(TAKES)],
        columns=["id", "label", "speaker", "tested"],
    )
    for fold in range(FOLDS):
        for part, chosen in (("test", clips["tested"] == fold), ("train", clips["tested"] != fold)):
            rows = clips[chosen]
            truth = np.eye(3)[rows["label"]]
            for name, order, strength in (("speech", LABELS, [3.0, 0.5, 0.5]), ("face", TURNED, [0.2, 2.0, 0.2])):
                sure = 8.0 if part == "train" else 1.0
                values = log_softmax(sure * truth * strength + random.normal(size=truth.shape), axis=1)
                target = folder / name / f"fold{fold}" / f"{part}.csv"
                target.parent.mkdir(parents=True, exist_ok=True)
                frame = pd.DataFrame(values[:, [LABELS.index(label) for label in order]], columns=["o0", "o1", "o2"])
                words = {"id": rows["id"].to_numpy(), "speaker": rows["speaker"].to_numpy()}
                frame.assign(**words, label=[LABELS[label] for label in rows["label"]]).to_csv(target, index=False)
    return folder


@pytest.fixture(scope="module")
def emofuse(workplace: Path) -> Callable[..., int]:
    """The command in this process; the exit status."""

    def run(*arguments: str) -> int:
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(workplace)
            patch.setattr(sys, "argv", ["emofuse", *arguments])
            GlobalHydra.instance().clear()
            try:
                fusion.cli.main()
            except SystemExit as left:
                return int(left.code or 0)
            finally:
                GlobalHydra.instance().clear()
            return 0

    return run


def source_of(name: str, classes: list[str]) -> str:
    return f"{name}: {{files: '{name}/fold{{fold}}/{{split}}.csv', kind: log_probabilities, classes: [{','.join(classes)}]}}"


SOURCES = f"data.sources={{{source_of('speech', LABELS)}, {source_of('face', TURNED)}}}"
GIVEN = ("data=posteriors", SOURCES, "modalities=[speech,face]", "split=posteriors", "evaluation.draws=200")


@pytest.fixture(scope="module", params=["vote", "stacking"])
def run_folder(request: pytest.FixtureRequest, workplace: Path, emofuse: Callable[..., int]) -> Path:
    assert emofuse("train", *GIVEN, f"head={request.param}", f"hydra.run.dir={request.param}") == 0
    return workplace / request.param


def test_fusion_and_each_model_are_scored_on_every_row(run_folder):
    results = json.loads((run_folder / "results.json").read_text())
    assert results["labels"] == LABELS
    assert set(results["test"]) == {"fusion", "speech", "face"}
    assert results["test"]["fusion"]["n"] == SPEAKERS * TAKES
    assert [fold["name"] for fold in results["folds"]] == ["0", "1", "2"]
    ua = {system: entry["ua"]["value"] for system, entry in results["test"].items()}
    assert ua["fusion"] > max(ua["speech"], ua["face"])
    assert "not trained on" in results["notice"]
    predictions = pd.read_csv(run_folder / "predictions.csv")
    assert predictions["id"].nunique() == SPEAKERS * TAKES


def test_the_bundle_answers_as_named_classes_say(run_folder, workplace, emofuse):
    """The same outputs in another order of columns, named, get the same answers."""
    status = emofuse(
        "predict", f"bundle={run_folder.name}/bundle", "data=posteriors", SOURCES, f"output={run_folder.name}-a.jsonl"
    )
    assert status == 0
    one = [json.loads(line) for line in (workplace / f"{run_folder.name}-a.jsonl").read_text().splitlines()]
    assert len(one) == FOLDS * SPEAKERS * TAKES, "a row for each clip in each fold"
    assert set(one[0]["probabilities"]) == set(LABELS)
    assert set(one[0]["contributions"]) == {"speech", "face"}
    for path in workplace.glob("face/fold*/*.csv"):
        target = workplace / "turned" / path.relative_to(workplace)
        target.parent.mkdir(parents=True, exist_ok=True)
        pd.read_csv(path)[["id", "o2", "label", "o0", "speaker", "o1"]].to_csv(target, index=False)
    files = "'turned/face/fold{fold}/{split}.csv'"
    named = f"face: {{files: {files}, kind: log_probabilities, classes: {{o0: sad, o1: angry, o2: calm}}}}"
    status = emofuse(
        "predict", f"bundle={run_folder.name}/bundle", "data=posteriors",
        f"data.sources={{{source_of('speech', LABELS)}, {named}}}", f"output={run_folder.name}-b.jsonl",
    )  # fmt: skip
    assert status == 0
    two = [json.loads(line) for line in (workplace / f"{run_folder.name}-b.jsonl").read_text().splitlines()]
    assert one == two


def test_models_of_other_classes_are_refused_by_the_bundle(run_folder, emofuse, capsys):
    other = source_of("speech", ["angry", "calm", "bored"])
    status = emofuse("predict", f"bundle={run_folder.name}/bundle", "data=posteriors", f"data.sources={{{other}}}",
                     "data.label_names={angry: angry, calm: calm, sad: bored}")  # fmt: skip
    assert status == 2
    told = capsys.readouterr().err
    assert "only the bundle: 'sad'" in told
    assert "only these models: 'bored'" in told


def test_unnamed_classes_end_with_a_reason(emofuse, capsys):
    status = emofuse("train", "data=posteriors", "data.sources={x: {files: 'speech/fold*/test.csv', kind: logits}}",
                     "modalities=[x]", "head=vote")  # fmt: skip
    assert status == 2
    assert "must name the class of each number" in capsys.readouterr().err


@pytest.mark.slow
def test_a_head_of_vectors_may_be_trained_on_class_outputs_too(emofuse, workplace):
    status = emofuse("train", *GIVEN, "head=gated", "trainer=cpu", "trainer.max_epochs=3", "hydra.run.dir=gated")
    assert status == 0
    assert (workplace / "gated" / "results.json").is_file()
