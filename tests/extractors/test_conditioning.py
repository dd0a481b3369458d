"""Gain and trimming: what they do, what they leave alone, and that they are known by their fingerprint."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from extractors.acoustic import AcousticExtractor
from extractors.audio import load_audio
from extractors.conditioning import NO_SPEECH, Conditioning, NoSpeechError, Treatment
from extractors.errors import InputError, MissingExtraError
from extractors.loudness import integrated_loudness
from extractors.pipeline import extract_to_store
from extractors.store import EmbeddingStore
from extractors.types import Clip

SAMPLES = Path(__file__).parents[2] / "samples" / "audio"
SECOND = 16_000


@pytest.fixture(scope="module")
def voice() -> np.ndarray:
    """A synthetic voice of about 1.5 s, without silence around it."""
    return load_audio(min(SAMPLES.glob("*.flac")))


@pytest.fixture(scope="module")
def padded(voice: np.ndarray) -> Callable[[float, float], np.ndarray]:
    """padded(before, after): the voice with seconds of silence around it."""

    def pad(before: float, after: float) -> np.ndarray:
        return np.pad(voice, (round(before * SECOND), round(after * SECOND)))

    return pad


@pytest.mark.parametrize("gain", [0.03, 0.1, 1.0, 2.0])
@pytest.mark.parametrize("target", [-23.0, -30])
def test_clips_come_to_the_loudness_asked_for(voice: np.ndarray, gain: float, target: float) -> None:
    wave = np.float32(gain) * voice
    treated = Conditioning(loudness=target).plan(wave).apply(wave)
    assert integrated_loudness(treated) == pytest.approx(target, abs=0.01)
    assert treated.dtype == np.float32
    np.testing.assert_allclose(treated / np.abs(treated).max(), voice / np.abs(voice).max(), atol=1e-5)


def test_no_gain_goes_beyond_full_scale(voice: np.ndarray) -> None:
    wave = 0.01 * voice
    treated = Conditioning(loudness=-5.0).plan(wave).apply(wave)
    assert np.abs(treated).max() == pytest.approx(1.0, abs=1e-6)
    assert integrated_loudness(treated) < -5.5


@pytest.mark.parametrize("samples", [400, 48_000])
def test_silence_stays_silence(samples: int) -> None:
    wave = np.zeros(samples, np.float32)
    assert Conditioning(loudness=-23.0).plan(wave) == Treatment(0, samples, 1.0)


def test_nothing_is_done_by_default(voice: np.ndarray) -> None:
    conditioning = Conditioning()
    assert conditioning.settings() == {}
    assert conditioning.plan(voice).apply(voice).base is voice  # not even a copy


@settings(max_examples=10, deadline=None)
@given(before=st.floats(0, 3), after=st.floats(0, 3))
def test_silence_goes_and_speech_stays(before: float, after: float) -> None:
    voice = load_audio(min(SAMPLES.glob("*.flac")))
    wave = np.pad(voice, (round(before * SECOND), round(after * SECOND)))
    plan = Conditioning(trim_silence=True).plan(wave)
    first, last = round(before * SECOND), round(before * SECOND) + len(voice)
    assert plan.start % 320 == 0  # frames stay on the 20 ms grid of the whole clip
    assert first - 0.25 * SECOND <= plan.start <= first + 0.1 * SECOND
    assert last - 0.2 * SECOND <= plan.stop <= min(len(wave), last + 0.25 * SECOND)
    np.testing.assert_array_equal(plan.apply(wave), wave[plan.start : plan.stop])


def test_pauses_between_stay(voice: np.ndarray) -> None:
    wave = np.concatenate([np.zeros(SECOND), voice, np.zeros(3 * SECOND), voice, np.zeros(SECOND)]).astype(np.float32)
    plan = Conditioning(trim_silence=True).plan(wave)
    assert plan.stop - plan.start > 2 * len(voice) + 2.7 * SECOND


def test_faint_speech_is_heard_after_the_gain(padded: Callable[[float, float], np.ndarray]) -> None:
    faint = np.float32(1e-3) * padded(1.0, 1.0)
    with pytest.raises(NoSpeechError):
        Conditioning(trim_silence=True).plan(faint)
    # at -23 LUFS the clip itself is what it was; only below the gate of -70 LUFS would it stay faint
    louder = np.float32(10) * faint
    plan = Conditioning(trim_silence=True, loudness=-23.0).plan(louder)
    assert plan.gain > 10
    assert plan.start == pytest.approx(0.9 * SECOND, abs=0.15 * SECOND)


def test_a_clip_without_speech_is_refused_with_its_reason() -> None:
    with pytest.raises(NoSpeechError) as error:
        Conditioning(trim_silence=True).plan(np.zeros(SECOND, np.float32))
    assert error.value.reason.startswith("holds no speech")
    assert "trim_silence=false" in str(error.value)


def test_settings_that_cannot_be() -> None:
    for value in (3.0, -61, float("nan"), True, "-23"):
        with pytest.raises(InputError, match="loudness: expected null or LUFS from -60 to -5"):
            Conditioning(loudness=value)
    with pytest.raises(InputError, match="trim_silence: expected true or false, got 1"):
        Conditioning(trim_silence=1)


def test_trimming_names_the_extra_that_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    from extractors import vad

    vad.speech_detector.cache_clear()
    monkeypatch.setattr(vad, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"emofuse\[vad\]"):
        AcousticExtractor(trim_silence=True)
    AcousticExtractor(loudness=-23.0)


def test_the_acoustic_baseline_hears_no_level_any_more(voice: np.ndarray) -> None:
    plain, even = AcousticExtractor(), AcousticExtractor(loudness=-23.0)
    clips = [voice, np.float32(0.1) * voice]
    energy = plain.feature_names.index("energy.mean")
    one, other = (embedding.vector for embedding in plain.extract(clips))
    assert one[energy] - other[energy] == pytest.approx(20.0, abs=0.5)  # dB
    one, other = (embedding.vector for embedding in even.extract(clips))
    np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-2)


def test_the_acoustic_baseline_trims(voice: np.ndarray, padded: Callable[[float, float], np.ndarray]) -> None:
    trimming = AcousticExtractor(trim_silence=True)
    found, other = trimming.extract([padded(2.0, 0.0), padded(0.5, 2.5)])
    assert found.start == pytest.approx(1.9, abs=0.15)
    assert other.start == pytest.approx(0.4, abs=0.15)
    with pytest.raises(InputError) as error:
        trimming.extract([voice, np.zeros(SECOND, np.float32), voice[:100]])
    assert [problem.partition(":")[0] for problem in error.value.problems] == ["clip 1", "clip 2"]
    assert "holds no speech" in error.value.problems[0]


def test_a_silent_file_is_a_listed_failure(voice: np.ndarray, tmp_path: Path) -> None:
    clips = []
    for name, wave in {"a": voice, "silent": np.zeros(SECOND), "b": -voice}.items():
        soundfile.write(tmp_path / f"{name}.wav", wave, SECOND)
        clips.append(Clip(name, audio=tmp_path / f"{name}.wav"))
    extractor = AcousticExtractor(trim_silence=True)
    done = extract_to_store(clips, extractor, EmbeddingStore(tmp_path / "store"), max_failed=0.5, progress=False)
    assert [(failure.id, failure.reason) for failure in done.failed] == [("silent", NO_SPEECH)]
    assert (done.new, done.keys[1]) == (2, None)


def test_fingerprints() -> None:
    """Off, they are what they were before there was such a step; each setting that is on gives another."""
    plain = AcousticExtractor()
    assert set(plain.describe()) == {"name", "version", "librosa", "resampler", "pitch_min", "pitch_max", "dim"}
    assert AcousticExtractor(loudness=None, trim_silence=False).fingerprint == plain.fingerprint
    assert AcousticExtractor(loudness=-23).fingerprint == AcousticExtractor(loudness=-23.0).fingerprint
    others = [
        AcousticExtractor(loudness=-23.0),
        AcousticExtractor(loudness=-20.0),
        AcousticExtractor(trim_silence=True),
        AcousticExtractor(trim_silence=True, loudness=-23.0),
    ]
    assert len({plain.fingerprint, *(other.fingerprint for other in others)}) == 5
    said = json.loads(json.dumps(others[-1].describe()))
    assert said["loudness"] == -23.0
    assert said["trim_silence"]["model"] == "silero-vad"
