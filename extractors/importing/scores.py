"""Class scores as others write them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any

import numpy as np

from extractors.types import Float32

ROUNDING = 1e-5  # a softmax in float32 or less may end above one


@dataclass(frozen=True, slots=True)
class Scores:
    """values : (classes,) float32, in the order of `labels`"""

    labels: tuple[str, ...]
    values: Float32

    def ordered(self, labels: tuple[str, ...]) -> Scores:
        """The same in another order of the same labels."""
        place = {label: i for i, label in enumerate(self.labels)}
        return Scores(labels, self.values[[place[label] for label in labels]])


def scores_in(result: Mapping[str, Any]) -> Scores | None:
    """Scores of a result, as the WebUI (`{"scores": {label: p}}`) or FunASR's `generate` (`labels` and `scores`
    beside each other) have them; labels in English. None where there are none. ValueError says what is wrong.

    >>> scores_in({"labels": ["生气/angry", "<unk>"], "scores": [0.25, 0.75]}).labels
    ('angry', 'unknown')
    >>> scores_in({"scores": {}}) is None
    True
    """
    given = result.get("scores")
    if not given:
        return None
    labels, values = result.get("labels"), given
    if isinstance(given, Mapping):
        labels, values = list(given), list(given.values())
    if not isinstance(labels, list) or not isinstance(values, list) or len(labels) != len(values):
        raise ValueError("scores: expected {label: score}, or lists of labels and scores of one length")
    if not all(isinstance(label, str) for label in labels) or len(set(labels)) < len(labels):
        raise ValueError(f"scores: expected labels, each once, got {labels}")
    if bad := [v for v in values if type(v) not in (int, float) or not isfinite(v) or not 0 <= v <= 1 + ROUNDING]:
        raise ValueError(f"scores: expected probabilities from 0 to 1, got {bad[0]!r}")
    from extractors.emotion2vec.labels import english_names

    return Scores(english_names(tuple(labels)), np.array(values, np.float32))
