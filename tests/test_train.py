"""The whole way, from a table to a bundle and back to predictions, as the commands walk it."""

from __future__ import annotations

import json
import shlex
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hydra.core.global_hydra import GlobalHydra

import fusion.cli

REPOSITORY = Path(__file__).resolve().parents[1]
METRICS = ("wa", "ua", "macro_f1", "weighted_f1", "ece")


@pytest.fixture(scope="module")
def workplace(tmp_path_factory) -> Path:
    """A folder with a store of its own, and a manifest of 5 of the sample's voices."""
    folder = tmp_path_factory.mktemp("work")
    rows = pd.read_csv(REPOSITORY / "samples" / "manifest.csv", dtype=str)
    rows["audio"] = [str(REPOSITORY / "samples" / path) for path in rows["audio"]]
    rows[rows["speaker"].isin(sorted(rows["speaker"].unique())[:5])].to_csv(folder / "calls.csv", index=False)
    return folder


@pytest.fixture(scope="module")
def emofuse(workplace) -> Callable[..., int]:
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


@pytest.fixture(scope="module")
def trained(workplace, emofuse) -> Path:
    """The folder of a short run on the manifest."""
    status = emofuse(
        "train", "data.path=calls.csv", "speech=acoustic", "split.test=0.3", "split.val=0.3",
        "trainer=cpu", "trainer.max_epochs=15", "offline=true", "evaluation.draws=200", "hydra.run.dir=run",
    )  # fmt: skip
    assert status == 0
    return workplace / "run"


def assert_interval(entry: dict) -> None:
    assert set(entry) == {"value", "low", "high"}
    assert entry["low"] <= entry["value"] <= entry["high"]


def test_the_run_folder_holds_what_scripts_rely_on(trained):
    for name in ("results.json", "report.html", "predictions.csv", "bundle", ".hydra", "comparison.png"):
        assert (trained / name).exists()
    results = json.loads((trained / "results.json").read_text())
    assert results["labels"] == ["angry", "content", "excited", "sad"]
    assert (results["split"], results["seed"], results["folds"]) == ("speaker_disjoint", 1, [])
    for system in ("fusion", "speech", "text"):
        for metric in METRICS:
            assert_interval(results["test"][system][metric])
    for metric in METRICS:
        assert_interval(results["difference"][metric])
    assert results["test"]["fusion"]["wa"]["value"] > 0.5  # 15 epochs; chance is 0.25
    predictions = pd.read_csv(trained / "predictions.csv")
    agreement = (predictions["label"] == predictions["prediction"]).mean()
    assert agreement == pytest.approx(results["test"]["fusion"]["wa"]["value"])


def test_a_second_run_computes_nothing_and_repeats_the_figures(trained, workplace, emofuse, caplog):
    status = emofuse(
        "train", "data.path=calls.csv", "speech=acoustic", "split.test=0.3", "split.val=0.3",
        "trainer=cpu", "trainer.max_epochs=15", "offline=true", "evaluation.draws=200", "hydra.run.dir=again",
    )  # fmt: skip
    assert status == 0
    assert "acoustic: 0 new, 100 reused, 0 failed" in (workplace / "again" / "train.log").read_text()
    first, second = (json.loads((workplace / run / "results.json").read_text()) for run in ("run", "again"))
    for results in (first, second):
        assert all(system.pop("seconds") > 0 for system in results["test"].values())
    assert first["test"] == second["test"]


def test_the_bundle_answers_as_the_run_did(trained, workplace, emofuse):
    assert emofuse("predict", "bundle=run/bundle", "data.path=calls.csv", "hydra.run.dir=predicted") == 0
    lines = (workplace / "predicted" / "predictions.jsonl").read_text().splitlines()
    answers = {answer["id"]: answer for answer in map(json.loads, lines)}
    tested = pd.read_csv(trained / "predictions.csv")
    assert len(answers) == 100
    for row in tested.itertuples():
        assert answers[row.id]["best"] == row.prediction
        assert answers[row.id]["confidence"] == pytest.approx(row.confidence, abs=1e-5)
        assert (answers[row.id]["label"] == "uncertain") == row.uncertain


@pytest.mark.parametrize("given", [("audio",), ("text",), ("audio", "text")])
def test_one_checkpoint_takes_either_or_both(trained, workplace, emofuse, given):
    clip = {"audio": str(REPOSITORY / "samples/audio/us-f1-01-sad.flac"), "text": "This is the worst day, isn't it"}
    arguments = [f"{name}={clip[name]}" for name in given]
    assert emofuse("predict", "bundle=run/bundle", *arguments, "output=one.jsonl") == 0
    answer = json.loads((workplace / "one.jsonl").read_text())
    used = {name for name, share in answer["contributions"].items() if share != 0}
    assert used == {{"audio": "speech", "text": "text"}[name] for name in given}
    assert answer["prior"] + sum(answer["contributions"].values()) == pytest.approx(answer["confidence"])


def npz(path: Path, rng: np.random.Generator, **changes) -> None:
    """Vectors in which speech tells one half of the label and text the other; eight speakers, wild scale."""
    rows = 240
    label, speaker = rng.integers(0, 4, rows), np.arange(rows) % 8
    arrays = {
        "speech": 1e4 * (rng.normal(size=(rows, 6)) + 2 * (label % 2)[:, None]),
        "text": rng.normal(size=(rows, 5)) + 2 * (label // 2)[:, None],
        "label": np.array(["a", "b", "c", "d"])[label],
        "speaker": np.array([f"s{number}" for number in speaker]),
        "transcript": np.array([f"sentence {row}" for row in range(rows)]),
    }
    np.savez(path, **{name: array for name, array in (arrays | changes).items() if array is not None})


@pytest.mark.slow
def test_cross_validation_over_vectors_that_are_there_already(workplace, emofuse):
    npz(workplace / "x.npz", np.random.default_rng(0))
    status = emofuse(
        "train", "data=features", "data.path=x.npz", "split=leave_one_speaker_out", "trainer=cpu",
        "trainer.max_epochs=10", "evaluation.draws=200", "hydra.run.dir=loso",
    )  # fmt: skip
    assert status == 0
    results = json.loads((workplace / "loso" / "results.json").read_text())
    assert [fold["name"] for fold in results["folds"]] == [f"s{number}" for number in range(8)]
    for fold in results["folds"]:
        for system in ("fusion", "speech", "text"):
            assert_interval(fold["test"][system]["ua"])
        assert_interval(fold["difference"]["ua"])
    assert results["test"]["fusion"]["n"] == 240  # pooled: every row was tested once
    assert results["verdict"]["fusion_helps"] == "yes"
    assert "none of the models that were measured" in (workplace / "loso" / "bundle" / "MODEL_CARD.md").read_text()
    assert emofuse("predict", "bundle=loso/bundle", "data=features", "data.path=x.npz") == 0


def test_one_modality_goes_through_the_same_head(workplace, emofuse):
    npz(workplace / "speech.npz", np.random.default_rng(1), text=None)
    arguments = ["train", "data=features", "trainer=cpu", "trainer.max_epochs=3", "evaluation.draws=100"]
    assert emofuse(*arguments, "data.path=speech.npz", "hydra.run.dir=alone") == 0
    results = json.loads((workplace / "alone" / "results.json").read_text())
    assert set(results["test"]) == {"speech"}
    assert results["difference"] is None


def test_wrong_data_is_refused_and_nothing_is_left(workplace, emofuse, capsys):
    (workplace / "bad.csv").write_text(
        "id,audio,text,label,speaker\n1,gone.wav,hello,glad,a\n1,,,glad,b\n2,,bye,sad,c\n", encoding="utf-8"
    )
    assert emofuse("train", "data.path=bad.csv", "speech=acoustic", "hydra.run.dir=refused") == 2
    said = capsys.readouterr().err
    for problem in ("gone.wav", "is that of row 1 already", "sad"):
        assert problem in said
    assert not {path.name for path in (workplace / "refused").iterdir()} & {"results.json", "bundle", "report.html"}


def test_a_speaker_who_holds_all_of_a_class_is_named(workplace, emofuse, capsys):
    label = np.array(["a", "b"] * 120, dtype="<U8")
    label[np.arange(240) % 8 == 3] = "only s3"
    npz(workplace / "held.npz", np.random.default_rng(2), label=label)
    assert emofuse("train", "data=features", "data.path=held.npz", "hydra.run.dir=held") == 2
    said = capsys.readouterr().err
    assert "only s3" in said
    assert "s3" in said


@pytest.mark.slow
def test_scripted_words_do_not_help_on_emodb(shared_data, workplace, emofuse):
    """Ten sentences run through all speakers and emotions: text is at chance, and no gain may be claimed."""
    arguments = [
        "train", "data=emodb", f"paths.data={shared_data}", "speech=acoustic", "offline=true", "trainer=cpu",
        "split=leave_one_speaker_out", "hydra.run.dir=emodb",
    ]  # fmt: skip
    assert emofuse(*arguments) == 2  # refused: the words leak
    assert emofuse(*arguments, "allow_leakage=true") == 0
    results = json.loads((workplace / "emodb" / "results.json").read_text())
    assert results["test"]["speech"]["ua"]["value"] > 0.76  # eGeMAPS and a linear SVM
    assert results["test"]["text"]["ua"]["value"] < 0.33  # chance is 0.25
    assert results["verdict"]["fusion_helps"] != "yes"
    assert "leak" in results["verdict"]["sentence"] or results["difference"]["ua"]["low"] <= 0


@pytest.mark.slow
def test_mosi_fusion_does_not_fall_below_text(shared_data, workplace, emofuse):
    """Published, linear SVM (Poria et al., ACL 2017, table 3): speech 58.5, text 75.5, both 75.8 % accuracy."""
    status = emofuse(
        "train", "data=mosi", f"paths.data={shared_data}", "split=column", "trainer=cpu", "hydra.run.dir=mosi"
    )
    assert status == 0
    results = json.loads((workplace / "mosi" / "results.json").read_text())
    assert results["test"]["text"]["wa"]["value"] > 0.73
    assert results["difference_against"] == "text"
    assert results["difference"]["wa"]["high"] >= 0  # not below text by more than noise


def test_a_broken_file_costs_its_own_row_and_says_so(trained, workplace, emofuse, capsys):
    (workplace / "broken.wav").write_bytes(b"RIFF")
    (workplace / "mixed.csv").write_text(
        f"id,audio,text\ngood,{REPOSITORY / 'samples/audio/us-f1-01-sad.flac'},a bad day\n"
        "half,broken.wav,a lovely day\n[/]none,broken.wav,\nempty,,\n",
        encoding="utf-8",
    )
    assert emofuse("predict", "bundle=run/bundle", "data.path=mixed.csv", "output=mixed.jsonl") == 0
    good, half, none, empty = map(json.loads, (workplace / "mixed.jsonl").read_text().splitlines())
    assert "failed" not in good
    assert half["label"]
    assert half["contributions"]["speech"] == 0
    assert set(half["failed"]) == {"speech"}
    assert set(none) == {"id", "error"}
    assert none["id"] == "[/]none"
    assert empty["error"] == "nothing to go by"
    assert "[/]none" in capsys.readouterr().out


@pytest.mark.slow
def test_text_alone_asks_for_no_audio(workplace, emofuse):
    rows = pd.read_csv(workplace / "calls.csv", dtype=str)
    rows["audio"] = "gone/" + rows["id"] + ".wav"
    rows.to_csv(workplace / "gone.csv", index=False)
    status = emofuse(
        "train", "data.path=gone.csv", "modalities=[text]", "split.test=0.3", "split.val=0.3", "trainer=cpu",
        "trainer.max_epochs=2", "offline=true", "evaluation.draws=100", "hydra.run.dir=text_only",
    )  # fmt: skip
    assert status == 0
    assert set(json.loads((workplace / "text_only" / "results.json").read_text())["test"]) == {"text"}


@pytest.mark.slow
def test_ctrl_c_says_how_to_go_on_and_resume_alone_does(workplace, emofuse, monkeypatch, capsys):
    """Lightning makes a bare exit of it. The recorded settings are those of the run that goes on."""
    npz(workplace / "stop.npz", np.random.default_rng(1))
    told = signal.getsignal(signal.SIGINT)
    epochs = iter(range(100))

    def stop(*_):
        if next(epochs) == 3:
            raise KeyboardInterrupt

    settings = ["data=features", "data.path=stop.npz", "trainer=cpu", "trainer.max_epochs=2", "evaluation.draws=50"]
    with monkeypatch.context() as patch:
        patch.setattr("fusion.callbacks.LongFitLog.on_train_epoch_start", stop)
        assert emofuse("train", *settings, "engine=sequential", "hydra.run.dir=stopped") == 1
    signal.signal(signal.SIGINT, told)  # Lightning has it ignored
    assert capsys.readouterr().err.endswith("\nStopped. emofuse train resume=stopped goes on from there.\n")
    assert emofuse("train", "resume=stopped", "hydra.run.dir=resumed") == 0
    said = capsys.readouterr()
    assert f"resume: with the settings of that run: {' '.join(settings)} engine=sequential\n" in said.err
    assert "stopped: 1 of 3 fits are taken as they are" in (workplace / "resumed" / "train.log").read_text()
    kept = [line.split() for line in (workplace / "resumed" / ".hydra" / "overrides.yaml").read_text().splitlines()]
    assert ["-", "trainer.max_epochs=2"] in kept
    assert emofuse("train", "resume=stopped", "seed=2", "hydra.run.dir=other") == 2  # others are given: all must be
    assert "data.path: expected a value" in capsys.readouterr().err


@pytest.mark.parametrize(
    "entry",
    [
        "head._target_=os.system",
        "--config-dir=evil",
        "hydra.searchpath=[file://evil]",
        "head=../../evil",
        "+head=../../evil",
        "experiment=/evil",
        "head=${oc.env:EVIL}",
        "../evil@head=evil",
    ],
)
def test_a_record_that_names_code_is_not_followed(workplace, emofuse, capsys, entry):
    folder = workplace / "foreign"
    (folder / "fits").mkdir(parents=True, exist_ok=True)
    (folder / ".hydra").mkdir(exist_ok=True)
    (folder / ".hydra" / "overrides.yaml").write_text(f"- data.path=x.npz\n- {entry}\n")
    (folder / ".hydra" / "hydra.yaml").write_text("hydra:\n  job:\n    config_name: train\n")
    assert emofuse("train", "resume=foreign") == 2
    said = capsys.readouterr().err
    assert f"emofuse train data.path=x.npz {shlex.quote(entry)} resume=foreign" in said


@pytest.mark.parametrize(
    ("overrides", "hydra"),
    [
        ("- data.path=x.npz\n", None),
        ("- data.path=x.npz\n", "a: [b\n"),
        ("- data.path=x.npz\n", ""),
        ("- data.path=x.npz\n", "hydra: 3\n"),
        ("a: b\n", "hydra:\n  job:\n    config_name: train\n"),
        ("- {a: b}\n", "hydra:\n  job:\n    config_name: train\n"),
        ("- [\n", "hydra:\n"),
    ],
)
def test_a_damaged_record_is_told(workplace, emofuse, capsys, overrides, hydra):
    shutil.rmtree(workplace / "torn", ignore_errors=True)
    (workplace / "torn" / "fits").mkdir(parents=True)
    (workplace / "torn" / ".hydra").mkdir()
    (workplace / "torn" / ".hydra" / "overrides.yaml").write_text(overrides)
    if hydra is not None:
        (workplace / "torn" / ".hydra" / "hydra.yaml").write_text(hydra)
    assert emofuse("train", "resume=torn") == 2
    said = capsys.readouterr().err
    assert "resume=torn: the record of its settings cannot be read" in said
    assert "Give the settings of that run again" in said
