"""`emofuse templates`: made of a few clips, used on others."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile

from extractors import AcousticExtractor, EmbeddingStore
from fusion.data.sources import ManifestSource
from fusion.explore.sources import EncoderVectors
from fusion.explore.space import Space
from fusion.explore.templates import Templates, save_templates
from tests.fusion.random_bundle import save_random_bundle

ACOUSTIC = ("templates", "speech=acoustic", "space=standardized")


def write_clips(folder: Path, name: str, count: int, *, seed: int, split: list[str] | None = None) -> None:
    """`name`.csv: `count` tones of each of two labels, of four speakers."""
    rng = np.random.default_rng(seed)
    rows = ["id,audio,label,speaker,split"]
    for number in range(2 * count):
        time = np.arange(6_000) / 16_000
        pitch = (110 if number % 2 else 330) * rng.uniform(0.95, 1.05)
        samples = 0.2 * np.sin(2 * np.pi * pitch * time) * np.hanning(len(time)) + 0.01 * rng.normal(size=len(time))
        soundfile.write(folder / f"{name}-{number}.wav", samples, 16_000)
        part = split[number] if split else ""
        rows.append(f"{name} {number},{name}-{number}.wav,{'low' if number % 2 else 'high'},s{number // 2 % 4},{part}")
    (folder / f"{name}.csv").write_text("\n".join(rows) + "\n")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four clips, `few.csv`, the store that has heard them, and their templates in `mine`."""
    folder = tmp_path_factory.mktemp("made")
    write_clips(folder, "few", 2, seed=0)
    source = EncoderVectors(
        ManifestSource(path=folder / "few.csv"), build=AcousticExtractor, store=EmbeddingStore(folder / "store")
    )
    clips = source.collect()
    space = Space.fit(clips.vectors, kind="standardized", fingerprint=clips.maker.fingerprint)
    save_templates(folder / "mine", Templates.fit(clips, space=space))
    return folder


def test_made_and_used(emofuse, tmp_path) -> None:
    write_clips(tmp_path, "few", 12, seed=0)
    write_clips(tmp_path, "more", 4, seed=1)
    status, said, errors = emofuse(*ACOUSTIC, "data.path=few.csv", "output=it's, mine", "kind=medoid")
    assert status == 0, errors
    about = json.loads((tmp_path / "it's, mine" / "templates.json").read_text())
    assert about["shots"] == {"high": 12, "low": 12}
    assert about["calibration"]["rows"] == 24
    assert about["clips"][0] in said
    assert "24 held-out clips: accuracy 1.000" in said
    assert "other speakers (4)" in said
    assert list((tmp_path / "store" / "spaces").glob("standardized-*.safetensors"))

    status, said, errors = emofuse(*ACOUSTIC, "templates=it's, mine", "data.path=more.csv", "output=scores.jsonl")
    assert status == 0, errors
    records = [json.loads(line) for line in (tmp_path / "scores.jsonl").read_text().splitlines()]
    assert [record["best"] for record in records] == ["high", "low"] * 4
    assert all(record["calibrated"] for record in records)
    assert "8 labelled clips: accuracy 1.000" in said

    again = (*ACOUSTIC, "templates=it's, mine", "audio=more-0.wav", "output=scores.jsonl")
    status, said, errors = emofuse(*again)
    assert status == 0, errors
    assert "the earlier scores were replaced" in said + errors
    assert len((tmp_path / "scores.jsonl").read_text().splitlines()) == 1

    status, said, errors = emofuse(*ACOUSTIC, "data.path=few.csv", "output=it's, mine")
    assert status == 0, errors
    assert "the earlier templates were replaced" in said + errors

    status, said, errors = emofuse(*ACOUSTIC, "templates=it's, mine", "audio=more-1.wav")
    assert status == 0, errors
    assert "more-1" in said
    assert "low" in said


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A head of random weights over the real acoustic encoder."""
    return save_random_bundle(tmp_path / "my-run" / "bundle", [AcousticExtractor()], ("low", "high"), (0.5, 0.5))


def test_one_clip_as_a_bundle_fuses_it(emofuse, made, bundle, tmp_path) -> None:
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    status, _, errors = emofuse("templates", "bundle=my-run", "data.path=few.csv", "output=fused")
    assert status == 0, errors
    status, said, errors = emofuse("templates", "bundle=my-run", "templates=fused", "audio=few-0.wav")
    assert status == 0, errors
    assert "few-0" in said
    status, _, errors = emofuse("templates", "bundle=my-run", "templates=fused")
    assert (status, "expected clips to score" in errors) == (2, True)
    status, _, errors = emofuse("templates", "bundle=my-run", "output=others")
    assert (status, "a bundle's embeddings need clips" in errors) == (2, True)


def test_few_clips_are_not_calibrated_and_it_says_so(emofuse, tmp_path) -> None:
    write_clips(tmp_path, "few", 2, seed=0)
    status, said, errors = emofuse(*ACOUSTIC, "data.path=few.csv", "output=mine")
    assert status == 0, errors
    assert "not calibrated: 4 held-out clips, at least 20 are needed" in said
    status, said, errors = emofuse(*ACOUSTIC, "templates=mine", "data.path=few.csv")
    assert status == 0, errors
    assert "not calibrated: the probabilities rank labels, and no more" in said
    status, _, errors = emofuse(*ACOUSTIC, "data.path=few.csv", "output=mine", "reject.coverage=0.8")
    assert (status, "reject.coverage: a threshold cannot be learnt" in errors) == (2, True)


def test_the_parts_of_a_manifest_are_kept_apart(emofuse, tmp_path) -> None:
    split = ["train"] * 8 + ["val"] * 24 + ["test"] * 8
    write_clips(tmp_path, "all", 20, seed=0, split=split)
    status, said, errors = emofuse(*ACOUSTIC, "data.path=all.csv", "output=mine")
    assert status == 0, errors
    about = json.loads((tmp_path / "mine" / "templates.json").read_text())
    assert about["shots"] == {"high": 4, "low": 4}
    assert (about["calibration"]["rows"], about["space"]["rows"]) == (24, 32)
    assert "the rows whose split is val" in said
    assert "8 test clips: accuracy" in said


def test_labels_without_templates_are_counted_apart(emofuse, tmp_path) -> None:
    write_clips(tmp_path, "few", 4, seed=0)
    status, _, errors = emofuse(*ACOUSTIC, "data.path=few.csv", "output=mine", "reject.threshold=1")
    assert status == 0, errors
    text = (tmp_path / "few.csv").read_text().replace(",high,", ",shrill,")
    (tmp_path / "few.csv").write_text(text)
    status, said, errors = emofuse(*ACOUSTIC, "templates=mine", "data.path=few.csv")
    assert status == 0, errors
    assert "4 clips are of labels without templates (shrill); 100.0 % of them came out uncertain" in said


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["audio=few-0.wav"], "one clip is scored with templates"),
        (["templates=nowhere", "audio=few-0.wav"], "nowhere holds no templates"),
        (["templates=mine"], "expected clips to score"),
        (["templates=mine", "audio=few-0.wav", "data.path=few.csv"], "either one clip or a table, got both"),
        (["templates=mine", "audio=few-0.wav", "speech.pitch_max=400"], "vectors of different models are never"),
        (["templates=mine", "text=hello", "modality=text"], "vectors of different models are never"),
        (["templates=mine", "text=hello"], "expected an audio file, got a text"),
        (["templates=mine", "data.path=few.csv", "output=mine"], "expected a file for the scores, got the folder"),
        (["data.path=few.csv", "output=few.csv"], "holds no templates"),
        (["data.path=nowhere.csv", "output=."], "holds no templates"),  # before anything is read
        (["templates=mine", "data.path=few.csv", "output=few.csv"], "few.csv is there already and holds no scores"),
        (["data.path=few.csv", "kind=median"], "kind: expected mean, medoid, several"),
        (["data.path=few.csv", "reject.coverage=0.9", "reject.precision=0.9"], "expected one of threshold"),
        (["data.path=few.csv", "reject.covrage=0.9"], "did you mean"),
        (["data.path=nolabel.csv"], "no label"),
        ([], "has no vectors of acoustic"),
    ],
)
def test_mistakes_are_named_and_leave_with_2(emofuse, made, tmp_path, arguments, words) -> None:
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    (tmp_path / "nolabel.csv").write_text("id,audio\nx,few-0.wav\ny,few-1.wav\n")
    if not arguments:
        shutil.rmtree(tmp_path / "store")
    status, _, errors = emofuse(*ACOUSTIC, *arguments)
    assert words in errors
    assert "Traceback" not in errors
    assert status == 2
