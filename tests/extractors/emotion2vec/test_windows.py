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
    edges=st.lists(st.integers(0, 400_000), max_size=12).map(lambda edges: sorted(edges)[: len(edges) // 2 * 2]),
)
def test_the_frames_of_the_windows_are_those_of_the_clip(
    samples: int, limit: int, cut: str, seed: int, quantum: float, edges: list[int]
) -> None:
    wave = np.random.default_rng(seed).standard_normal(samples).astype(np.float32)
    if quantum:  # clips with many equally quiet places, or digital silence
        wave = (wave // quantum * quantum).astype(np.float32)
    edges = [min(edge, samples) for edge in edges]
    speech = list(zip(edges[::2], edges[1::2], strict=True))  # any stretches at all, also none, empty and touching ones
    spans = cut_windows(wave, limit=limit, cut=cut, find_speech=lambda _: speech)
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
        longer = np.ones(480_080, np.float32)  # by one frame
        assert len(cut_windows(longer, limit=480_000, cut=cut, find_speech=lambda _: [(0, 480_080)])) == 2


def test_vad_cuts_in_the_middle_of_the_longest_pause_that_is_near() -> None:
    """Wherever it is loud: music and noise are no speech. Speech all along leaves the quietest place."""
    wave = np.random.default_rng(0).standard_normal(16_000 * 46).astype(np.float32)
    wave[16_000 * 22 : 16_000 * 23] *= 0.01  # quiet, but within speech
    second = 16_000
    speech = [(0, 12 * second), (14 * second, 16 * second), (18 * second, 27 * second), (28 * second, 46 * second)]
    spans = cut_windows(wave, limit=30 * second, cut="vad", find_speech=lambda _: speech)
    # 12 to 14 s is too early, and 27 to 28 s shorter than 16 to 18 s
    assert [start for start, _ in spans] == [0, 17 * second]
    spans = cut_windows(wave, limit=30 * second, cut="vad", find_speech=lambda _: [(0, 46 * second)])
    assert spans[1][0] / second == pytest.approx(22.5, abs=0.5)
    spans = cut_windows(wave, limit=30 * second, cut="vad", find_speech=lambda _: [])  # no speech at all
    assert spans[1][0] / second == pytest.approx(22.5, abs=0.02)


def test_an_unknown_cut_is_refused() -> None:
    with pytest.raises(InputError, match="Known: quietest, fixed, vad"):
        cut_windows(np.ones(1_000, np.float32), limit=16_000, cut="loudest")
