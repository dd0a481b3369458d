"""The command in this process, on a few clips."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hydra.core.global_hydra import GlobalHydra

from extractors.emotion2vec.synthetic import write_random_checkpoint
from fusion.cli import main

Emofuse = Callable[..., tuple[int, str, str]]


@pytest.fixture
def emofuse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Emofuse:
    """emofuse("verb", "key=value", …) in the test's folder -> exit status, standard output, standard error."""
    monkeypatch.setenv("EMOFUSE_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("EMOFUSE_OFFLINE", "1")
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> tuple[int, str, str]:
        GlobalHydra.instance().clear()
        monkeypatch.setattr(sys, "argv", ["emofuse", *arguments])
        status = 0
        try:
            main()
        except SystemExit as left:
            status = int(left.code or 0)
        GlobalHydra.instance().clear()
        return status, *capsys.readouterr()

    return run


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    """Four rows in `m.csv`: a hostile id, an ordinary one, a span of the second's file, and one without audio."""
    random = np.random.default_rng(0)
    for name in ("a", "b"):
        samples = 0.1 * random.normal(size=12_000) * np.hanning(12_000)
        soundfile.write(tmp_path / f"{name}.wav", samples, 16_000)
    rows = [
        "id,audio,text,label,speaker,start,end",
        "../../x,a.wav,one,x,s1,,",
        "call 7,b.wav,two,y,s1,,",
        "call 7 end,b.wav,,x,s2,0.25,0.7",
        "words,,four,y,s2,,",
    ]
    (tmp_path / "m.csv").write_text("\n".join(rows) + "\n")
    return tmp_path / "m.csv"


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny Emotion2Vec+ of random weights."""
    return write_random_checkpoint(tmp_path_factory.mktemp("model") / "tiny")
