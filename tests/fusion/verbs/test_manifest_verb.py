"""`emofuse manifest`: from a corpus' folder to a manifest that trains, by the command."""

from __future__ import annotations

import re
import shlex

import numpy as np
import pytest
import soundfile


@pytest.fixture
def tess(tmp_path):
    """Two speakers, two emotions that a classifier can hear, three words."""
    random = np.random.default_rng(0)
    folder = tmp_path / "data" / "TESS, it's"
    folder.mkdir(parents=True)
    for speaker in ("OAF", "YAF"):
        for word in ("back", "dog", "shout"):
            for emotion, level in (("sad", 0.01), ("angry", 0.3)):
                samples = level * random.normal(size=8_000) * np.hanning(8_000)
                soundfile.write(folder / f"{speaker}_{word}_{emotion}.wav", samples, 16_000)
    return folder


def test_corpus_and_root_by_position(emofuse, tess):
    status, said, errors = emofuse("manifest", "tess", str(tess))
    assert status == 0, errors
    assert (tess / "manifest.csv").is_file()
    assert "TESS, 7way" in said
    assert re.search(r"angry\s+6\s+400", said)
    assert re.search(r"all\s+12\s+2,800", said)
    assert "12 utterances, 2 speakers, 1 language, 6.0 s of audio" in said
    assert "sad: 400 published, 6 here" in said
    assert "TESS is scripted" in said
    assert "Please cite: Pichora-Fuller" in said


def test_the_command_that_is_printed_trains(emofuse, tess, tmp_path):
    status, said, errors = emofuse("manifest", "corpus=tess", "root=data", "output=my tess, v1.csv", "workers=1")
    assert status == 0, errors
    command = next(line for line in said.splitlines() if line.startswith("emofuse train"))
    assert "data=tess" in command
    words = shlex.split(command)
    assert words[:2] == ["emofuse", "train"]
    quick = ("speech=acoustic", "trainer=cpu", "trainer.max_epochs=2", "evaluation.draws=50", "hydra.run.dir=run")
    status, said, errors = emofuse("extract", *words[2:4], "modalities=[speech]", "speech=acoustic", *quick[4:])
    assert status == 0, errors
    assert "acoustic: 12 new" in said


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "corpus: expected a name, got none"),
        (("corpus=tss", "root=data"), "did you mean tess?"),
        (("corpus=tess",), "root: expected a value, got none"),
        (("corpus=tess", "root=data", "variant=8way"), "variant: expected 7way of TESS, got '8way'"),
        (("corpus=tess", "root=nothing"), "no such folder"),
        (("corpus=emodb", "root=data"), "nothing of EmoDB"),
        (("corpus=tess", "root=data", "overwrit=true"), "no such key"),
    ],
)
def test_mistakes_are_told(emofuse, tess, arguments, says):
    status, _, errors = emofuse("manifest", *arguments)
    assert status == 2
    assert says in errors
    assert "Traceback" not in errors
