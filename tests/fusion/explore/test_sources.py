from __future__ import annotations

import json
import shutil
import tracemalloc
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile

from extractors import AcousticExtractor, EmbeddingStore, SentenceTransformerExtractor
from extractors.errors import InputError
from fusion.data.sources import ManifestSource
from fusion.explore.sources import BundleVectors, EncoderVectors, FileVectors, array_embedding, audible
from fusion.predictor import Predictor


@pytest.fixture
def store(tmp_path: Path) -> EmbeddingStore:
    return EmbeddingStore(tmp_path / "store")


def heard(voices: Path | None, store: EmbeddingStore, **options) -> EncoderVectors:
    source = None if voices is None else ManifestSource(path=voices, require_label=False, **options)
    return EncoderVectors(source, build=AcousticExtractor, store=store)


# -- an encoder and its store -------------------------------------------------------------------------------------


def test_a_manifest_becomes_a_collection_without_the_rows_that_nobody_spoke(voices, store):
    clips = heard(voices, store).collect()
    assert clips.ids == ("clip 0", "clip 1", "clip 2", "clip 3", "clip 0 end")
    assert clips.vectors.shape == (5, 185)
    assert clips.column("label") == ["low", "low", "high", "high", "low"]
    assert clips.column("start") == [None, None, None, None, 0.2]
    assert (clips.maker.name, clips.maker.modality, clips.scores) == ("acoustic", "speech", None)
    np.testing.assert_array_equal(clips.vectors, store.read_vectors(clips.keys))


def test_the_whole_store_comes_without_metadata(voices, store):
    filled = heard(voices, store).collect()
    clips = heard(None, store).collect()
    assert sorted(clips.keys) == sorted(filled.keys)
    assert clips.ids == clips.keys
    assert clips.column("label") == [None] * 5
    place = [clips.keys.index(key) for key in filled.keys]
    np.testing.assert_array_equal(clips.vectors[place], filled.vectors)


def test_an_empty_store_says_so_and_what_it_has(voices, store):
    with pytest.raises(InputError, match="has no vectors of acoustic") as refused:
        heard(None, store).collect()
    assert "It has nothing" in str(refused.value)
    heard(voices, store).collect()
    other = EncoderVectors(None, build=lambda: AcousticExtractor(pitch_max=400), store=store)
    with pytest.raises(InputError, match=r"It has acoustic.*\(5\)"):
        other.collect()


def test_a_query_has_the_vector_that_the_manifest_has(voices, store):
    source = heard(voices, store)
    clips = source.collect()
    path = voices.parent / "0.wav"
    np.testing.assert_array_equal(source.embed(audio=path).vector, clips.vectors[0])
    np.testing.assert_array_equal(source.embed(audio=path, start=0.2, end=0.45).vector, clips.vectors[4])
    np.save(voices.parent / "mine.npy", clips.vectors[2])
    np.testing.assert_array_equal(source.embed(audio=voices.parent / "mine.npy").vector, clips.vectors[2])


def test_silence_and_words_are_nothing_to_hear(voices, store, tmp_path):
    soundfile.write(tmp_path / "silent.wav", np.zeros(8000), 16_000)
    with pytest.raises(InputError, match=r"silent\.wav is silent"):
        heard(voices, store).embed(audio=tmp_path / "silent.wav")
    with pytest.raises(InputError, match="is silent"):
        audible(tmp_path / "silent.wav", 0.1, 0.3)
    with pytest.raises(InputError, match="expected an audio file, got a text"):
        heard(voices, store).embed(text="hello")


def test_texts_are_read(voices, store):
    source = EncoderVectors(
        ManifestSource(path=voices, require_label=False), build=SentenceTransformerExtractor, store=store
    )
    clips = source.collect()
    assert clips.ids == ("clip 0", "clip 1", "clip 2", "clip 3", "words only")  # the span has no words
    np.testing.assert_allclose(source.embed(text="words 2").vector, clips.vectors[2], atol=1e-6)
    assert source.frames_of(clips, 4).frames.shape[1] == source.extractor.dim
    for nothing in ("  ", None):
        with pytest.raises(InputError, match="there is none to read"):
            source.embed(text=nothing)


def test_frames_come_from_the_store_or_are_computed(voices, store, monkeypatch):
    source = heard(voices, store)
    clips = source.collect()
    computed = source.frames_of(clips, 4)
    np.testing.assert_array_equal(computed.vector, clips.vectors[4])
    with pytest.raises(InputError, match="without a manifest nobody knows the clip"):
        heard(None, store).frames_of(heard(None, store).collect(), 0)

    store.put(source.extractor, [clips.keys[4]], [computed])
    whole = heard(None, store).collect()
    kept = heard(None, store).frames_of(whole, whole.ids.index(clips.keys[4]))
    np.testing.assert_array_equal(kept.frames, computed.frames)


# -- a bundle -----------------------------------------------------------------------------------------------------


def test_fused_embeddings_of_rows_and_of_a_query(voices, store, bundle):
    source = BundleVectors(
        ManifestSource(path=voices, require_label=False),
        predictor=Predictor.from_bundle(bundle),
        store=store,
        name="my-run",
    )
    clips = source.collect()
    assert clips.ids == ("clip 0", "clip 1", "clip 2", "clip 3", "clip 0 end")  # the bundle does not read
    assert (clips.maker.name, clips.maker.dim) == ("fused by my-run", clips.vectors.shape[1])
    asked = source.embed(audio=voices.parent / "1.wav").vector
    np.testing.assert_allclose(asked, clips.vectors[1], atol=1e-5)
    with pytest.raises(InputError, match="it has no frames"):
        source.frames_of(clips, 0)
    with pytest.raises(InputError, match="never compared"):
        clips.maker.check_same(heard(voices, store).maker)


# -- files --------------------------------------------------------------------------------------------------------


def test_a_thousand_files_of_frames_stream_at_constant_memory(tmp_path):
    rng = np.random.default_rng(0)
    frames = rng.normal(size=(250, 64)).astype(np.float32)  # 64 kB
    for number in range(1000):
        np.save(tmp_path / f"{number:04}.npy", frames + number)
    source = FileVectors(tmp_path, model="tiny")
    peaks = {}
    for count in (100, 1000):
        source.found, kept = source.found[:count], source.found
        tracemalloc.start()
        clips = source.collect()
        peaks[count] = tracemalloc.get_traced_memory()[1] - clips.vectors.nbytes
        tracemalloc.stop()
        source.found = kept
    assert clips.ids == tuple(f"{number:04}" for number in range(1000))
    np.testing.assert_allclose(clips.vectors, frames.mean(axis=0) + np.arange(1000)[:, None], rtol=1e-4, atol=1e-3)
    # all frames together are 64 MB; what grows with the files is their names
    assert peaks[1000] < 2e6
    assert peaks[1000] - peaks[100] < 900 * 1024


def test_everything_that_is_wrong_is_told_at_once(tmp_path):
    good = np.ones(8, np.float32)
    np.save(tmp_path / "a vector.npy", good)
    np.save(tmp_path / "a vector with an axis.npy", good[None])
    np.save(tmp_path / "frames.npy", np.ones((5, 8), np.float16))
    np.save(tmp_path / "doubles.npy", np.ones(8))
    np.save(tmp_path / "cube.npy", np.ones((2, 3, 8), np.float32))
    np.save(tmp_path / "empty.npy", np.ones((0, 8), np.float32))
    np.save(tmp_path / "integers.npy", np.ones(8, np.int64))
    np.save(tmp_path / "nan.npy", np.where(np.arange(8) == 3, np.nan, good))
    np.save(tmp_path / "too large.npy", np.full(8, 1e300))
    np.save(tmp_path / "wide.npy", np.ones(9, np.float32))
    np.save(tmp_path / "0 pickle.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    (tmp_path / "0 text.npy").write_text("no array")
    np.save(tmp_path / "short.npy", good)
    whole = (tmp_path / "short.npy").read_bytes()
    (tmp_path / "short.npy").write_bytes(whole[:-4])
    np.save(tmp_path / "foreign.npy", good)
    (tmp_path / "scores.jsonl").write_text(json.dumps({"key": "foreign", "model": "iic/emotion2vec_plus_base"}) + "\n")
    with pytest.raises(InputError) as refused:
        FileVectors(tmp_path, model="hub/tiny").collect()
    said = refused.value
    assert "10 of 14 files cannot be used" in said.summary
    told = {problem.split(".npy: ")[0]: problem.split(".npy: ")[1] for problem in said.problems}
    assert sorted(told) == sorted(
        ["cube", "empty", "integers", "nan", "too large", "wide", "0 pickle", "0 text", "short", "foreign"]
    )
    assert "expected (8,), (1, 8) or (frames, 8)" in told["cube"]
    assert "(9,)" in told["wide"]
    assert "no frames" in told["empty"]
    assert "int64: expected float16, float32 or float64" in told["integers"]
    assert "1 values are NaN" in told["nan"]
    assert "8 values are NaN, infinite or beyond float32" in told["too large"]
    assert "a pickle" in told["0 pickle"]
    assert "is no .npy file" in told["0 text"]
    assert told["foreign"] == "is of emotion2vec_plus_base, not of tiny"


def test_a_pickle_is_never_run(tmp_path):
    class Bomb:
        def __reduce__(self):
            return Path.touch, (tmp_path / "ran",)

    np.save(tmp_path / "bomb.npy", np.array([Bomb()], dtype=object), allow_pickle=True)
    with pytest.raises(InputError, match=r"1 files? cannot be used|none of 1 files|1 of 1 files"):
        FileVectors(tmp_path, model="tiny").collect()
    assert not (tmp_path / "ran").exists()


def test_the_width_is_the_models_or_that_of_most_files(tmp_path):
    np.save(tmp_path / "a.npy", np.ones(3, np.float32))
    for name in "bcd":
        np.save(tmp_path / f"{name}.npy", np.ones(5, np.float32))
    with pytest.raises(InputError, match="1 of 4 files") as refused:
        FileVectors(tmp_path, model="mine").collect()
    assert refused.value.problems == ("a.npy: shape (3,), float32: expected (5,), (1, 5) or (frames, 5)",)
    with pytest.raises(InputError, match="4 of 4 files"):  # nothing of five values came from that model
        FileVectors(tmp_path, model="iic/emotion2vec_plus_large").collect()
    assert FileVectors(tmp_path, model="mine", dim=3).dim == 3


def test_files_with_a_manifest_and_their_frames(tmp_path):
    folder = tmp_path / "vectors"
    folder.mkdir()
    frames = np.arange(12, dtype=np.float32).reshape(4, 3)
    np.save(folder / "one.npy", frames)
    np.save(folder / "two.npy", frames[0])
    table = pd.DataFrame({"id": ["two", "one", "three"], "label": ["sad", None, "glad"]})
    source = FileVectors(folder, model="mine", metadata=table)
    clips = source.collect()
    assert (clips.ids, clips.column("label")) == (("one", "two"), [None, "sad"])
    np.testing.assert_array_equal(source.frames_of(clips, 0).frames, frames)
    assert source.frames_of(clips, 1).frames is None
    with pytest.raises(InputError, match="1 files are of no row of the manifest") as refused:
        FileVectors(folder, model="mine", metadata=table[table["id"] != "two"]).collect()
    assert refused.value.problems == ("two",)


def test_two_models_of_files_are_never_compared(tmp_path):
    np.save(tmp_path / "x.npy", np.ones(3, np.float32))
    one, other = (FileVectors(tmp_path, model=model).maker for model in ("iic/mine", "yours"))
    one.check_same(FileVectors(tmp_path, model="mine").maker)
    with pytest.raises(InputError, match="never compared"):
        one.check_same(other)


def test_queries_of_files(tmp_path):
    np.save(tmp_path / "x.npy", np.ones(3, np.float32))
    np.save(tmp_path / "wide.npy", np.ones(4, np.float32))
    source = FileVectors(tmp_path, model="mine", dim=3)
    assert source.embed(audio=tmp_path / "x.npy").vector.tolist() == [1, 1, 1]
    with pytest.raises(InputError, match=r"expected an \.npy file"):
        source.embed(audio=tmp_path / "x.wav")
    with pytest.raises(InputError, match=r"wide\.npy: shape \(4,\)"):
        source.embed(audio=tmp_path / "wide.npy")
    with pytest.raises(InputError, match=r"y\.npy: no such file"):
        array_embedding(tmp_path / "y.npy", 3, model="mine")


def test_a_query_that_is_said_to_be_of_another_model_is_refused(tmp_path):
    for model, made_by in (("mine", "a" * 32), ("yours", "b" * 32)):
        (tmp_path / model).mkdir()
        np.save(tmp_path / model / "x.npy", np.ones(3, np.float32))
        (tmp_path / model / "export.json").write_text(json.dumps({"model": f"hub/{model}", "fingerprint": made_by}))
    source = FileVectors(tmp_path / "mine", model="mine")
    assert source.embed(audio=tmp_path / "mine" / "x.npy").vector.tolist() == [1, 1, 1]
    with pytest.raises(InputError, match=r"x\.npy: is of yours, not of mine: vectors of different models"):
        source.embed(audio=tmp_path / "yours" / "x.npy")
    file = tmp_path / "mine" / "x.npy"
    assert array_embedding(file, 3, model="tiny", made_by="a" * 32).vector.tolist() == [1, 1, 1]  # its very own
    with pytest.raises(InputError, match=f"is of fingerprint {'a' * 32}, not of mine, fingerprint {'c' * 32}"):
        array_embedding(file, 3, model="mine", made_by="c" * 32)


def test_files_that_were_made_in_two_ways_are_not_put_together(tmp_path):
    for name, made_by in (("one", "a" * 32), ("two", "b" * 32), ("three", "a" * 32)):
        (tmp_path / name).mkdir()
        np.save(tmp_path / name / "embedding.npy", np.ones(3, np.float32))
        (tmp_path / name / "result.json").write_text(json.dumps({"key": name, "model": "mine", "fingerprint": made_by}))
    with pytest.raises(InputError, match="these are of 2 fingerprints") as refused:
        FileVectors(tmp_path, model="mine")
    assert len(refused.value.problems) == 2
    shutil.rmtree(tmp_path / "two")
    assert len(FileVectors(tmp_path, model="mine").collect()) == 2


def test_files_of_another_width_name_the_model_that_they_are_said_to_be_of(tmp_path):
    np.save(tmp_path / "x.npy", np.ones(3, np.float32))
    with pytest.raises(InputError, match=r"emotion2vec_plus_large, whose vectors have 1024 values.*vectors_model="):
        FileVectors(tmp_path, model="emotion2vec_plus_large").collect()
