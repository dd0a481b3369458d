"""Clear words where nothing can be drawn."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile

from extractors.errors import InputError
from fusion.explore.trajectory import trajectory


def test_silent_short_and_unreadable(acoustic, tone, tmp_path):
    soundfile.write(tmp_path / "silent.wav", np.zeros(64_000), 16_000)
    (tmp_path / "broken.wav").write_bytes(b"RIFF1234WAVE")
    for source, said in (
        (tmp_path / "silent.wav", r"silent\.wav is silent"),
        (tmp_path / "broken.wav", r"broken\.wav"),
        (tone(150, 0.7), "0.70 s, less than one window of 1 s"),
        (tone(150, 1.2), r"(?s)only 3 steps of the recording hold speech.*Set window= lower"),
    ):
        with pytest.raises(InputError, match=said):
            trajectory(source, acoustic)


def test_settings_that_cannot_be(acoustic, tone):
    wave = tone(150, 5)
    for options, said in (
        ({"smooth": -1}, "smooth: expected seconds from 0"),
        ({"signal": "mood"}, "signal: expected one of auto, scores, space"),
        ({"signal": "scores"}, "acoustic gives no scores"),
        ({"window": 0.99}, "window: expected a multiple of 0.04 s"),
        ({"window": "1"}, "window: expected a multiple"),
        ({"silence": "quiet"}, "silence: expected one of"),
    ):
        with pytest.raises(InputError, match=said):
            trajectory(wave, acoustic, **options)


def test_what_is_no_speech_encoder_is_refused(tone):
    with pytest.raises(InputError, match="does not hear audio"):
        trajectory(tone(150, 5), object())


def test_silence_that_the_encoder_trims_is_a_gap_too(checkpoint, speech):
    pytest.importorskip("silero_vad")
    from extractors.emotion2vec.extractor import Emotion2vecExtractor

    wave = np.concatenate([speech, np.zeros(40_000, np.float32)])
    whole = Emotion2vecExtractor(checkpoint, device="cpu", offline=True, window_seconds=2.0)
    trims = Emotion2vecExtractor(checkpoint, device="cpu", offline=True, window_seconds=2.0, trim_silence=True)
    found, full = trajectory(wave, trims, silence="none", smooth=0), trajectory(wave, whole, silence="none", smooth=0)
    assert full.speech.all()
    assert not found.speech[-50:].any()  # windows of silence alone, which this encoder refuses
    assert found.speech.sum() > 0.5 * len(found.speech)


def test_changes_can_be_left_out(acoustic, speech):
    found = trajectory(speech, acoustic, changes=None)
    assert found.changes == ()
    assert set(found.segment.tolist()) == {0, 1}
