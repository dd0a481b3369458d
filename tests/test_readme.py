"""Every block of the README runs as it stands there, but for sizes: few epochs, and a tiny Emotion2Vec+ of random weights."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile

from extractors.emotion2vec.synthetic import write_random_checkpoint
from tests.fusion.corpora.test_iemocap import write_iemocap

REPOSITORY = Path(__file__).resolve().parents[1]
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", (REPOSITORY / "README.md").read_text(encoding="utf-8"), re.M | re.S)
COMMANDS = [
    line.split("  #")[0].strip()
    for kind, block in BLOCKS
    if kind == "bash"
    for line in block.splitlines()
    if line.startswith(("emofuse", "python"))
]
LISTENS = re.compile(
    r"emotion2vec|emofuse (doctor|extract)|data=(manifest|iemocap)"
)  # with Emotion2Vec+, said or by default
FIRST = [command for command in COMMANDS if "hydra.run.dir=" in command]  # what other commands take up
PROGRAMS = [block for kind, block in BLOCKS if kind == "python"]


def run(command: str, folder: Path) -> str:
    """A README command in a copy of what it needs; fails with what the command said."""
    smaller = []
    if " train" in command or "train.py" in command:
        smaller += ["trainer.max_epochs=3", "evaluation.draws=100", "trainer=cpu"]
    if LISTENS.search(command) and "speech=acoustic" not in command:
        smaller += ["speech.model=checkpoint", "offline=true"]
    words = re.findall(r"""(?:[^\s"]|"[^"]*")+""", command)
    words = [word.replace('"', "") for word in words]
    program = ["-m", "train"] if words[0] == "python" else ["-c", "from fusion.cli import main; main()"]
    flags = [word for word in words if word == "-m"]
    arguments = [word for word in words[1:] if word not in ("train.py", "-m")]
    done = subprocess.run(
        [sys.executable, *program, *arguments, *smaller, *flags],
        cwd=folder, capture_output=True, text=True, timeout=550,
    )  # fmt: skip
    assert done.returncode == 0, f"{command}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
    return done.stdout + done.stderr


EMOTIONS = ("ang", "hap", "neu", "sad", "exc", "fru")
TURNS = {
    f"Ses0{session}F_impro0{part}_{sex}{number:03}": emotion
    for session in range(1, 6)
    for part in (1, 2)
    for sex in "FM"
    for number, emotion in enumerate(EMOTIONS)
}


def write_tones(root: Path, *names: str) -> None:
    """Half a second of noise at each place."""
    rng = np.random.default_rng(0)
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(root / name, 0.1 * rng.normal(size=8_000), 16_000)


@pytest.fixture(scope="module")
def workplace(tmp_path_factory) -> Path:
    """What a reader has by the time they come to each block: a table, audio, vectors, trained runs."""
    folder = tmp_path_factory.mktemp("readme")
    shutil.copytree(REPOSITORY / "samples", folder / "samples")
    rows = pd.read_csv(folder / "samples" / "manifest.csv", dtype=str)
    rows["audio"] = "samples/" + rows["audio"]
    rows.to_csv(folder / "calls.csv", index=False)
    rows.drop(columns="label").head(20).to_csv(folder / "more.csv", index=False)
    shutil.copy(folder / "samples" / "audio" / "us-f1-01-sad.flac", folder / "call.wav")
    write_random_checkpoint(folder / "checkpoint", size="tiny")
    rng = np.random.default_rng(0)
    label = np.arange(120) % 3
    np.savez(
        folder / "x.npz",
        speech=rng.normal(size=(120, 8)) + label[:, None],
        text=rng.normal(size=(120, 6)) - label[:, None],
        label=np.array(["a", "b", "c"])[label],
        speaker=np.arange(120) // 3 % 10,
    )
    hot = [0.8 if 100 <= start < 125 else 0.06 for start in range(0, 240, 5)]
    lines = [f"{5 * n},{5 * n + 4},{'ab'[n % 2]},{p},0.05,{0.95 - p:.2f}" for n, p in enumerate(hot)]
    (folder / "scores.csv").write_text("start,end,speaker,angry,fearful,neutral\n" + "\n".join(lines) + "\n")
    (folder / "episodes.csv").write_text("start,end,label\n98,126,angry\n")
    write_iemocap(folder / "corpora" / "IEMOCAP", partial(write_tones, folder / "corpora" / "IEMOCAP"), TURNS)
    for command in FIRST:
        run(command, folder)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("command", [command for command in COMMANDS if command not in FIRST])
def test_command(command, workplace):
    run(command, workplace)


@pytest.mark.slow
@pytest.mark.parametrize("program", PROGRAMS[:-1])
def test_python_api(program, workplace):
    done = subprocess.run([sys.executable, "-c", program], cwd=workplace, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


def test_a_head_of_ones_own_keeps_the_contract(tmp_path, monkeypatch):
    import torch

    (tmp_path / "mean_head.py").write_text(PROGRAMS[-1], encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    from mean_head import MeanHead  # type: ignore[import-not-found]

    head = MeanHead(dims={"speech": 6, "text": 4}, num_classes=3).eval()
    features = {"speech": torch.randn(5, 6), "text": torch.full((5, 4), torch.nan)}
    present = {"speech": torch.tensor([True] * 4 + [False]), "text": torch.zeros(5, dtype=torch.bool)}
    output = head(features, present)
    assert output.logits.shape == (5, 3)
    assert output.logits.isfinite().all()
    assert output.weights[0].tolist() == [1.0, 0.0]


def test_the_readme_shows_the_two_commands_and_no_path_of_a_machine():
    text = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    assert "pip install -e . -c constraints.txt && python train.py experiment=quickstart\n" in text
    assert "pip install -e '.[dev]' -c constraints.txt && pytest\n" in text
    assert not re.search(r"/(work|home|root|tmp)/", text)
    assert len(COMMANDS) >= 7
    assert len(FIRST) == 2
