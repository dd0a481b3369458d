"""What notebooks hand over, and what becomes of it before the encoder."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from extractors import Emotion2vecExtractor, InputError
from extractors.audio import load_audio
from extractors.clips import ClipsError
from extractors.conditioning import Conditioning
from extractors.emotion2vec import inputs
from extractors.emotion2vec.inputs import read_clips
from extractors.fingerprint import fingerprint

SAMPLES = Path(__file__).parents[3] / "samples" / "audio"
SECOND = 16_000

MakeClip = Callable[..., np.ndarray]


@pytest.fixture(scope="module")
def voice() -> np.ndarray:
    return load_audio(min(SAMPLES.glob("*.flac")))


def test_in_a_notebook(checkpoint: Path, tmp_path: Path, clip: MakeClip) -> None:
    """As the README has it: a model, clips of any kind, frames; no Hydra, no store."""
    soundfile.write(tmp_path / "a.wav", clip(1.0), 16_000, subtype="FLOAT")
    soundfile.write(tmp_path / "b.flac", np.stack([clip(2.0, 1)] * 2, axis=1), 16_000)
    extractor = Emotion2vecExtractor(str(checkpoint))
    clips = [str(tmp_path / "a.wav"), clip(0.5, 2), tmp_path / "b.flac"]
    found = extractor.extract(clips, granularity="frame")
    assert [embedding.frames.shape for embedding in found] == [(49, 64), (24, 64), (99, 64)]
    for embedding in found:
        assert embedding.vector.shape == (64,)
        assert embedding.scores.shape == (len(embedding.labels),) == (9,)
        assert embedding.start == 0.0
    again = extractor.extract((one for one in clips), granularity="frame")  # any iterable will do
    np.testing.assert_array_equal(again[2].frames, found[2].frames)


def test_a_lone_clip_is_not_taken_apart(extractor: Emotion2vecExtractor, tmp_path: Path, clip: MakeClip) -> None:
    for lone in ("call.wav", tmp_path / "call.wav", clip(1.0), np.zeros((2, SECOND), np.float32), 3):
        with pytest.raises(InputError, match=r"expected a list of clips, got one .*\n.*pass \[clip\]"):
            extractor.extract(lone)


def test_few_long_files_are_decoded_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many there are: memory follows their length, not their number."""
    monkeypatch.setattr(inputs, "AHEAD_SAMPLES", 10 * SECOND)
    lock, held, most = threading.Lock(), 0, 0

    def load(path: Path) -> np.ndarray:
        nonlocal held, most
        with lock:
            held += 1
            most = max(most, held)
        return np.zeros(4 * SECOND, np.float32)

    monkeypatch.setattr(inputs, "load_audio", load)
    for _ in read_clips([f"{number}.wav" for number in range(20)], Conditioning()):
        with lock:
            held -= 1
    assert most <= 3  # 12 s: two ahead, one in use


def test_gain_and_trimming(checkpoint: Path, voice: np.ndarray, tmp_path: Path) -> None:
    """Arrays and files alike; frames say where in the whole clip they begin."""
    wave = np.pad(voice, (2 * SECOND, SECOND)) * np.float32(0.1)
    soundfile.write(tmp_path / "a.wav", wave, 16_000, subtype="FLOAT")
    extractor = Emotion2vecExtractor(checkpoint, device="cpu", loudness=-23.0, trim_silence=True)
    plan = extractor.conditioning.plan(wave)
    treated = plan.apply(wave)
    (expected,) = Emotion2vecExtractor(checkpoint, device="cpu").extract([treated], frames=True)
    for found in extractor.extract([wave, tmp_path / "a.wav"], frames=True):
        assert found.start == plan.start / SECOND == pytest.approx(1.9, abs=0.15)
        assert round(found.start / 0.02, 9).is_integer()
        assert len(found.frames) == (len(treated) - 400) // 320 + 1
        np.testing.assert_allclose(found.frames, expected.frames, atol=1e-5)


def test_silent_clips_are_named_where_silence_is_trimmed(checkpoint: Path, voice: np.ndarray, tmp_path: Path) -> None:
    extractor = Emotion2vecExtractor(checkpoint, device="cpu", trim_silence=True)
    soundfile.write(tmp_path / "silent.wav", np.zeros(SECOND), 16_000)
    with pytest.raises(ClipsError) as error:
        extractor.extract([voice, np.zeros(SECOND, np.float32), tmp_path / "silent.wav", voice[:100]])
    reasons = error.value.reasons
    assert sorted(reasons) == [1, 2, 3]
    assert reasons[1].startswith("holds no speech")
    assert reasons[2].startswith(f"{tmp_path / 'silent.wav'}: holds no speech")
    assert "too short" in reasons[3]


def test_only_what_is_on_is_in_the_fingerprint(checkpoint: Path, extractor: Emotion2vecExtractor) -> None:
    """Vectors stored before there were layers, gain and trimming are found again."""
    described = extractor.describe()
    known = ("extractor", "code_version", "weight_hash", "config_hash", "precision", "window_seconds", "window",
             "sample_rate", "resampler")  # fmt: skip
    assert extractor.fingerprint == fingerprint({name: described[name] for name in known})
    changed = [{"loudness": -23.0}, {"trim_silence": True}, {"window": "vad"}, {"layer": 0}]
    others = {Emotion2vecExtractor(checkpoint, device="cpu", **setting).fingerprint for setting in changed}
    assert len(others | {extractor.fingerprint}) == 5
