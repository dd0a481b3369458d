"""The extractor equals FunASR's own `generate`, clip by clip, whatever shares the call; and says what it cannot do."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from extractors.audio import load_audio
from extractors.emotion2vec.extractor import Emotion2vecExtractor
from extractors.emotion2vec.inputs import ClipsError
from extractors.emotion2vec.synthetic import write_random_checkpoint
from extractors.errors import InputError
from extractors.types import Extractor

TOLERANCE = 1e-4  # of issue and README: float32, same weights

FunAsr = Callable[[Path], Callable[..., Any]]
MakeClip = Callable[..., np.ndarray]


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    seconds=st.lists(
        st.one_of(st.floats(0.1, 3.0), st.floats(3.0, 12.0), st.just(30.0), st.integers(1, 60).map(lambda n: n * 0.02)),
        min_size=1,
        max_size=6,
    ),
    gain=st.sampled_from([1.0, 1e-4, 30.0]),
    seed=st.integers(0, 1_000),
)
def test_equals_funasr_in_any_company(
    checkpoint: Path,
    extractor: Emotion2vecExtractor,
    reference: Callable[..., Any],
    seconds: list,
    gain: float,
    seed: int,
    clip: MakeClip,
) -> None:
    waves = [gain * clip(max(length, 0.1), seed + i) for i, length in enumerate(seconds)]
    found = extractor.extract(waves, granularity="frame")
    for wave, embedding in zip(waves, found, strict=True):
        expected = reference(wave, "frame")
        np.testing.assert_allclose(embedding.frames, expected.feats, atol=TOLERANCE, rtol=0)
        np.testing.assert_allclose(embedding.vector, expected.feats.mean(0), atol=TOLERANCE, rtol=0)
        np.testing.assert_allclose(embedding.scores, expected.scores, atol=TOLERANCE, rtol=0)


@pytest.fixture(scope="session")
def reference(checkpoint: Path, funasr: FunAsr) -> Callable[..., Any]:
    return funasr(checkpoint)


def test_equals_funasr_on_utterances(
    extractor: Emotion2vecExtractor, reference: Callable[..., Any], clip: MakeClip
) -> None:
    waves = [clip(seconds, seed) for seed, seconds in enumerate([0.025, 7.3, 0.4, 2.0])]
    for wave, embedding in zip(waves, extractor.extract(waves), strict=True):
        expected = reference(wave)
        np.testing.assert_allclose(embedding.vector, expected.feats, atol=TOLERANCE, rtol=0)
        np.testing.assert_allclose(embedding.scores, expected.scores, atol=TOLERANCE, rtol=0)
        assert embedding.frames is None
        assert embedding.vector.dtype == embedding.scores.dtype == np.float32
    assert list(extractor.tokens) == expected.labels
    assert extractor.labels == (
        "angry", "disgusted", "fearful", "happy", "neutral", "other", "sad", "surprised", "unknown"
    )  # fmt: skip


@pytest.mark.parametrize(
    "tokens",
    [
        ("angry", "unuse_0", "unuse_1", "happy", "neutral", "unuse_2", "sad", "unuse_3", "<unk>"),
        ("生气/angry", "开心/happy", "中立/neutral", "难过/sad", "<unk>"),
    ],
)
def test_other_sets_of_classes(tokens: tuple[str, ...], tmp_path: Path, funasr: FunAsr, clip: MakeClip) -> None:
    folder = write_random_checkpoint(tmp_path, tokens=tokens)
    (found,) = Emotion2vecExtractor(folder, device="cpu").extract([clip(1.5)])
    expected = funasr(folder)(clip(1.5))
    assert found.labels == ("angry", "happy", "neutral", "sad", "unknown")
    np.testing.assert_allclose(found.scores, expected.scores, atol=TOLERANCE)
    assert found.scores.sum() == pytest.approx(1.0, abs=1e-6)


def test_a_model_without_classes_has_vectors_and_no_scores(tmp_path: Path, clip: MakeClip) -> None:
    """emotion2vec_base, the pre-trained model: FunASR gives it no head."""
    folder = write_random_checkpoint(tmp_path, tokens=())
    extractor = Emotion2vecExtractor(folder, device="cpu")
    (found,) = extractor.extract([clip(1.0)])
    assert found.scores is None
    assert found.labels == extractor.labels == ()
    with pytest.raises(InputError, match="no class head"):
        extractor.frame_scores(np.zeros((3, 64), np.float32))


def test_paths_and_arrays_mix_and_keep_their_order(
    extractor: Emotion2vecExtractor, tmp_path: Path, clip: MakeClip
) -> None:
    waves = [clip(seconds, seed) for seed, seconds in enumerate([3.0, 0.2, 1.0, 5.0, 0.7])]
    soundfile.write(tmp_path / "a.wav", waves[1], 16_000, subtype="FLOAT")
    soundfile.write(tmp_path / "b.flac", waves[3], 16_000)
    given = [waves[0], tmp_path / "a.wav", waves[2], str(tmp_path / "b.flac"), waves[4]]
    expected = extractor.extract([*waves[:3], load_audio(tmp_path / "b.flac"), waves[4]])
    for one, other in zip(extractor.extract(given), expected, strict=True):
        np.testing.assert_allclose(one.vector, other.vector, atol=1e-5)


def test_many_clips_in_one_call(extractor: Emotion2vecExtractor, clip: MakeClip) -> None:
    """More than one group of packs, and the answers still belong to their clips."""
    waves = [clip(0.3 + (i * 7919 % 100) / 25, i) for i in range(160)]
    found = extractor.extract(waves)
    for index in (0, 1, 57, 158, 159):
        (alone,) = extractor.extract([waves[index]])
        np.testing.assert_allclose(found[index].vector, alone.vector, atol=1e-5)
    assert extractor.extract([]) == []


@pytest.mark.parametrize("window", ["quietest", "fixed", "vad"])
def test_long_clips_in_windows(checkpoint: Path, window: str, clip: MakeClip) -> None:
    extractor = Emotion2vecExtractor(checkpoint, device="cpu", window_seconds=4.0, window=window)
    wave = clip(21.37)
    found, short = extractor.extract([wave, clip(1.0)], frames=True)
    assert found.frames.shape == ((len(wave) - 400) // 320 + 1, 64)
    np.testing.assert_allclose(found.vector, found.frames.mean(0), atol=1e-5)
    assert short.frames.shape == (49, 64)
    # what happens at a time shows in the frames of that time, on either side of every seam
    for seconds in (0.5, 3.0, 7.25, 12.0, 16.5, 20.9):
        changed, start = wave.copy(), round(seconds * 16_000)
        changed[start : start + 640] = wave[start : start + 640][::-1]  # mean and variance of the window stay
        (other,) = extractor.extract([changed], frames=True)
        moved = np.abs(other.frames - found.frames).sum(1)
        assert int(moved.argmax()) == pytest.approx(seconds * 50, abs=3)


def test_windows_do_not_touch_shorter_clips(checkpoint: Path, extractor: Emotion2vecExtractor, clip: MakeClip) -> None:
    wave = clip(9.99)
    cut = Emotion2vecExtractor(checkpoint, device="cpu", window_seconds=10.0)
    np.testing.assert_array_equal(cut.extract([wave])[0].vector, extractor.extract([wave])[0].vector)


def test_every_unusable_clip_is_named(extractor: Emotion2vecExtractor, tmp_path: Path, clip: MakeClip) -> None:
    good, bad = clip(1.0), clip(1.0)
    bad[500] = np.nan
    loud = clip(1.0)
    loud[3] = -np.inf
    (tmp_path / "empty.wav").touch()
    clips = [good, bad, loud, good[:399], good.astype(np.float64), (good * 32767).astype(np.int16), good.reshape(2, -1)]
    clips += [[0.0] * 16_000, np.zeros(0, np.float32), tmp_path / "empty.wav", tmp_path / "absent.wav"]
    with pytest.raises(ClipsError) as error:
        extractor.extract(clips)
    reasons = error.value.reasons
    assert sorted(reasons) == list(range(1, len(clips)))
    assert reasons[1] == reasons[2] == "holds NaN or infinite samples"
    assert reasons[3] == "399 samples are too short: one frame needs 400 (25 ms)"
    assert reasons[4] == "expected float32, got float64"
    assert "divide integers" in reasons[5]
    assert "(2, 8000)" in reasons[6]
    assert "got list" in reasons[7]
    assert "empty.wav" in reasons[9]
    assert "absent.wav" in reasons[10]
    assert str(error.value).startswith("10 of 11 clips cannot be used")


def test_a_neighbour_full_of_nan_changes_nothing(extractor: Emotion2vecExtractor, clip: MakeClip) -> None:
    good, other = clip(2.0), clip(0.7, 1)
    expected = extractor.encoder.encode([good, clip(1.0, 2), other])
    found = extractor.encoder.encode([good, np.full(16_000, np.nan, np.float32), other])
    for index in (0, 2):
        np.testing.assert_allclose(found[index].numpy(), expected[index].numpy(), atol=1e-5)


def test_wrong_calls_are_refused(checkpoint: Path, extractor: Emotion2vecExtractor, clip: MakeClip) -> None:
    with pytest.raises(InputError, match="unknown granularity: 'word'"):
        extractor.extract([clip(1.0)], granularity="word")
    with pytest.raises(InputError) as error:
        Emotion2vecExtractor(checkpoint, device="tpu", precision="float8", window_seconds=0.5, window="loudest")
    assert [problem.partition(":")[0] for problem in error.value.problems] == [
        "device", "precision", "window_seconds", "window"
    ]  # fmt: skip


def test_cuda_without_cuda_is_refused(checkpoint: Path) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is CUDA here")
    with pytest.raises(InputError, match="sees no CUDA device"):
        Emotion2vecExtractor(checkpoint, device="cuda")


def test_fingerprint_covers_what_changes_numbers(
    checkpoint: Path, tmp_path: Path, extractor: Emotion2vecExtractor
) -> None:
    elsewhere = Path(shutil.copytree(checkpoint, tmp_path / "renamed"))
    alike = [
        Emotion2vecExtractor(elsewhere, device="cpu"),
        Emotion2vecExtractor(checkpoint, device="cpu", max_tokens=300, offline=True),
        Emotion2vecExtractor(write_random_checkpoint(tmp_path / "copies", copies=3), device="cpu"),
    ]
    assert {other.fingerprint for other in alike} == {extractor.fingerprint}
    unlike = [
        Emotion2vecExtractor(write_random_checkpoint(tmp_path / "other", seed=1), device="cpu"),
        Emotion2vecExtractor(checkpoint, device="cpu", window_seconds=20.0),
        Emotion2vecExtractor(checkpoint, device="cpu", window="fixed"),
        Emotion2vecExtractor(checkpoint, device="cpu", precision="int8"),
    ]
    assert len({extractor.fingerprint, *(other.fingerprint for other in unlike)}) == 5


def test_meets_the_contract(extractor: Emotion2vecExtractor) -> None:
    assert isinstance(extractor, Extractor)
    assert (extractor.modality, extractor.dim, extractor.frame_rate) == ("speech", 64, 50.0)
    said = json.loads(json.dumps(extractor.describe(), allow_nan=False))
    assert said["name"] == extractor.name == "tiny"
    assert said["labels"] == list(extractor.labels)
    assert said["tensors_loaded"] == 65


@pytest.mark.parametrize("size", ["large", "base", "seed"])
def test_configurations(size: str, checkpoint: Path, extractor: Emotion2vecExtractor) -> None:
    conf = Path(__file__).parents[3] / "conf"
    with initialize_config_dir(str(conf), version_base="1.3"):
        config = compose(f"speech/emotion2vec_plus_{size}", overrides=["+offline=true"])
        assert config.speech.model == f"iic/emotion2vec_plus_{size}"
        assert config.speech.offline is True
        config.speech.model, config.speech.device = str(checkpoint), "cpu"
    assert instantiate(config.speech).fingerprint == extractor.fingerprint


@pytest.mark.slow
def test_an_hour_in_bounded_memory(checkpoint: Path) -> None:
    """The clip itself is 230 MB; the encoder adds the same for an hour as for five minutes."""
    script = f"""
import re, sys
import numpy as np, torch
from extractors.emotion2vec.extractor import Emotion2vecExtractor
torch.set_num_threads(1)
extractor = Emotion2vecExtractor({str(checkpoint)!r}, device="cpu")
wave = np.random.default_rng(0).standard_normal(int(sys.argv[1]) * 16_000, dtype=np.float32)
embedding, = extractor.extract([wave])
peak = int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1])  # ru_maxrss counts the parent's too
print(peak / 1024 - wave.nbytes / 2**20)
"""
    peaks = [
        float(
            subprocess.run([sys.executable, "-c", script, seconds], capture_output=True, text=True, check=True).stdout
        )
        for seconds in ("300", "3600")
    ]  # MiB without the clip
    assert peaks[1] - peaks[0] < 60
