"""What a classifier says of one clip."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Prediction:
    """What a classifier says of one clip.

    label         : one of the bundle's labels, or `uncertain` where the confidence is below the bundle's threshold
    probabilities : label -> probability, calibrated on the validation rows of the training run
    entropy       : bits; 0 is sure, log2(classes) is a shrug
    contributions : modality -> exact Shapley share of the probability of `best`; with `prior` they sum to it
    prior         : probability of `best` with neither modality, its share of the training rows
    failed        : modality -> why it could not be used, though the clip has it; the prediction goes by the others
    error         : why there is no prediction at all; the rest is then empty
    """

    id: str
    label: str = ""
    best: str = ""
    confidence: float = 0.0
    probabilities: dict[str, float] = field(default_factory=dict)
    entropy: float = 0.0
    contributions: dict[str, float] = field(default_factory=dict)
    prior: float = 0.0
    failed: dict[str, str] = field(default_factory=dict)
    error: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """Plain data, for JSON Lines."""
        if self.error is not None:
            return {"id": self.id, "error": self.error}
        return {
            "id": self.id,
            "label": self.label,
            "best": self.best,
            "confidence": self.confidence,
            "entropy_bits": self.entropy,
            "probabilities": self.probabilities,
            "contributions": self.contributions,
            "prior": self.prior,
            **({"failed": self.failed} if self.failed else {}),
        }
