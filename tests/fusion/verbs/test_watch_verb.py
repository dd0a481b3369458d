"""`emofuse watch` and `emofuse backtest`, by their command, on files of every kind that they take."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hydra.core.global_hydra import GlobalHydra

from fusion.alerts.report import read_alerts
from fusion.verbs import backtest as backtest_verb
from fusion.verbs import watch as watch_verb

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """run("watch", "key=value", …) in the test's folder -> exit status, standard output, standard error."""
    monkeypatch.setenv("EMOFUSE_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("EMOFUSE_OFFLINE", "1")
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(tmp_path)
    mains = {"watch": watch_verb.main, "backtest": backtest_verb.main}

    def call(verb: str, *arguments: str) -> tuple[int, str, str]:
        GlobalHydra.instance().clear()
        monkeypatch.setattr(sys, "argv", [f"emofuse {verb}", *arguments])
        status = 0
        try:
            mains[verb]()
        except SystemExit as left:
            status = int(left.code or 0)
        GlobalHydra.instance().clear()
        return status, *capsys.readouterr()

    return call


@pytest.fixture
def scores(tmp_path: Path) -> Path:
    """Anna is angry from 100 to 120 s in one recording; a name that would be a formula, a text that would be markup."""
    rows = ["start,end,speaker,text,recording,angry,happy,neutral"]
    for recording in ("x.wav", "y.wav"):
        for start in range(0, 200, 5):
            angry = 0.8 if recording == "x.wav" and 100 <= start < 120 else 0.05
            rows.append(f"{start},{start + 4},=anna,[red]no [/x] {start},{recording},{angry},0.1,{0.9 - angry:.2f}")
    (tmp_path / "scores.csv").write_text("\n".join(rows) + "\n")
    return tmp_path / "scores.csv"


def test_scores_of_others_to_alerts_and_their_files(run, scores, tmp_path) -> None:
    status, said, errors = run("watch", "scores=scores.csv", "output=out", "calibrated=true")
    assert status == 0, errors
    assert "[red]no [/x] 100" in said
    assert "left out: no label 'fearful', no label 'sad'" in said
    content = json.loads((tmp_path / "out" / "alerts.json").read_text())
    assert (content["schema_version"], content["calibrated"], content["model"]) == (2, True, "scores.csv")
    assert [one["name"] for one in content["recordings"]] == ["x.wav", "y.wav"]
    (anger,) = [one for one in content["alerts"] if one["rule"] == "anger"]
    assert (anger["recording"], anger["scope_value"]) == ("x.wav", "=anna")
    assert (anger["start_s"], anger["end_s"], anger["calibrated"]) == (100, 119, True)
    assert {one["recording"] for one in content["alerts"]} == {"x.wav"}
    with (tmp_path / "out" / "alerts.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows[0]["scope_value"] == "'=anna"  # no spreadsheet runs it
    with (tmp_path / "out" / "evidence.csv").open(newline="") as file:
        evidence = [row for row in csv.DictReader(file) if row["rule"] == "anger"]
    assert [float(row["start_s"]) for row in evidence] == [100, 105, 110, 115]
    assert [float(row["angry"]) for row in evidence] == [0.8] * 4
    alerts, _ = read_alerts(tmp_path / "out" / "alerts.json")
    assert [one.as_dict() for one in alerts] == content["alerts"]


def test_a_rules_file_a_line_and_settings(run, scores, tmp_path) -> None:
    (tmp_path / "rules, mine.yaml").write_text("rules:\n  cross: {signal: angry - happy, on: 0.3, scope: meeting}\n")
    status, said, errors = run("watch", "scores=scores.csv", "rules=rules, mine.yaml")
    assert (status, "1 alert by 1 rule in 2 recordings" in said) == (0, True), errors
    status, said, errors = run(
        "watch", "scores=scores.csv", "when=angry > 0.75 for 5 s of speech", "settings={tau_s: 5}"
    )
    assert (status, "1 alert by 1 rule" in said) == (0, True), errors
    status, said, errors = run("watch", "scores=scores.csv", "rules=frames", "settings={missing_label: error}")
    assert status == 2
    assert "agitated: no label 'fearful'" in errors


def test_backtest_of_a_watch_and_of_its_alerts(run, scores, tmp_path) -> None:
    (tmp_path / "e.csv").write_text(
        "start,end,label,recording\n98,121,angry,x.wav\n10,40,happy,y.wav\n60,80,proud,y.wav\n"
    )
    status, said, errors = run("backtest", "episodes=e.csv", "scores=scores.csv", "output=out")
    assert status == 0, errors
    assert "1 episode that no rule looks for counts nowhere: proud" in said
    content = json.loads((tmp_path / "out" / "backtest.json").read_text())
    figures = {one["rule"]: one for one in content["figures"]}
    assert (figures["anger"]["precision"]["value"], figures["anger"]["recall"]["value"]) == (1.0, 1.0)
    assert figures["joy"]["recall"]["value"] == 0.0
    assert figures["anger"]["hours"] == pytest.approx(2 * 199 / 3600)
    status, _, errors = run("backtest", "episodes=e.csv", "alerts=out/alerts.json", "output=again")
    assert status == 0, errors
    assert json.loads((tmp_path / "again" / "backtest.json").read_text()) == content


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """6 s of noise that talks, 3 s of silence, 4 s of noise."""
    random = np.random.default_rng(0)
    loud = 0.1 * random.normal(size=16_000 * 13)
    loud[16_000 * 6 : 16_000 * 9] = 0.0
    soundfile.write(tmp_path / "call.wav", loud, 16_000)
    return tmp_path / "call.wav"


def test_audio_by_frames_and_by_windows(run, recording, checkpoint, tmp_path) -> None:
    """Random weights say something steady: whatever they call this noise is above 1 / 9."""
    speech = (f"speech.model={checkpoint}", "speech.device=cpu", "speech_by=energy", "audio=call.wav")
    labels = ("angry", "disgusted", "fearful", "happy", "neutral", "other", "sad", "surprised", "unknown")
    rules = "".join(
        f"  {label}: {{signal: {label}, on: 0.12, off: 0.1, tau_s: 2, min_utterances: 1}}\n" for label in labels
    )
    (tmp_path / "r.yaml").write_text("rules:\n" + rules)
    found = {}
    for granularity in ("frame", "utterance"):
        command = ("watch", *speech, "rules=r.yaml", f"granularity={granularity}", f"output={granularity}")
        status, said, errors = run(*command)
        assert status == 0, errors
        assert "10.0 s of speech in 13.0 s, 2 stretches" in said
        content = json.loads((tmp_path / granularity / "alerts.json").read_text())
        assert content["calibrated"] is False
        found[granularity] = {one["rule"]: one for one in content["alerts"]}
        (known,) = content["recordings"]
        assert known["seconds"] == 13.0
        assert known["observations"] == (pytest.approx(500, abs=4) if granularity == "frame" else 3)
        for one in content["alerts"]:  # nothing rests on silence
            assert all(e["end_s"] <= 6.0 or e["start_s"] >= 9.0 for e in one["evidence"])
            assert one["speech_s"] <= 10.0
    assert found["frame"]
    assert set(found["frame"]) & set(found["utterance"])


def test_a_silent_file_alerts_nobody(run, checkpoint, tmp_path) -> None:
    soundfile.write(tmp_path / "call.wav", np.zeros(48_000), 16_000)
    speech = (f"speech.model={checkpoint}", "speech.device=cpu", "audio=call.wav", "when=angry > 0.01 for 0 s")
    for speech_by in ("energy", "auto"):
        status, said, errors = run("watch", *speech, f"speech_by={speech_by}")
        assert status == 0, errors
        assert "nobody speaks in its 3.0 s" in said
        assert "0 alerts" in said


def test_a_manifest_is_a_timeline_a_file(run, recording, checkpoint, tmp_path) -> None:
    soundfile.write(tmp_path / "other.wav", 0.1 * np.random.default_rng(1).normal(size=64_000), 16_000)
    rows = ["id,audio,text,label,speaker,start,end", "o,other.wav,,,bo,,"]
    rows += [f"c{n},call.wav,word {n},,anna,{n},{n + 1.5}" for n in (0, 2, 4, 10)]
    rows += ["early,call.wav,,,bo,1,3"]
    (tmp_path / "m.csv").write_text("\n".join(rows) + "\n")
    speech = (f"speech.model={checkpoint}", "speech.device=cpu", "data.path=m.csv")
    for granularity, count in (("utterance", 6), ("frame", 74 * 4 + 99 + 199)):
        status, _, errors = run("watch", *speech, f"granularity={granularity}", f"output={granularity}")
        assert status == 0, errors
        content = json.loads((tmp_path / granularity / "alerts.json").read_text())
        assert [Path(one["name"]).name for one in content["recordings"]] == ["other.wav", "call.wav"]
        assert sum(one["observations"] for one in content["recordings"]) == count
        assert [one["seconds"] for one in content["recordings"]] == [4.0, 13.0]


@pytest.mark.slow
def test_a_bundle_that_reads_and_hears(run, recording, tmp_path) -> None:
    """A tiny model of the acoustic features, trained here; a manifest and a bare recording through it."""
    import train

    random = np.random.default_rng(2)
    rows = ["id,audio,text,label,speaker,split"]
    for n in range(24):
        label, split = ("angry", "happy")[n % 2], ("train", "train", "val", "test")[n // 6]
        tone = np.sin(np.arange(16_000) * (0.05 + 0.2 * (n % 2)) + random.uniform(0, 6))
        soundfile.write(tmp_path / f"{n}.wav", 0.2 * tone + 0.02 * random.normal(size=16_000), 16_000)
        rows.append(f"{n},{n}.wav,,{label},s{n // 2},{split}")
    (tmp_path / "train.csv").write_text("\n".join(rows) + "\n")
    overrides = [
        "data.path=train.csv",
        "split=column",
        "speech=acoustic",
        "modalities=[speech]",
        "head=concat",
        "trainer=cpu",
        "trainer.max_epochs=2",
        "logger=none",
        "hydra.run.dir=run",
        "evaluation.draws=50",
    ]
    GlobalHydra.instance().clear()
    sys.argv = ["train", *overrides]
    train.main()
    assert (tmp_path / "run" / "bundle").is_dir()
    (tmp_path / "m.csv").write_text(
        "id,audio,text,label,start,end\n" + "".join(f"c{n},call.wav,,,{n},{n + 2}\n" for n in (0, 2, 9, 11))
    )
    for source in ("data.path=m.csv", "audio=call.wav"):
        command = (
            "watch",
            source,
            "bundle=run/bundle",
            "when=valence < 0.99",
            "settings={scope: meeting, off: 1}",
            "output=out",
        )
        status, _, errors = run(*command, "speech_by=energy")
        assert status == 0, errors
        content = json.loads((tmp_path / "out" / "alerts.json").read_text())
        assert content["calibrated"] is True
        assert content["failed"] == {}
        assert content["recordings"][0]["observations"] == (4 if source.startswith("data") else 3)
        assert content["valence"]["values"]["angry"] == -1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "expected one of audio=, scores= and data.path=, got none"),
        (["scores=scores.csv", "audio=x.wav"], "got audio and scores"),
        (["scores=scores.csv", "granularity=word"], "granularity: expected frame or utterance"),
        (["scores=scores.csv", "rules=defualt"], "did you mean 'default'?"),
        (["scores=scores.csv", "rules=no.yaml"], "no such file: no.yaml"),
        (["scores=scores.csv", "when=angry"], "expected a signal, > or <, a number"),
        (["scores=scores.csv", "valence=mine"], "valence: there is no map 'mine'"),
        (["scores=scores.csv", "settings={tau: 3}"], "no key 'tau'; did you mean tau_s?"),
        (["scores=scores.csv", "rows=words"], "rows: expected auto, utterances, parts, got 'words'"),
        (["scores=bad.csv"], "angry: expected a probability from 0 to 1, got '1.7'"),
        (["scores=bad.csv"], "row 2: ends at 1 s, before it starts at 3 s"),
        (["scores=none.csv"], "no such file: none.csv"),
        (["audio=none.wav", "speech=acoustic"], "acoustic has no classes of its own"),
        (["data=features", "data.path=x.npz"], "data: expected a manifest"),
        (["scores=scores.csv", "tau=3"], "tau: no such key"),
        (["scores=scores.csv", "settings=meeting"], "settings: expected a mapping"),
        (["scores=scores.csv", "output=scores.csv"], "output=scores.csv cannot be written: scores.csv is a file"),
        (["scores=scores.csv", "output=/proc/nowhere"], "output=/proc/nowhere cannot be written"),
        (["scores=ms.csv", "when=angry > 0.5"], "are these milliseconds?"),
    ],
)
def test_mistakes_are_named_and_leave_with_2(run, scores, tmp_path, arguments, words) -> None:
    (tmp_path / "bad.csv").write_text("start,end,angry\n0,1,1.7\n3,1,0.5\n")
    (tmp_path / "ms.csv").write_text("start,end,angry\n0,3000,0.9\n3000,5000,0.9\n5000,9000,0.1\n")
    status, _, errors = run("watch", *arguments)
    assert words in errors
    assert "Traceback" not in errors
    assert status == 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["scores=scores.csv"], "episodes: expected a value"),
        (["scores=scores.csv", "episodes=e.csv"], "row 1: no recording, and 2 were watched"),
        (["alerts=scores.csv", "episodes=e.csv"], "is no alerts.json"),
        (["alerts=none.json", "episodes=e.csv"], "none.json: No such file"),
        (["scores=scores.csv", "episodes=e.csv", "slack_s=-1"], "slack_s: expected seconds from 0"),
    ],
)
def test_mistakes_of_a_backtest(run, scores, tmp_path, arguments, words) -> None:
    (tmp_path / "e.csv").write_text("start,end\n1,2\n")
    status, _, errors = run("backtest", *arguments)
    assert words in errors
    assert "Traceback" not in errors
    assert status == 2


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content.pop("rules"),
        lambda content: content.update(rules=None),
        lambda content: content["recordings"][0].pop("seconds"),
        lambda content: content.update(valence={"map": "mine"}),
        lambda content: content["alerts"][0].update(rule="nobody"),
        lambda content: content["alerts"][0].update(start_s="0"),
    ],
)
def test_alerts_that_somebody_changed_are_an_error_and_no_crash(run, scores, tmp_path, damage) -> None:
    assert run("watch", "scores=scores.csv", "when=angry > 0.5", "output=out")[0] == 0
    path = tmp_path / "out" / "alerts.json"
    content = json.loads(path.read_text())
    damage(content)
    path.write_text(json.dumps(content))
    (tmp_path / "e.csv").write_text("start,end,recording\n1,2,x.wav\n")
    status, _, errors = run("backtest", f"alerts={path}", "episodes=e.csv")
    assert "as `emofuse watch` writes it" in errors
    assert status == 2
