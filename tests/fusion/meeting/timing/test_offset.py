"""Shifts found where speech has pauses, and nothing claimed where it has none."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from extractors.errors import InputError
from fusion.meeting.timing import estimate_offset
from fusion.meeting.transcript import Transcript
from fusion.meeting.transcripts import read_transcript

from .conftest import transcript

RATE = 16_000


def talk(seed: int, until: float, pause: tuple[float, float]) -> Transcript:
    """Turns of 1 to 8 s with pauses between."""
    rng, at, turns = np.random.default_rng(seed), 3.0, []
    while at < until:
        end = at + rng.uniform(1, 8)
        turns.append((at, end, "A"))
        at = end + rng.uniform(*pause)
    return transcript(*turns)


def sound(said: Transcript, shift: float, seconds: float) -> np.ndarray:
    """Noise bursts of syllables where the transcript, shifted, has speech; a quiet room elsewhere."""
    rng = np.random.default_rng(7)
    samples = 0.003 * rng.standard_normal(int(seconds * RATE)).astype(np.float32)
    syllables = 0.5 + 0.5 * np.sin(2 * np.pi * 4 * np.arange(len(samples)) / RATE)
    for u in said.utterances:
        part = slice(max(int((u.start_s + shift) * RATE), 0), max(int((u.end_s + shift) * RATE), 0))
        samples[part] *= 1 + 40 * syllables[part]
    return samples


@pytest.mark.parametrize("shift", [0.0, 12.3, 246.0, -1.5])
def test_a_shift_is_found_where_there_are_pauses(shift: float) -> None:
    said = talk(1, 200, (0.5, 4))
    found = estimate_offset(said, sound(said, shift, 500))
    assert found.seconds == pytest.approx(shift, abs=0.15)
    assert found.correlation > 0.7
    if shift:
        assert found.as_it_is < 0.4


def test_a_recording_cut_at_its_beginning() -> None:
    said = talk(2, 300, (0.5, 3))
    found = estimate_offset(said, sound(said, 0, 320)[30 * RATE :])
    assert found.seconds == pytest.approx(-30, abs=0.15)


def test_another_recording_is_not_explained_by_a_shift() -> None:
    found = estimate_offset(talk(3, 200, (0.5, 4)), sound(talk(4, 300, (0.5, 4)), 0, 310))
    assert found.seconds is None
    assert "below 0.4" in found.reason


def test_speech_without_pauses_says_nothing() -> None:
    said = talk(5, 200, (0.0, 0.05))
    found = estimate_offset(said, sound(said, 20, 240))
    assert found.seconds is None
    assert found.reason


def test_a_pattern_that_repeats_has_no_clear_peak() -> None:
    said = transcript(*[(n * 10.0, n * 10.0 + 4, "A") for n in range(12)])
    longer = transcript(*[(n * 10.0, n * 10.0 + 4, "A") for n in range(40)])
    found = estimate_offset(said, sound(longer, 0, 400))
    assert found.seconds is None
    assert "no clear peak" in found.reason


@pytest.mark.parametrize(
    "samples", [np.zeros(60 * RATE, np.float32), np.zeros(0), np.zeros(RATE), np.full(60 * RATE, np.nan)]
)
def test_silence_and_nothing(samples: np.ndarray) -> None:
    assert estimate_offset(talk(1, 50, (1, 2)), samples).seconds is None


def test_too_little_to_tell_and_too_long_to_fit() -> None:
    said = talk(1, 200, (0.5, 4))
    assert "too little" in estimate_offset(replace(said, utterances=said.utterances[:3]), sound(said, 0, 220)).reason
    assert "longer than the recording" in estimate_offset(said, sound(said, 0, 220)[: 60 * RATE]).reason
    with pytest.raises(InputError, match="one channel"):
        estimate_offset(said, np.zeros((2, RATE)))


def test_people_left_out_still_sound() -> None:
    said = talk(1, 200, (0.5, 4))
    samples = sound(said, 12, 240)
    gone = tuple((u.start_s, u.end_s) for u in said.utterances[::2])
    found = estimate_offset(replace(said, utterances=said.utterances[1::2], excluded_times=gone), samples)
    assert found.seconds == pytest.approx(12, abs=0.15)


@pytest.mark.parametrize("before", [0, 20, 60])
def test_a_real_call(shared_data: Path, before: int) -> None:
    samples, rate = soundfile.read(shared_data / "meeting/pyannote_sample/sample.wav", dtype="float32")
    said = read_transcript(shared_data / "meeting/pyannote_sample/sample.stm")
    room = 0.001 * np.random.default_rng(0).standard_normal(max(before, 1) * rate).astype(np.float32)
    samples = np.concatenate([room, samples, room]) if before else samples
    found = estimate_offset(said, samples, sampling_rate=rate)
    assert found.seconds == pytest.approx(before, abs=0.3)
    assert found.correlation > 0.5
