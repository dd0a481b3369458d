from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig

from extractors.errors import InputError
from fusion.configuration import conf_folder, register_resolvers
from fusion.explore.collection import Collection
from fusion.explore.opening import clip_named, open_vectors
from fusion.explore.search import ExactRows, Searcher
from fusion.explore.sources import BundleVectors, EncoderVectors, FileVectors, VectorSource
from fusion.explore.space import Space


@pytest.fixture
def config(tmp_path, monkeypatch):
    """conf/similar.yaml with overrides, on a store of the test's own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EMOFUSE_STORE", str(tmp_path / "store"))
    register_resolvers()

    def build(*overrides: str) -> DictConfig:
        with initialize_config_dir(str(conf_folder()), version_base="1.3"):
            return compose("similar", overrides=["speech=acoustic", *overrides])

    return build


@pytest.fixture
def opened(config, voices) -> tuple[VectorSource, Collection]:
    source = open_vectors(config("data.path=voices.csv"))
    return source, source.collect()


def test_a_manifest_an_encoder_a_folder_and_a_bundle(config, voices, bundle, tmp_path):
    assert isinstance(open_vectors(config("data.path=voices.csv")), EncoderVectors)
    assert open_vectors(config()).source is None
    fused = open_vectors(config("data.path=voices.csv", f"bundle={bundle}"))
    assert isinstance(fused, BundleVectors)
    assert fused.maker.name == "fused by my-run"
    (tmp_path / "out").mkdir()
    np.save(tmp_path / "out" / "clip 1.npy", np.ones(4, np.float32))
    files = open_vectors(config("data.path=voices.csv", "vectors=out", "vectors_model=mine"))
    assert isinstance(files, FileVectors)
    assert files.collect().column("speaker") == ["ben"]
    read = open_vectors(config("data.path=voices.csv", "modality=text"))
    assert read.maker.modality == "text"


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["vectors=x", "bundle=y"], "expected vectors= or bundle=, got both"),
        (["bundle=y"], "a bundle's embeddings need clips"),
        (["modality=face"], "modality: expected speech or text, got 'face'"),
        (["data=features", "data.path=x.npz"], "expected a manifest of clips"),
        (["vectors=nowhere"], "nowhere is not there"),
        (["bundle=nowhere", "data.path=voices.csv"], "nowhere is not a bundle"),
    ],
)
def test_what_cannot_be_opened(overrides, words, config, voices):
    with pytest.raises(InputError) as refused:
        open_vectors(config(*overrides)).collect()
    assert words in str(refused.value)


def test_a_clip_by_its_id_its_file_and_an_array(opened, voices, monkeypatch):
    source, clips = opened
    by_id = clip_named("clip 2", source, clips).vector
    np.testing.assert_array_equal(by_id, clips.vectors[2])
    np.testing.assert_array_equal(clip_named(voices.parent / "2.wav", source, clips).vector, by_id)
    np.save(voices.parent / "mine.npy", by_id)
    np.testing.assert_array_equal(clip_named("mine.npy", source, clips).vector, by_id)
    monkeypatch.setenv("HOME", str(voices.parent))
    np.testing.assert_array_equal(clip_named("~/2.wav", source, clips).vector, by_id)


def test_a_silent_row_is_not_compared_and_a_share_of_rows_may_fail(config, voices):
    soundfile.write(voices.parent / "silent.wav", np.zeros(8_000), 16_000)
    (voices.parent / "short.wav").write_bytes((voices.parent / "silent.wav").read_bytes()[:60])
    with voices.open("a") as table:
        table.write("hush,silent.wav,,low,ann,,\nbroken,short.wav,,low,ann,,\n")
    overrides = ("data.path=voices.csv", "data.check_audio=false")
    with pytest.raises(InputError, match=r"1 of 7 clips failed; max_failed=0\.05"):
        open_vectors(config(*overrides)).collect()
    source = open_vectors(config(*overrides, "max_failed=0.3"))
    clips = source.collect()
    assert "broken" not in clips.ids
    for frames in (False, True):
        with pytest.raises(InputError, match=r"silent\.wav is silent"):
            clip_named("hush", source, clips, frames=frames)
    search = Searcher(ExactRows(clips, Space.fit(clips.vectors, fingerprint=clips.maker.fingerprint)), source)
    with pytest.raises(InputError, match=r"silent\.wav is silent"):
        search("hush")
    (voices.parent / "silent.wav").unlink()
    assert clip_named("hush", source, clips).vector.shape == (source.maker.dim,)  # nobody can tell


def test_frames_of_a_span_are_the_spans(opened, voices):
    source, clips = opened
    whole, span = (clip_named(name, source, clips, frames=True).frames for name in ("clip 0", "clip 0 end"))
    assert (len(whole), len(span)) == (26, 13)  # 0.5 s and 0.25 s at 50 Hz


def test_an_id_that_is_also_a_file_is_the_id(opened, voices):
    source, clips = opened
    (voices.parent / "clip 1").write_bytes((voices.parent / "3.wav").read_bytes())
    np.testing.assert_array_equal(clip_named("clip 1", source, clips).vector, clips.vectors[1])


@pytest.mark.parametrize("name", ["clip 9", "nowhere.wav", "words only"])
def test_a_clip_that_is_not_there(name, opened):
    with pytest.raises(InputError, match=f"{name}: no such file, and no id of the 5 clips"):
        clip_named(name, *opened)


def test_any_text_is_a_query_where_texts_are_read_and_a_file_that_is_not_there_is_none(config, voices):
    source = open_vectors(config("data.path=voices.csv", "modality=text"))
    for text in ("I have been waiting", "~nobody said a word", "so " * 2000, "what?", "7"):
        vector = clip_named(text, source, None).vector
        assert vector.shape == (source.maker.dim,)
        np.testing.assert_array_equal(vector, source.embed(text=str(text)).vector)
    with pytest.raises(InputError, match=r"gone\.wav: no such file"):
        clip_named(Path("gone.wav"), source, None)
