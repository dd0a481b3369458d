"""A recording decoded once gives the spans that decoding each would."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile

import extractors.decode
from extractors.audio import AudioError, load_audio
from extractors.decoded import DecodedFile
from extractors.pipeline import extract_to_store
from extractors.store import EmbeddingStore
from extractors.types import Clip, Embedding


def noise(seconds: float, rate: int, channels: int = 1, scale: float = 0.2) -> np.ndarray:
    return np.random.default_rng(7).normal(scale=scale, size=(round(seconds * rate), channels)).astype(np.float32)


@pytest.mark.parametrize("rate", [8_000, 16_000, 22_050, 44_100])
@pytest.mark.parametrize(("suffix", "subtype"), [("wav", "PCM_16"), ("flac", "PCM_24"), ("wav", "FLOAT")])
def test_spans_equal_those_that_are_decoded_alone(tmp_path, rate, suffix, subtype):
    path = tmp_path / f"x.{suffix}"
    soundfile.write(path, np.clip(noise(3, rate, 2), -1, 1), rate, subtype=subtype)
    recording = DecodedFile(path)
    assert recording.duration == pytest.approx(3)
    for start, end in [(None, None), (0.0, 0.5), (0.333, 1.777), (2.5, None), (2.5, 3.05)]:
        alone = load_audio(path, start, end)
        cut = recording.span(start, end)
        assert cut.shape == alone.shape
        assert cut.dtype == np.float32
        np.testing.assert_allclose(cut, alone, atol=3e-6)


def test_a_float_file_beyond_full_scale_has_each_span_at_its_own_level(tmp_path):
    samples = noise(2, 16_000, scale=0.1)
    samples[20_000] = 4.0  # in the second half alone
    soundfile.write(tmp_path / "x.wav", samples, 16_000, subtype="FLOAT")
    recording = DecodedFile(tmp_path / "x.wav")
    for start, end in [(0.0, 1.0), (1.0, 2.0)]:
        np.testing.assert_array_equal(recording.span(start, end), load_audio(tmp_path / "x.wav", start, end))


@pytest.mark.parametrize(("start", "end"), [(1.0, 1.01), (0.5, 9.0), (5.0, None), (0.9999, None), (0.7, 0.2)])
def test_the_same_spans_are_refused(tmp_path, start, end):
    soundfile.write(tmp_path / "x.wav", noise(1, 16_000), 16_000)
    with pytest.raises(AudioError) as alone:
        load_audio(tmp_path / "x.wav", start, end)
    with pytest.raises(AudioError) as cut:
        DecodedFile(tmp_path / "x.wav").span(start, end)
    assert cut.value.reason == alone.value.reason


class Mean:
    name, modality, dim, frame_rate, fingerprint = "mean", "speech", 1, None, "a1"

    def describe(self):
        return {"name": self.name}

    def extract(self, clips, *, frames=False):
        return [Embedding(np.array([samples.mean()], np.float32)) for samples in clips]


def test_extraction_decodes_no_file_that_is_in_memory(tmp_path, monkeypatch):
    for name, scale in (("a.wav", 0.2), ("b.wav", 0.1)):
        soundfile.write(tmp_path / name, noise(2, 16_000, scale=scale), 16_000)
    decoded = []

    def counted(path, start=None, end=None):
        decoded.append(path)
        return load_audio(path, start, end)

    monkeypatch.setattr(extractors.decode, "load_audio", counted)
    clips = [
        Clip(f"{name}{start}", tmp_path / name, None, start, start + 0.5)
        for name in ("a.wav", "b.wav")
        for start in (0.0, 0.7, 1.5)
    ]
    store, alone = EmbeddingStore(tmp_path / "store"), EmbeddingStore(tmp_path / "alone")
    done = extract_to_store(clips, Mean(), store, decoded=[DecodedFile(tmp_path / "a.wav")])
    assert decoded == [str(tmp_path / "b.wav")] * 3
    twice = extract_to_store(clips, Mean(), alone)
    assert done.keys == twice.keys, "what is stored is known by its content, however it was read"
    np.testing.assert_allclose(store.read_vectors(done.keys), alone.read_vectors(done.keys), atol=1e-6)
