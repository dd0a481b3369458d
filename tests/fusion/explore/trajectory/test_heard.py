"""Scores and vectors are the encoder's own, however the recording is taken apart."""

from __future__ import annotations

import numpy as np
import pytest

from extractors.emotion2vec.extractor import Emotion2vecExtractor
from fusion.explore.trajectory import heard, recording, trajectory
from fusion.explore.trajectory.heard import hear_frames
from fusion.explore.trajectory.recording import Recording
from fusion.explore.trajectory.windows import Grid


def test_scores_are_those_of_extract_and_frame_scores(encoder, speech):
    whole = encoder.extract([speech], frames=True)[0]
    for smooth in (0.0, 0.5, 1.0):
        found = trajectory(speech, encoder, silence="none", smooth=smooth)
        assert found.rate == 50
        assert len(found.scores) == (len(speech) - 400) // 320 + 1
        assert np.allclose(found.scores, encoder.frame_scores(whole.frames, smooth=smooth), atol=2e-6)


def test_memory_bounds_change_nothing(checkpoint, speech, monkeypatch):
    short = Emotion2vecExtractor(checkpoint, device="cpu", offline=True, window_seconds=2.0)
    whole = short.extract([speech], frames=True)[0]
    monkeypatch.setattr(recording, "BLOCK_SECONDS", 6.0)
    monkeypatch.setattr(heard, "GROUP_SECONDS", 3.0)
    found = trajectory(speech, short, silence="none", smooth=0)
    assert np.allclose(found.scores, short.frame_scores(whole.frames), atol=2e-6)


def test_steps_are_means_of_the_spoken_frames_in_their_window(encoder, speech):
    frames = encoder.extract([speech], frames=True)[0].frames
    spoken = np.random.default_rng(0).random(len(frames)) > 0.3
    grid = Grid(len(speech) / 16_000, window=0.8)  # steps of 20 frames
    found = hear_frames(encoder, Recording(speech), spoken, grid)
    for step in (0, 1, 7, grid.steps - 1):
        first, last = max(0, 20 * step - 10), min(len(frames), 20 * step + 30)
        expected = frames[first:last][spoken[first:last]].mean(axis=0)
        assert np.allclose(found.vectors[step], expected, atol=1e-5)
        assert np.allclose(found.step_scores[step], encoder.frame_scores(expected[None])[0], atol=1e-5)


def test_silence_is_a_gap_in_everything(encoder, speech):
    found = trajectory(speech, encoder)
    loud = np.abs(speech).reshape(-1)
    start = int(np.flatnonzero(loud[:-24_000] > 0).max())
    inside = [i for i in range(len(found.speech)) if not found.speech[i]]
    assert inside
    assert np.isnan(found.scores[~found.speech]).all()
    assert np.isnan(found.valence[~found.speech]).all()
    assert np.isfinite(found.scores[found.speech]).all()
    assert (found.segment[~found.speech] == 0).all()
    assert (found.segment[found.speech] > 0).all()
    assert np.isnan(found.path.points).any()
    assert np.allclose(found.scores[found.speech].sum(axis=1), 1, atol=1e-5)
    assert start > 0


def test_a_layer_without_scores_gives_the_path(checkpoint, speech):
    inner = Emotion2vecExtractor(checkpoint, device="cpu", offline=True, layer=0)
    found = trajectory(speech, inner)
    assert found.scores is None
    assert found.valence is None
    assert found.path.points.shape[1] == 6


@pytest.mark.parametrize("seconds", [1.0, 1.99])
def test_a_pitch_that_is_not_there_does_not_count_as_zero(acoustic, tone, seconds):
    """A second of noise in a tone: the step's pitch is the mean of the voiced frames, not half of it."""
    wave = tone(200, 12)
    hiss = 0.05 * np.random.default_rng(0).standard_normal(round(seconds * 16_000)).astype(np.float32)
    wave[5 * 16_000 : 5 * 16_000 + len(hiss)] = hiss
    found = hear_frames(acoustic, Recording(wave), np.ones(599, bool), Grid(12.0, window=1.0))
    pitch = found.vectors[:, found.names.index("pitch")]
    assert np.abs(pitch - np.median(pitch)).max() < 1.5  # semitones
