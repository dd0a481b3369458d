"""Two clips: their cosine in the space, and where it stands among pairs that nobody chose."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from extractors.types import Float32
from fusion.explore.similar.percentiles import Percentiles
from fusion.explore.similar.reference import Reference
from fusion.explore.space import Space


@dataclass(frozen=True)
class Compared:
    """What two clips have in common.

    cosine       : in the space, −1 to 1
    raw          : of the vectors as they are; high for any two clips of most encoders, so no threshold of it means much
    space        : the space's name
    percentile   : of `cosine` among random pairs, 0 to 100
    percentiles  : what the reference is called -> percentile among it, in the order of `Percentiles.all`
    same_content : the two vectors are equal bit for bit: the same clip
    """

    cosine: float
    raw: float
    space: str
    percentile: float
    percentiles: dict[str, float]
    same_content: bool

    def as_dict(self, percentiles: Percentiles) -> dict[str, Any]:
        """JSON-able, with what each percentile is among."""
        return {
            "cosine": self.cosine,
            "raw_cosine": self.raw,
            "space": self.space,
            "same_content": self.same_content,
            "percentile": self.percentile,
            "references": [_about(found) | {"percentile": self.percentiles[found.what]} for found in percentiles.all],
            "seed": percentiles.seed,
        }


def compare(first: Float32, second: Float32, space: Space, percentiles: Percentiles) -> Compared:
    """`first` and `second` are (dim,) vectors of the space's maker. Raises InputError for another width."""
    one, two = space.transform(np.stack([first, second]))
    cosine = float(np.clip(one @ two, -1.0, 1.0))
    return Compared(
        cosine=cosine,
        raw=raw_cosine(first, second),
        space=space.name,
        percentile=percentiles.of_random(cosine),
        percentiles={found.what: found.percentile(cosine) for found in percentiles.all},
        same_content=bool(np.array_equal(first, second)),
    )


def raw_cosine(first: Float32, second: Float32) -> float:
    """0 where a vector has no length."""
    one, two = np.asarray(first, np.float64), np.asarray(second, np.float64)
    lengths = float(np.linalg.norm(one) * np.linalg.norm(two))
    return float(np.clip(one @ two / lengths, -1.0, 1.0)) if lengths else 0.0


def _about(found: Reference) -> dict[str, Any]:
    return {
        "what": found.what,
        "pairs": len(found),
        "of": found.possible,
        "median": found.quantile(0.5),
        "p05": found.quantile(0.05),
        "p95": found.quantile(0.95),
    }
