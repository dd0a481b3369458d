"""`emofuse doctor` as it is typed: the table, the JSON and the exit status."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hydra.core.global_hydra import GlobalHydra
from rich.console import Console

from extractors.diagnosis.finding import Finding
from extractors.emotion2vec.extractor import Emotion2vecExtractor
from extractors.emotion2vec.synthetic import write_random_checkpoint
from fusion.cli import main
from fusion.verbs.doctor_table import findings_table, verdict

Doctor = Callable[..., tuple[int, str, dict[str, Any]]]


class Perturbed(Emotion2vecExtractor):
    """Emofuse with a mistake: a bias of its encoder is not the one in the folder."""

    def __init__(self, model: str, **settings: Any) -> None:
        super().__init__(model, **settings)
        self.encoder.network.blocks[-1].down.bias += torch.linspace(-0.1, 0.1, self.dim)


class Crashing(Emotion2vecExtractor):
    def __init__(self, model: str, **settings: Any) -> None:
        raise RuntimeError("a driver has gone away\nand more")


@pytest.fixture(scope="session")
def tiny(tmp_path_factory) -> Path:
    return write_random_checkpoint(tmp_path_factory.mktemp("doctor") / "tiny")


@pytest.fixture
def doctor(tmp_path, monkeypatch, capsys) -> Doctor:
    """`emofuse doctor …` in this process and an empty folder: exit status, what it printed, doctor.json by check."""

    def run(*arguments: str) -> tuple[int, str, dict[str, Any]]:
        GlobalHydra.instance().clear()
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("COLUMNS", "100")
        monkeypatch.setenv("EMOFUSE_STORE", str(tmp_path / "store"))
        monkeypatch.setattr(sys, "argv", ["emofuse", "doctor", *arguments])
        status = 0
        try:
            main()
        except SystemExit as left:
            status = int(left.code or 0)
        GlobalHydra.instance().clear()
        printed = capsys.readouterr()
        written = {}
        reports = tmp_path.glob("runs/doctor/*/*/doctor.json")
        for path in sorted(reports, key=lambda path: path.stat().st_mtime)[-1:]:
            report = json.loads(path.read_text())
            assert report["exit_status"] == status
            written = {f"{one['section']}: {one['check']}": one for one in report["checks"]} | {"all": report}
        return status, printed.out + printed.err, written

    return run


def test_a_healthy_machine(doctor, tiny):
    imported = "funasr" in sys.modules
    status, said, found = doctor(f"speech.model={tiny}")
    assert status == 0
    sections = ("this machine", "speech model", "text model", "audio files", "embedding store")
    assert all(f"\n {section} " in said for section in sections)
    assert f"torch {torch.__version__}" in said
    assert "65 loaded, 0 missing, 0 unexpected" in said
    assert "angry, disgusted, fearful" in said
    assert found["speech model: model"]["details"]["path"] == str(tiny)
    assert found["speech model: weights"]["details"]["hash"] in said
    assert {"audio files: WAV", "audio files: FLAC", "audio files: MP3"} < set(found)
    assert "fail" not in {one["status"] for one in found["all"]["checks"]}
    assert ("funasr" in sys.modules) == imported  # five seconds that only verify=true costs


def test_a_model_without_weights(doctor, tmp_path):
    folder = write_random_checkpoint(tmp_path / "tiny")
    (folder / "model.pt").unlink()
    status, said, found = doctor(f"speech.model={folder}", "modalities=[speech]", f"store.path={folder}")
    assert status == 1
    assert found["speech model: model"]["found"] == f"folder {folder}: without model.pt"
    assert "is no embedding store" in found["embedding store: folder"]["found"]  # every check is made, whatever failed
    assert "2 checks failed" in said
    assert "✗ fail" in said


def test_a_model_that_is_not_here_is_a_warning_until_it_is_needed(doctor, monkeypatch, tmp_path):
    monkeypatch.setenv("MODELSCOPE_CACHE", str(tmp_path / "nothing"))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "nothing"))
    status, said, found = doctor("modalities=[speech]", "offline=true")
    assert (status, found["all"]["status"]) == (0, "warn")
    assert "modelscope download --model iic/emotion2vec_plus_large" in " ".join(said.split())
    status, _, found = doctor("modalities=[speech]", "verify=true", "offline=true")
    assert status == 1
    assert found["against FunASR: comparison"]["status"] == "fail"


@pytest.mark.slow
def test_verify_compares_with_funasr(doctor, tiny):
    status, said, found = doctor(f"speech.model={tiny}", "modalities=[speech]", "verify=true", "speech.loudness=-23")
    assert status == 0
    for what in ("vector", "frames", "scores"):
        assert 0 <= found[f"against FunASR: {what}"]["details"]["largest"] < 1e-4
    assert found["against FunASR: published"]["status"] == "skip"
    assert "without loudness" in found["against FunASR: settings"]["found"]
    assert "init param" not in said  # FunASR's own chatter


def test_verify_finds_a_mistake_in_the_encoder(doctor, tiny):
    status, said, found = doctor(
        f"speech.model={tiny}", f"speech._target_={__name__}.Perturbed", "modalities=[speech]", "verify=true"
    )
    assert status == 1
    assert found["speech model: try-out"]["status"] == "ok"  # nothing else would have shown it
    assert found["against FunASR: vector"]["status"] == "fail"
    assert found["against FunASR: vector"]["details"]["largest"] > 1e-4
    assert "Do not trust" in said


def test_a_crash_is_one_finding_of_many(doctor, tiny):
    status, said, found = doctor(f"speech.model={tiny}", f"speech._target_={__name__}.Crashing", "modalities=[speech]")
    assert status == 1
    assert found["speech model: check"]["found"] == "RuntimeError: a driver has gone away"
    assert "and more" in found["speech model: check"]["details"]["traceback"]
    assert "Traceback" not in said
    assert found["audio files: WAV"]["status"] == "ok"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["verify=perhaps"], "verify: expected true or false, got 'perhaps'"),
        (["verify=true", "speech=acoustic"], "only an Emotion2Vec+"),
        (["verify=true", "modalities=[text]"], "only an Emotion2Vec+"),
        (["verify=true", "clip=it's, gone.wav"], "clip: it's, gone.wav: no such file"),
        (["clip=x.wav", "modalities=[spech]"], "expected speech or text, got 'spech'"),
        (["download=true", "offline=true"], "offline=true forbids it"),
        (["speech.precison=int8"], "did you mean speech.precision?"),
        (["verfy=true"], "did you mean verify?"),
    ],
)
def test_a_wrong_configuration_leaves_with_2(doctor, arguments, words):
    status, said, found = doctor(*arguments)
    assert status == 2
    assert words in said
    assert not found


@pytest.mark.parametrize("width", [80, 120])
def test_the_table_keeps_to_its_width_and_shows_text_as_it_is(width):
    findings = [
        Finding("a", "ok", "[red]no markup[/red] " + "/very/long/path" * 20),
        Finding("b", "warn", "odd", "Mend it."),
        Finding("c", "skip", "not tried"),
    ]
    console = Console(width=width, record=True, file=open("/dev/null", "w"))  # noqa: PTH123, SIM115
    console.print(findings_table({"one": findings, "two": [Finding("d", "fail", "broken", "Replace it.")]}))
    lines = console.export_text().splitlines()
    assert max(map(len, lines)) <= width
    assert any("[red]no markup[/red]" in line for line in lines)
    assert any("→ Mend it." in line for line in lines)


@pytest.mark.parametrize(
    ("statuses", "said"),
    [
        (["ok", "skip"], "All is well."),
        (["ok", "warn"], "Emofuse works, with 1 warning."),
        (["fail", "warn", "warn"], "1 check failed, and 2 warnings: follow the arrows."),
    ],
)
def test_the_verdict(statuses, said):
    assert str(verdict({"all": [Finding("x", status, "") for status in statuses]})) == said
