from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from extractors.audio import load_audio
from extractors.errors import InputError
from fusion.explore.trajectory import Search, trajectory
from fusion.explore.trajectory.changes import find_changes


def test_tones_change_where_they_change(acoustic, tone):
    wave = np.concatenate([tone(120, 7.3), tone(240, 6.1), tone(170, 8.2)])
    found = trajectory(wave, acoustic)
    assert [change.time_s for change in found.changes] == pytest.approx([7.3, 13.4], abs=0.3)
    assert {name for change in found.changes for name, _ in change.features} & {"pitch", "mfcc1", "mfcc2", "centroid"}
    assert sorted(change.rank for change in found.changes) == [1, 2]


def test_a_change_in_a_pause_lies_in_its_middle(acoustic, tone):
    wave = np.concatenate([tone(120, 6), np.zeros(16_000, np.float32), tone(240, 6)])
    (change,) = trajectory(wave, acoustic).changes
    assert change.time_s == pytest.approx(6.5, abs=0.08)


def test_scores_change_where_the_sound_changes(encoder, tone):
    """Random weights score sounds at random, but two sounds differently, and one sound the same."""
    wave = np.concatenate([tone(120, 8), 0.3 * np.random.default_rng(0).standard_normal(128_000).astype(np.float32)])
    found = trajectory(wave, encoder, signal="space")
    assert min(abs(change.time_s - 8.0) for change in found.changes) < 0.6
    strongest = next(change for change in found.changes if change.rank == 1)
    assert abs(strongest.time_s - 8.0) < 0.6
    row = round(strongest.time_s * 50)
    before = found.segment == found.segment[row - 30]
    raw = trajectory(wave, encoder, smooth=0).scores[before].mean(axis=0)
    assert strongest.before == found.labels[int(raw.argmax())]
    assert strongest.before_score == pytest.approx(raw.max(), abs=1e-5)


def test_noise_does_not_change():
    """Independent steps: at one BIC less than one false change in five hundred steps."""
    random = np.random.default_rng(0)
    counts = [len(find_changes(random.normal(size=(500, 6)), Search(), hop=0.5, lag=2)) for _ in range(10)]
    assert np.mean(counts) < 1


def test_scale_and_offset_do_not_matter_and_a_penalty_does():
    random = np.random.default_rng(1)
    steps = np.concatenate([random.normal(size=(40, 3)), random.normal([2, 0, 0], 1, (40, 3))])
    same = find_changes(steps, Search(), hop=0.5, lag=1)
    assert [found.place for found in same] == pytest.approx([40], abs=2)
    assert [f.place for f in find_changes(100 * steps - 7, Search(), hop=0.5, lag=1)] == [f.place for f in same]
    assert find_changes(steps, Search(penalty=50.0), hop=0.5, lag=1) == []
    assert all(found.evidence >= 1 for found in same)


def test_nothing_moves_and_too_little():
    assert find_changes(np.ones((50, 2)), Search(), hop=0.5, lag=2) == []
    assert find_changes(np.random.default_rng(0).normal(size=(5, 2)), Search(), hop=0.5, lag=2) == []


def test_settings_that_cannot_be():
    with pytest.raises(InputError, match=r"(?s)penalty: expected a number above 0.*min_seconds"):
        Search(penalty=0, min_seconds=-1)


def test_labels_of_real_voices_change_where_clips_meet(shared_data, acoustic):
    """EmoDB, one speaker, stretches of one label; all figures in benchmarks/results/trajectory.json."""
    table = pd.read_csv(shared_data / "emodb" / "manifest.csv")
    random = np.random.default_rng(7)
    distances, chance = [], []
    for speaker in sorted(table.speaker.unique())[:6]:
        clips = table[table.speaker == speaker]
        waves, edges, samples, before = [], [], 0, None
        for _ in range(5):
            before = random.choice([label for label in clips.label.unique() if label != before])
            edges.append(samples / 16_000)
            for path in random.permutation(clips[clips.label == before].audio.to_numpy())[:2]:
                waves.append(load_audio(shared_data / "emodb" / path))
                samples += len(waves[-1])
        times = np.array([change.time_s for change in trajectory(np.concatenate(waves), acoustic).changes])
        guessed = random.uniform(0, samples / 16_000, len(times))
        for edge in edges[1:]:
            distances.append(np.abs(times - edge).min() if len(times) else np.inf)
            chance.append(np.abs(guessed - edge).min() if len(times) else np.inf)
    recall = np.mean(np.array(distances) <= 1.0)
    assert recall >= 0.45
    assert recall >= 2 * np.mean(np.array(chance) <= 1.0)
