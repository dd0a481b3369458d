"""Scores that others have published of emotion2vec_plus_large on its own example, to hold one's own against."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from extractors.types import Float32

if TYPE_CHECKING:
    from extractors.emotion2vec.extractor import Emotion2vecExtractor

NAME = "emotion2vec_plus_large"
SAMPLE = Path("example", "test.wav")  # in the model's folder
LABELS = ("angry", "disgusted", "fearful", "happy", "neutral", "other", "sad", "surprised", "unknown")
SIZES = {"dimensions": 1024, "heads": 16, "blocks": 12}  # 12: 4 in the prenet and 8 after it

# What FunASR's `AutoModel.generate(f"{model_path}/example/test.wav", granularity="utterance")` printed for the model
# iic/emotion2vec_plus_large on two machines. Both outputs stand as comments in public scripts: the first in a copy of
# FunASR's examples/industrial_data_pretraining/emotion2vec/demo.py, the second in a collection of FunASR examples.
SCORES = np.array(
    [
        [
            1.0,
            4.294446742658664e-12,
            7.61923163450362e-12,
            1.8145565605642844e-10,
            7.18820003520193e-11,
            1.369129571678453e-14,
            9.774003828511013e-11,
            8.875773449545932e-10,
            5.661997978550056e-21,
        ],
        [
            1.0,
            4.307079432691596e-12,
            7.651620656523583e-12,
            1.8212416297291867e-10,
            7.213059316502068e-11,
            1.3731805914519914e-14,
            9.798530042903764e-11,
            8.913316751346656e-10,
            5.704816692153179e-21,
        ],
    ]
)  # (machines, classes)

TOLERANCE = 1e-3  # of a score
SURE = 0.999  # at least this much for "angry"
FACTOR = 1.1  # between small scores; the two machines are a factor of 1.008 apart


@dataclass(frozen=True, slots=True)
class PublishedDifference:
    """Scores beside the nearer of the two published rows.

    largest : of the nine absolute differences
    factor : by which the most different class is off, 1 or more; it tells models apart that are all sure of "angry"
    angry : the score of that class
    """

    largest: float
    factor: float
    angry: float

    @property
    def within(self) -> bool:
        return self.largest <= TOLERANCE and self.angry >= SURE


def unlike_published(extractor: Emotion2vecExtractor) -> str | None:
    """Why the model cannot be the published large one, from all that shows before it is run; or None."""
    encoder = extractor.encoder
    sizes = {"dimensions": encoder.dim, "heads": encoder.network.blocks[0].heads, "blocks": encoder.num_layers}
    for name, expected in SIZES.items():
        if sizes[name] != expected:
            return f"{sizes[name]} {name}, not {expected}"
    if extractor.labels != LABELS:
        return f"other classes: {', '.join(extractor.labels) or 'none'}"
    if not (extractor.folder.path / SAMPLE).is_file():
        return f"no {SAMPLE} in its folder"
    return None


def compare_with_published(scores: Float32) -> PublishedDifference:
    """(classes,) scores of the example beside those published.

    >>> compare_with_published(SCORES[1].astype(np.float32)).within
    True
    >>> compare_with_published(np.full(9, 1 / 9, np.float32)).within
    False
    """
    row = min(SCORES, key=lambda published: float(np.abs(scores - published).max()))
    with np.errstate(divide="ignore"):
        factor = float(np.exp(np.abs(np.log(scores.astype(np.float64)) - np.log(row)).max()))
    return PublishedDifference(float(np.abs(scores - row).max()), factor, float(scores[LABELS.index("angry")]))
