"""What templates say of clips."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fusion.predictor import UNCERTAIN

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Scores:
    """Of (rows,) clips.

    names         : (classes,) the labels, in the order of the columns
    probabilities : (rows, classes) float64; to be believed only where `calibrated`
    cosines       : (rows, classes) float32, to the nearest template of each label
    nearest       : (rows,) which template is the nearest of all
    threshold     : below it the answer is `uncertain`
    """

    names: tuple[str, ...]
    probabilities: Floats
    cosines: NDArray[np.float32]
    nearest: Ints
    threshold: float
    calibrated: bool

    def __len__(self) -> int:
        return len(self.probabilities)

    @property
    def confidence(self) -> Floats:
        return self.probabilities.max(axis=1)

    @property
    def best(self) -> Ints:
        """(rows,) the likeliest class, certain or not."""
        return self.probabilities.argmax(axis=1).astype(np.int64)

    @property
    def uncertain(self) -> NDArray[np.bool_]:
        return self.confidence < self.threshold

    def labels(self) -> list[str]:
        """(rows,) the label, or `uncertain`."""
        answers = zip(self.best, self.uncertain, strict=True)
        return [UNCERTAIN if unsure else self.names[best] for best, unsure in answers]

    def records(self, ids: Sequence[str]) -> list[dict[str, Any]]:
        """JSON-able, one a row."""
        return [
            {
                "id": id,
                "label": label,
                "best": self.names[best],
                "confidence": float(confidence),
                "calibrated": self.calibrated,
                "cosine": float(cosines[best]),
                "template": int(nearest),
                "probabilities": dict(zip(self.names, map(float, probabilities), strict=True)),
            }
            for id, label, best, confidence, cosines, nearest, probabilities in zip(
                ids,
                self.labels(),
                self.best,
                self.confidence,
                self.cosines,
                self.nearest,
                self.probabilities,
                strict=True,
            )
        ]
