"""The acoustic baseline: named, finite whatever it hears, deterministic, and as good as it says on real speech."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import recall_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from extractors.acoustic import AcousticExtractor
from extractors.audio import load_audio
from extractors.descriptors import CHUNK, describe_frames
from extractors.errors import InputError
from extractors.types import Extractor

RATE = 16_000


def voice(seconds: float = 1.0, pitch: float = 120.0, level: float = 0.3, glide: float = 0.0) -> np.ndarray:
    """A buzz of ten harmonics, (samples,) float32; `glide` in semitones per second."""
    time = np.arange(round(seconds * RATE)) / RATE
    phase = 2 * np.pi * np.cumsum(pitch * 2 ** (glide * time / 12)) / RATE
    return (level * sum(np.sin(k * phase) / k for k in range(1, 11)) / 2).astype(np.float32)


@pytest.fixture(scope="module")
def extractor() -> AcousticExtractor:
    return AcousticExtractor()


def features(extractor: AcousticExtractor, clip: np.ndarray) -> dict[str, float]:
    [embedding] = extractor.extract([clip])
    return dict(zip(extractor.feature_names, embedding.vector.tolist(), strict=True))


def test_it_is_an_extractor(extractor: AcousticExtractor) -> None:
    assert isinstance(extractor, Extractor)
    [embedding] = extractor.extract([voice()])
    assert embedding.vector.shape == (extractor.dim,) == (len(extractor.feature_names),)
    assert embedding.vector.dtype == np.float32
    assert len(set(extractor.feature_names)) == extractor.dim
    assert embedding.frames is None
    assert embedding.scores is None


@pytest.mark.parametrize("pitch", [75.0, 120.0, 220.0, 420.0])
def test_pitch_is_heard(extractor: AcousticExtractor, pitch: float) -> None:
    found = features(extractor, voice(pitch=pitch))
    assert found["pitch.mean"] == pytest.approx(12 * np.log2(pitch / 27.5), abs=0.3)
    assert found["rhythm.voiced_share"] > 0.8


def test_what_the_names_say(extractor: AcousticExtractor) -> None:
    plain, loud = features(extractor, voice(level=0.05)), features(extractor, voice(level=0.5))
    assert loud["energy.mean"] - plain["energy.mean"] == pytest.approx(20.0, abs=0.1)
    assert features(extractor, voice(glide=6.0))["rhythm.pitch_rise"] == pytest.approx(6.0, abs=1.5)
    assert features(extractor, voice(glide=-6.0))["rhythm.pitch_fall"] == pytest.approx(-6.0, abs=1.5)
    assert features(extractor, voice(glide=6.0))["pitch.trend"] == pytest.approx(6.0, abs=1.0)
    noise = np.random.default_rng(0).normal(0, 0.1, RATE).astype(np.float32)
    assert features(extractor, noise)["rhythm.voiced_share"] < 0.05
    assert features(extractor, noise)["harmonicity.mean"] < features(extractor, voice())["harmonicity.mean"]
    gap = np.concatenate([voice(0.3), np.zeros(RATE // 2, np.float32), voice(0.3)])
    assert features(extractor, gap)["rhythm.active_share"] == pytest.approx(0.55, abs=0.08)
    assert features(extractor, gap)["rhythm.voiced_runs_per_second"] == pytest.approx(2 / 1.1, abs=0.1)


def test_pitch_counts_where_there_is_a_voice_only(extractor: AcousticExtractor) -> None:
    hiss = np.random.default_rng(1).normal(0, 0.1, RATE).astype(np.float32)
    found = features(extractor, np.concatenate([hiss, voice(pitch=120.0)]))
    assert found["pitch.mean"] == pytest.approx(12 * np.log2(120 / 27.5), abs=0.5)
    assert found["energy.std"] > 0.5


def test_silence_around_the_speech_changes_little(extractor: AcousticExtractor) -> None:
    quiet = np.zeros(RATE, np.float32)
    alone, padded = features(extractor, voice()), features(extractor, np.concatenate([quiet, voice(), quiet]))
    for name in ("energy.mean", "mfcc1.mean", "pitch.mean", "rhythm.log_speech_seconds"):
        assert padded[name] == pytest.approx(alone[name], rel=0.05, abs=0.05), name


@pytest.mark.parametrize("samples", [400, 401, 559, 560, 1_024, 4_000])
@pytest.mark.parametrize("kind", ["silence", "dc", "click", "noise", "square", "whisper", "tiny"])
def test_finite_whatever_it_hears(extractor: AcousticExtractor, kind: str, samples: int) -> None:
    noise = np.random.default_rng(samples).uniform(-1, 1, samples)
    click = np.zeros(samples)
    click[samples // 2] = 1.0
    clip = {
        "silence": np.zeros(samples),
        "dc": np.full(samples, 0.5),
        "click": click,
        "noise": noise,
        "square": np.sign(np.sin(np.arange(samples) / 20)),
        "whisper": noise * 1e-3,
        "tiny": noise * 1e-30,
    }[kind]
    [embedding] = extractor.extract([clip.astype(np.float32)])
    assert np.isfinite(embedding.vector).all()
    assert np.abs(embedding.vector).max() < 1e5


def test_frames_every_20_ms(extractor: AcousticExtractor) -> None:
    clip = np.concatenate([np.zeros(RATE // 2, np.float32), voice(0.51, pitch=120.0)])
    [plain], [embedding] = extractor.extract([clip]), extractor.extract([clip], frames=True)
    np.testing.assert_array_equal(embedding.vector, plain.vector)
    assert embedding.frames is not None
    assert extractor.frame_rate == 50
    assert embedding.frames.shape == (51, extractor.frames_dim) == (-(-(len(clip) // 160 + 1) // 2), 31)
    assert embedding.frames.dtype == np.float32
    assert np.isfinite(embedding.frames).all()
    columns = dict(zip(extractor.frame_names, embedding.frames.T, strict=True))
    found = describe_frames(clip, pitch_min=60, pitch_max=500)
    np.testing.assert_allclose(columns["energy"], found.values["energy"].reshape(-1, 2).mean(axis=1), rtol=1e-5)
    quiet, loud = slice(0, 22), slice(28, 48)
    assert (columns["voiced"][quiet] == 0).all()
    assert (columns["pitch"][quiet] == 0).all()
    assert (columns["active"][quiet] == 0).all()
    assert (columns["voiced"][loud] == 1).all()
    assert columns["pitch"][loud] == pytest.approx(12 * np.log2(120 / 27.5), abs=0.5)
    [short] = extractor.extract([np.zeros(400, np.float32)], frames=True)
    assert short.frames is not None
    assert short.frames.shape == (2, 31)


def test_the_same_whatever_stands_beside_it(extractor: AcousticExtractor) -> None:
    clips = [voice(0.4), voice(1.3, 200.0), np.zeros(400, np.float32)]
    together = extractor.extract(clips)
    for clip, embedding in zip(clips, together, strict=True):
        np.testing.assert_array_equal(extractor.extract([clip])[0].vector, embedding.vector)


def test_long_clips_in_chunks_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    clip = voice(2.0, glide=3.0)
    whole = describe_frames(clip, pitch_min=60, pitch_max=500)
    assert CHUNK > 201 == len(whole.active)
    monkeypatch.setattr("extractors.descriptors.CHUNK", 37)
    parts = describe_frames(clip, pitch_min=60, pitch_max=500)
    for name, values in whole.values.items():
        np.testing.assert_allclose(parts.values[name], values, atol=1e-3, err_msg=name)


def test_the_fingerprint_covers_what_changes_the_numbers(extractor: AcousticExtractor) -> None:
    assert extractor.fingerprint == AcousticExtractor().fingerprint
    assert extractor.fingerprint != AcousticExtractor(pitch_max=400).fingerprint
    assert {"librosa", "resampler", "version"} <= extractor.describe().keys()


def test_wrong_input_is_listed(extractor: AcousticExtractor) -> None:
    wrong = [np.zeros(399, np.float32), np.zeros((2, 900), np.float32), np.zeros(900, np.int16), np.full(900, np.nan)]
    with pytest.raises(InputError) as caught:
        extractor.extract([voice(), *wrong])
    assert [problem.split(":")[0] for problem in caught.value.problems] == [f"clip {i}" for i in (1, 2, 3, 4)]
    for limits in ({"pitch_min": 500, "pitch_max": 60}, {"pitch_min": 5}, {"pitch_max": 9_000}):
        with pytest.raises(InputError, match="pitch_min"):
            AcousticExtractor(**limits)


def unweighted_recall(extractor: AcousticExtractor, folder: Path) -> float:
    """A linear model on the features, leave one speaker out."""
    with (folder / "manifest.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    vectors = np.stack([e.vector for e in extractor.extract([load_audio(folder / row["audio"]) for row in rows])])
    labels, speakers = np.array([row["label"] for row in rows]), np.array([row["speaker"] for row in rows])
    guesses = np.empty_like(labels)
    for speaker in np.unique(speakers):
        held = speakers == speaker
        model = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, class_weight="balanced", max_iter=500))
        guesses[held] = model.fit(vectors[~held], labels[~held]).predict(vectors[held])
    return float(recall_score(labels, guesses, average="macro"))


@pytest.mark.slow
def test_real_emotions_are_told_apart(extractor: AcousticExtractor, shared_data: Path) -> None:
    """eGeMAPS and a linear SVM reach 0.76 on these clips."""
    assert unweighted_recall(extractor, shared_data / "emodb") >= 0.80


@pytest.mark.slow
def test_real_emotions_of_more_speakers(extractor: AcousticExtractor, shared_data: Path) -> None:
    """eGeMAPS and a linear SVM reach 0.50 on these clips."""
    assert unweighted_recall(extractor, shared_data / "ravdess") >= 0.58
