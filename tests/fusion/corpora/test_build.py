"""What holds for the manifest of every corpus; and the configurations that go with them."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pandas as pd
import pytest
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from omegaconf import OmegaConf

from extractors.errors import InputError
from fusion.configuration import conf_folder, register_resolvers
from fusion.corpora import Corpus, build_manifest
from fusion.corpora.emodb import EmoDb
from fusion.corpora.ravdess import Ravdess
from fusion.corpora.tess import Tess
from fusion.data.manifest import read_manifest
from fusion.data.transcripts import normalise

NAMES = sorted(path.stem for path in (conf_folder() / "corpus").glob("*.yaml"))


@pytest.fixture
def tess(clips, tmp_path) -> Path:
    clips(*(f"TESS/{s}_dog_{e}.wav" for s in ("OAF", "YAF") for e in ("sad", "happy")), seconds=0.5)
    return tmp_path / "TESS"


def corpus_of(name: str) -> Corpus:
    return instantiate(OmegaConf.load(conf_folder() / "corpus" / f"{name}.yaml"))


def test_audio_lies_relative_to_the_manifest_where_it_can(tess, tmp_path):
    inside = build_manifest(Tess(), tess)
    assert inside.frame["audio"].iloc[0] == "OAF_dog_happy.wav"
    above = build_manifest(Tess(), tess, tmp_path / "t.csv")
    assert above.frame["audio"].iloc[0] == "TESS/OAF_dog_happy.wav"
    beside = build_manifest(Tess(), tess, tmp_path / "deep" / "new" / "t.csv")
    assert beside.frame["audio"].iloc[0] == str(tess / "OAF_dog_happy.wav")
    for built in (inside, above, beside):
        frame = read_manifest(built.path, extra_columns=Tess.extra)
        assert all(Path(path).samefile(tess / Path(path).name) for path in frame["audio"])
        assert built.hours == pytest.approx(2 / 3600)


def test_an_existing_manifest_stays(tess):
    built = build_manifest(Tess(), tess)
    built.path.write_text("mine")
    with pytest.raises(InputError, match="is there already"):
        build_manifest(Tess(), tess)
    assert built.path.read_text() == "mine"
    build_manifest(Tess(), tess, overwrite=True)
    assert built.path.read_text().startswith("id,audio,text,label,speaker,")


def test_nothing_is_left_behind_where_writing_fails(tess, monkeypatch):
    def fail(*_: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="no space left"):
        build_manifest(Tess(), tess)
    assert sorted(path.suffix for path in tess.iterdir()) == [".wav"] * 4


def test_the_notes_say_what_the_table_cannot(tess):
    built = build_manifest(Tess(), tess)
    notes = json.loads(built.path.with_suffix(".notes.json").read_text())
    assert notes["corpus"] == "tess"
    assert notes["scripted"] is True
    assert notes["notice"] == Tess.notice
    assert notes["counts"] == {"happy": {"all": 2}, "sad": {"all": 2}}
    assert notes["published"]["counts"]["sad"] == [400]
    assert notes["mismatches"] == built.mismatches
    assert "sad: 400 published, 2 here" in notes["mismatches"]


def test_the_wrong_folder(tess, tmp_path):
    with pytest.raises(InputError) as error:
        build_manifest(EmoDb(), tmp_path)
    said = str(error.value)
    assert "nothing of EmoDB (variant 7way)" in said
    assert "found folders TESS; files: 4 .wav" in said
    assert "OAF_dog_sad.wav: not a name of EmoDB (speaker, sentence, emotion, version, as 03a01Fa)" in said
    assert "Expected: wav/03a01Fa.wav" in said
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="found folders none; files: none"):
        build_manifest(EmoDb(), tmp_path / "empty")


@pytest.mark.parametrize(
    ("root", "options", "says"),
    [
        ("nowhere", {}, "no such folder"),
        ("corpus.zip", {}, "is a file: unpack it, and give the folder"),
        ("TESS", {"output": "manifest.parquet"}, "expected a name that ends in .csv"),
        ("TESS", {"unusable": "drop"}, "unusable: expected refuse or skip, got 'drop'"),
    ],
)
def test_arguments_are_checked_first(tess, tmp_path, root, options, says):
    (tmp_path / "corpus.zip").write_bytes(b"PK")
    with pytest.raises(InputError, match=says):
        build_manifest(Tess(), tmp_path / root, **options)


def test_audio_is_only_looked_at_if_asked(tess):
    (tess / "OAF_dog_sad.wav").write_bytes(b"RIFF")
    with pytest.raises(InputError, match="OAF_dog_sad"):
        build_manifest(Tess(), tess)
    built = build_manifest(Tess(), tess, check_audio=False)
    assert built.hours is None
    assert len(built.frame) == 4


@pytest.mark.parametrize("name", NAMES)
def test_every_corpus_says_what_must_be_known(name):
    corpus = corpus_of(name)
    assert corpus.name == name
    assert all([corpus.title, corpus.citation, corpus.licence, corpus.layout])
    assert not corpus.scripted or "scripted" in (corpus.notice or "")
    assert not corpus.scripted or "modalities=[speech]" in corpus.train
    for variant, published in corpus.variants.items():
        assert type(corpus)(variant=variant).published == published
        lengths = {len(counts) for counts in published.counts.values()} if published else {1}
        assert lengths <= {1, 3}
        assert len(lengths) == 1
    first, *_ = corpus.variants
    assert f"Variants: {first}" in (conf_folder() / "corpus" / f"{name}.yaml").read_text()
    with pytest.raises(InputError, match="variant: expected"):
        type(corpus)(variant="9way")


@pytest.mark.parametrize("name", NAMES)
def test_every_corpus_has_its_data_configuration(name):
    """`data=<name>` shows the same notice and takes the columns that `emofuse manifest` writes."""
    corpus = corpus_of(name)
    register_resolvers()
    with initialize_config_dir(str(conf_folder()), version_base="1.3"):
        data = compose("train", overrides=[f"data={name}", *corpus.train]).data
    assert data.notice == corpus.notice
    assert data.path.endswith(f"{name}/manifest.csv")
    assert data.extra_columns in ("*", list(corpus.extra))


@pytest.mark.parametrize(("corpus", "folder"), [(EmoDb(variant="4way"), "emodb"), (Ravdess(), "ravdess")])
def test_the_real_clips_are_read_as_they_are_known_to_be(shared_data, tmp_path, corpus, folder):
    """The same rows as the manifests that lie with these clips, made by others."""
    built = build_manifest(corpus, shared_data / folder, tmp_path / "m.csv")
    ours = read_manifest(built.path, extra_columns="*", check_audio=False).set_index("id").sort_index()
    theirs = pd.read_csv(shared_data / folder / "manifest.csv", dtype=str).set_index("id").sort_index()
    assert built.mismatches == []
    assert built.problems == []
    assert ours["text"].map(normalise).tolist() == theirs["text"].map(normalise).tolist()
    columns = [name for name in theirs.columns if name not in ("audio", "text")]
    pd.testing.assert_frame_equal(ours[columns].astype(str), theirs[columns].astype(str), check_dtype=False)
