"""Speech is found where Silero's own code finds it."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch

from extractors.audio import load_audio
from extractors.emotion2vec.quiet import undisturbed
from extractors.errors import MissingExtraError
from extractors.vad import SpeechDetector, speech_detector

SAMPLES = Path(__file__).parents[2] / "samples" / "audio"
SECOND = 16_000


@pytest.fixture(scope="module")
def speech() -> np.ndarray:
    """Six synthetic voices with pauses of 0.5 to 3 s between them, and some noise: about 17 s."""
    random = np.random.default_rng(0)
    parts = []
    for number, path in enumerate(sorted(SAMPLES.glob("*.flac"))[:240:40]):
        parts += [np.zeros(round((0.5 + number / 2) * SECOND), np.float32), load_audio(path)]
    wave = np.concatenate([*parts, np.zeros(SECOND // 3, np.float32)])
    return wave + 1e-4 * random.standard_normal(len(wave)).astype(np.float32)


def test_equals_silero_itself(speech: np.ndarray) -> None:
    with undisturbed():
        import silero_vad

        reference = silero_vad.load_silero_vad()  # its TorchScript
        expected = reference.audio_forward(torch.from_numpy(speech)[None], 16_000)[0].numpy()
    np.testing.assert_allclose(speech_detector().probabilities(speech), expected, atol=1e-4)
    spans = silero_vad.get_speech_timestamps(
        torch.from_numpy(speech), reference, min_speech_duration_ms=100, speech_pad_ms=0
    )
    found = speech_detector().speech(speech)
    assert len(found) >= 6
    assert found == [(span["start"], span["end"]) for span in spans]


def test_blocks_leave_no_trace(speech: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = speech_detector().probabilities(speech)
    assert len(whole) == -(-len(speech) // 512)
    monkeypatch.setattr("extractors.vad.BLOCK", 7)
    np.testing.assert_allclose(speech_detector().probabilities(speech), whole, atol=1e-5)


def test_gain(speech: np.ndarray) -> None:
    expected = speech_detector().probabilities(speech * np.float32(4))
    np.testing.assert_allclose(speech_detector().probabilities(speech, gain=4.0), expected, atol=1e-5)


def test_threads_share_one_detector(speech: np.ndarray) -> None:
    waves = [speech[: (number + 1) * SECOND] for number in range(8)]
    expected = [speech_detector().speech(wave) for wave in waves]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(speech_detector().speech, waves)) == expected


@pytest.mark.parametrize("samples", [400, 512, 5 * SECOND])
def test_silence_and_noise_are_no_speech(samples: int) -> None:
    assert speech_detector().speech(np.zeros(samples, np.float32)) == []
    noise = np.random.default_rng(0).standard_normal(samples).astype(np.float32)
    assert speech_detector().speech(np.float32(0.01) * noise) == []


def test_without_the_package_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("extractors.vad.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"silero-vad 6.2.3 or newer .* pip install 'emofuse\[vad\]'"):
        SpeechDetector()


def test_an_older_package_counts_as_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    import silero_vad

    monkeypatch.delattr(silero_vad, "get_speech_timestamps_from_probs")
    with pytest.raises(MissingExtraError, match=r"emofuse\[vad\]"):
        SpeechDetector()


def test_the_process_keeps_its_threads() -> None:
    """`import silero_vad` sets torch to one thread."""
    script = """
import torch
torch.set_num_threads(3)
from extractors.vad import speech_detector
speech_detector()
assert torch.get_num_threads() == 3
"""
    subprocess.run([sys.executable, "-W", "error::DeprecationWarning:extractors", "-c", script], check=True)
