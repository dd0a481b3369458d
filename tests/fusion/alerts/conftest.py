"""Small meetings."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from fusion.alerts import Observation, Rule, read_rules

MakeRule = Callable[..., Rule]
Say = Callable[..., list[Observation]]


@pytest.fixture
def rule() -> MakeRule:
    """rule(signal="angry", on=0.5, …) -> Rule, by default with little to wait for."""

    def make(**settings: object) -> Rule:
        plain = {"signal": "angry", "on": 0.5, "off": 0.35, "min_speech_s": 5, "scope": "meeting"}
        if "when" in settings:
            plain = {"scope": "meeting"}
        (one,) = read_rules({"r": plain | settings})
        return one

    return make


@pytest.fixture
def say() -> Say:
    """say([(start, end, angry), …], speaker="anna") -> observations, the rest of the probability neutral."""

    def make(spans: Sequence[tuple[float, float, float]], **known: object) -> list[Observation]:
        return [
            Observation(start, end, {"angry": p, "neutral": 1 - p}, id=f"{start:g}", **known)  # type: ignore[arg-type]
            for start, end, p in spans
        ]

    return make
