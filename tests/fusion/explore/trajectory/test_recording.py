from __future__ import annotations

import numpy as np
import pytest
import soundfile

from extractors.audio import load_audio
from extractors.emotion2vec.windows import cut_windows
from extractors.errors import InputError
from fusion.explore.trajectory import recording
from fusion.explore.trajectory.recording import Recording, frame_count


def noise(seconds: float) -> np.ndarray:
    random = np.random.default_rng(0)
    samples = round(seconds * 16_000)
    swell = 0.5 + 0.5 * np.sin(np.arange(samples) / 16_000 * 2.3) ** 2
    return (0.1 * swell * random.standard_normal(samples)).astype(np.float32)


@pytest.mark.parametrize("seconds", [9.0, 31.77, 64.3, 65.0])
def test_windows_of_a_long_recording_are_those_of_the_whole(monkeypatch, seconds):
    monkeypatch.setattr(recording, "BLOCK_SECONDS", 12.0)
    wave = noise(seconds)
    whole = cut_windows(wave, limit=32_000, cut="quietest")
    found = list(Recording(wave).windows(limit=32_000))
    assert [(w.start, w.start + len(w.wave)) for w in found] == whole
    assert all(np.array_equal(w.wave, wave[w.start : w.start + len(w.wave)]) for w in found)


@pytest.mark.parametrize("cut", ["quietest", "fixed"])
def test_windows_hold_every_frame_once(monkeypatch, cut):
    monkeypatch.setattr(recording, "BLOCK_SECONDS", 10.0)
    wave = noise(43.21)
    at = 0
    for window in Recording(wave).windows(limit=32_000, cut=cut):
        assert window.first_frame == at
        assert len(window.wave) <= 32_000
        at += window.frames
    assert at == frame_count(len(wave))


def test_a_file_is_read_in_blocks_as_it_is_as_a_whole(tmp_path, monkeypatch):
    random = np.random.default_rng(1)
    soundfile.write(tmp_path / "x.flac", 0.2 * random.standard_normal((44_100 * 7 + 13, 2)), 44_100)
    whole = load_audio(tmp_path / "x.flac")
    found = Recording(tmp_path / "x.flac")
    assert found.samples == len(whole)
    blocks = np.concatenate([block.wave for block in found.blocks(seconds=1.3)])
    assert np.allclose(blocks, whole, atol=1e-5)


def test_what_is_no_recording_is_refused(tmp_path):
    soundfile.write(tmp_path / "short.wav", np.zeros(100), 16_000)
    (tmp_path / "text.wav").write_text("hello")
    for source, said in (
        (tmp_path / "none.wav", "no such file"),
        (tmp_path / "text.wav", "text.wav"),
        (tmp_path / "short.wav", "too short"),
        (np.full(16_000, np.nan, np.float32), "NaN"),
        (np.zeros((16_000, 2), np.float32), "one channel"),
    ):
        with pytest.raises(InputError, match=said):
            Recording(source)
