from __future__ import annotations

import numpy as np
import pytest

from extractors.errors import InputError
from fusion.explore.trajectory.activity import activity, levels, stretches
from fusion.explore.trajectory.recording import Recording


def gaps(wave: np.ndarray, **options) -> list[tuple[float, float]]:
    found = Recording(wave)
    return [(a / 50, b / 50) for a, b in stretches(~activity(found, levels(found), **options))]


def test_silence_is_found_where_it_is_and_short_pauses_are_not(tone):
    wave = tone(150, 10)
    wave[3 * 16_000 : 5 * 16_000] = 0
    wave[8 * 16_000 : round(8.15 * 16_000)] = 0
    ((start, stop),) = gaps(wave)
    assert start == pytest.approx(3, abs=0.061)  # the level is a mean over 100 ms
    assert stop == pytest.approx(5, abs=0.061)


def test_level_is_of_the_whole_recording_and_gain_does_not_matter(tone):
    wave = tone(150, 6)
    wave[32_000:64_000] *= 1e-3  # 60 dB down: a neighbour's radio
    assert len(gaps(wave)) == 1
    assert gaps(0.02 * wave) == gaps(wave)


def test_none_takes_everything_and_silence_is_refused(tone):
    silent = np.zeros(32_000, np.float32)
    assert gaps(silent, silence="none") == []
    with pytest.raises(InputError, match=r"is silent.*-100 dB"):
        gaps(silent)
    with pytest.raises(InputError, match="silence: expected one of energy, vad, none"):
        gaps(tone(150, 1), silence="loud")


def test_vad_takes_tones_for_no_speech(tone, speech):
    pytest.importorskip("silero_vad")
    with pytest.raises(InputError, match="hears no speech"):
        gaps(tone(1_000, 4), silence="vad")
    ours, theirs = gaps(speech), gaps(speech, silence="vad")
    middle = next(gap for gap in ours if gap[1] - gap[0] > 1.3)
    assert any(abs(gap[0] - middle[0]) < 0.4 and abs(gap[1] - middle[1]) < 0.4 for gap in theirs)
