"""Loudness against the standard's own numbers and against the meter's test signals."""

from __future__ import annotations

import numpy as np
import pytest

from extractors import loudness
from extractors.loudness import integrated_loudness, k_weighting

MONO = 10 * np.log10(2)  # dB; the test signals are stereo with the same in both channels, which add up


def sine(*parts: tuple[float, float]) -> np.ndarray:
    """1 kHz, (dBFS, seconds) after one another."""
    levels = np.concatenate([np.full(round(seconds * 16_000), 10 ** (level / 20)) for level, seconds in parts])
    return (levels * np.sin(2 * np.pi * 1_000 * np.arange(len(levels)) / 16_000)).astype(np.float32)


def test_filters_are_those_of_the_standard() -> None:
    """ITU-R BS.1770-5, tables 1 and 2, for 48 kHz: b0 b1 b2, then 1 a1 a2."""
    expected = [
        [1.53512485958697, -2.69169618940638, 1.19839281085285, 1.0, -1.69065929318241, 0.73248077421585],
        [1.0, -2.0, 1.0, 1.0, -1.99004745483398, 0.99007225036621],
    ]
    np.testing.assert_allclose(k_weighting(48_000), expected, atol=1e-12)


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ([(-23, 20)], -23.0),
        ([(-33, 20)], -33.0),
        ([(-36, 10), (-23, 60), (-36, 10)], -23.0),  # the relative gate
        ([(-72, 10), (-36, 10), (-23, 60), (-36, 10), (-72, 10)], -23.0),  # the absolute gate as well
        ([(-26, 20), (-20, 20.1), (-26, 20)], -23.0),
    ],
)
def test_test_signals_of_ebu_tech_3341(parts: list[tuple[float, float]], expected: float) -> None:
    """Minimum requirements test signals 1 to 5; a meter may be off by 0.1."""
    assert integrated_loudness(sine(*parts)) + MONO == pytest.approx(expected, abs=0.1)


def test_the_loudness_follows_the_gain() -> None:
    wave = sine((-23, 3), (-30, 3), (-25, 1.234))
    assert integrated_loudness(wave * np.float32(0.1)) == pytest.approx(integrated_loudness(wave) - 20, abs=1e-4)


def test_pieces_make_no_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    wave = np.random.default_rng(0).standard_normal(50_123).astype(np.float32) * np.float32(0.1)
    whole = integrated_loudness(wave)
    monkeypatch.setattr(loudness, "PIECE", 2 * loudness.STEP)
    assert integrated_loudness(wave) == pytest.approx(whole, abs=1e-9)


@pytest.mark.parametrize("samples", [400, 1_600, 6_399])
def test_clips_shorter_than_a_block(samples: int) -> None:
    """At 25 ms the filters are still settling."""
    assert integrated_loudness(sine((-23, 1))[:samples]) + MONO == pytest.approx(-23.0, abs=0.5)


@pytest.mark.parametrize("samples", [400, 16_000])
def test_silence_has_none(samples: int) -> None:
    assert integrated_loudness(np.zeros(samples, np.float32)) is None
    assert integrated_loudness(sine((-80, samples / 16_000))) is None
