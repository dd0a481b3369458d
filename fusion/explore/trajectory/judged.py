"""What a bundle says of a recording: its own labels, for windows that slide over it."""

from __future__ import annotations

from typing import Any

import numpy as np

from extractors.errors import InputError
from extractors.types import Modality
from fusion.data.sequences import ArraySequences
from fusion.explore.trajectory.heard import Heard
from fusion.explore.trajectory.recording import Recording
from fusion.explore.trajectory.result import Bools
from fusion.explore.trajectory.windows import Grid, slide
from fusion.explore.trajectory.words import Words
from fusion.meeting.transcript import Transcript
from fusion.predictor import Predictor


def hear_bundle(
    predictor: Predictor, recording: Recording, spoken: Bools, grid: Grid, transcript: Transcript | None
) -> Heard:
    """The bundle's probabilities for each step; its words are those of the utterance in whose time the step's middle lies."""
    if "speech" not in predictor.info.dims:
        raise InputError("this bundle reads text only: there is nothing to follow over a recording")
    extractor = predictor.extractor("speech")
    steps = np.flatnonzero(grid.spoken(spoken)).tolist()
    words = Words(predictor, transcript, grid) if "text" in predictor.info.dims else None
    vectors = np.full((grid.steps, extractor.dim), np.nan, np.float32)
    scores = np.full((grid.steps, len(predictor.labels)), np.nan, np.float32)
    for places, found in slide(extractor, recording, steps, grid, frames=predictor.sequences):
        vectors[places] = [embedding.vector for embedding in found]
        speech: Any = vectors[places]
        if predictor.sequences:
            speech = ArraySequences([embedding.frames for embedding in found], dim=predictor.info.dims["speech"])
        features: dict[Modality, Any] = {"speech": speech}
        present: dict[Modality, Bools] = {"speech": np.ones(len(places), bool)}
        if words is not None:
            features["text"], present["text"] = words.of_steps(places)
        scores[places] = predictor.probabilities(features, present)
    names = getattr(extractor, "feature_names", ())
    return Heard(1 / grid.hop, predictor.labels, scores, vectors, scores, names)
