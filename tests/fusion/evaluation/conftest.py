"""Small systems of known make for the tests of evaluation."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy.special import softmax

from fusion.evaluation.scored import Scored

Maker = Callable[..., dict[str, Scored]]


def make_systems(
    *, rows: int = 240, classes: int = 4, speakers: int = 8, folds: int = 1, seed: int = 0, **skill: float
) -> dict[str, Scored]:
    """Systems that see the truth through noise; a greater `skill` sees more. Overconfident before calibration."""
    rng = np.random.default_rng(seed)
    targets = rng.integers(classes, size=rows)
    speaker = np.arange(rows) % max(speakers, 1)
    systems = {}
    for name, sight in (skill or {"fusion": 2.0, "speech": 1.2, "text": 0.8}).items():
        logits = rng.normal(size=(rows, classes))
        logits[np.arange(rows), targets] += sight
        probabilities = softmax(logits, axis=1)
        systems[name] = Scored(
            ids=[f"clip {row}" for row in range(rows)],
            targets=targets,
            probabilities=probabilities,
            uncalibrated=softmax(3 * logits, axis=1),
            groups=[f"speaker {number}" for number in speaker] if speakers else None,
            folds=[f"fold {number % folds}" for number in speaker],
            uncertain=probabilities.max(axis=1) < 0.4,
        )
    return systems


@pytest.fixture(scope="session")
def systems_maker() -> Maker:
    return make_systems
