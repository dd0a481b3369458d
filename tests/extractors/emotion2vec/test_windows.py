"""Windows lose no frame, repeat none, keep to the limit, and end in pauses."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from extractors.emotion2vec.windows import CUTS, cut_windows
from extractors.errors import InputError


def frames(samples: int) -> int:
    return (samples - 400) // 320 + 1


@settings(max_examples=200, deadline=None)
@given(
    samples=st.integers(400, 400_000),
    limit=st.integers(16_000, 120_000),
    cut=st.sampled_from(CUTS),
    seed=st.integers(0, 99),
    quantum=st.sampled_from([0.0, 0.3, 10.0]),
)
def test_the_frames_of_the_windows_are_those_of_the_clip(
    samples: int, limit: int, cut: str, seed: int, quantum: float
) -> None:
    wave = np.random.default_rng(seed).standard_normal(samples).astype(np.float32)
    if quantum:  # clips with many equally quiet places, or digital silence
        wave = (wave // quantum * quantum).astype(np.float32)
    spans = cut_windows(wave, limit=limit, cut=cut)
    assert spans[0][0] == 0
    assert samples - spans[-1][1] < 320
    assert all(start % 320 == 0 and stop - start <= limit for start, stop in spans)
    for (_, stop), (start, _) in pairwise(spans):
        assert stop - start == 80  # a frame sees 400 samples, the next begins after 320
    assert sum(frames(stop - start) for start, stop in spans) == frames(samples)
    if len(spans) > 1:
        assert min(frames(stop - start) for start, stop in spans) >= frames(limit) // 3


def test_cuts_fall_into_pauses() -> None:
    wave = np.random.default_rng(0).standard_normal(16_000 * 60).astype(np.float32)
    pauses = [(12.0, 12.4), (25.0, 25.4), (26.0, 26.1), (44.0, 44.4)]  # s
    for start, stop in pauses:
        wave[round(start * 16_000) : round(stop * 16_000)] *= 0.01
    spans = cut_windows(wave, limit=30 * 16_000, cut="quietest")
    cuts = [start / 16_000 for start, _ in spans[1:]]
    assert len(cuts) == 2
    assert cuts[0] == pytest.approx(25.2, abs=0.1)
    assert cuts[1] == pytest.approx(44.2, abs=0.1)


def test_a_clip_at_the_limit_is_one_window() -> None:
    wave = np.ones(480_000, np.float32)
    for cut in CUTS:
        assert cut_windows(wave, limit=480_000, cut=cut) == [(0, 480_000)]
        assert len(cut_windows(np.ones(480_080, np.float32), limit=480_000, cut=cut)) == 2  # one frame more


def test_an_unknown_cut_is_refused() -> None:
    with pytest.raises(InputError, match="Known: quietest, fixed"):
        cut_windows(np.ones(1_000, np.float32), limit=16_000, cut="vad")
