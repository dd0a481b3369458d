"""FunASR's own `generate` and Emofuse on the same clip: are the numbers the same?"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
import torch

from extractors.audio import SAMPLE_RATE
from extractors.emotion2vec.quiet import undisturbed
from extractors.errors import EmofuseError
from extractors.types import Float32

if TYPE_CHECKING:
    from extractors.emotion2vec.extractor import Emotion2vecExtractor

log = logging.getLogger(__name__)

NEUTRAL: dict[str, Any] = {"layer": None, "loudness": None, "trim_silence": False}  # FunASR has none of these
TOLERANCE = 1e-4  # of any value, in float32
LEAST_COSINE = 0.99  # of faster precisions, which round; the lowest of int8 on random weights is 0.998


@dataclass(frozen=True, slots=True)
class Difference:
    """Emofuse's values beside FunASR's.

    largest : of the absolute differences
    cosine : between the two; of frames, the lowest
    """

    what: Literal["vector", "frames", "scores"]
    shape: tuple[int, ...]
    largest: float
    cosine: float

    def within(self, precision: str) -> bool:
        """Whether the difference is one of rounding. NaN never is."""
        if precision == "float32":
            return self.largest <= TOLERANCE
        return self.cosine >= LEAST_COSINE


@dataclass(frozen=True, slots=True)
class Comparison:
    """differences : of the vector, the frames and, where the model classifies, the scores
    ours, theirs : the class with the highest score by Emofuse and by FunASR; None for a model without classes
    """

    differences: tuple[Difference, ...]
    ours: str | None
    theirs: str | None


def compare_with_funasr(extractor: Emotion2vecExtractor, wave: Float32) -> Comparison:
    """Both on the same (samples,) float32 clip, mono, 16 kHz, no longer than the extractor's window.

    FunASR loads the extractor's own folder and computes on the processor in float32: on GPUs its convolutions would be
    rounded. It gets the clip decoded, so that its choice of a resampler does not count.
    Raises EmofuseError where FunASR cannot run the model or answers in another shape, ValueError for a longer clip and
    for an extractor whose settings are not `NEUTRAL`.
    """
    if extractor.layer is not None or extractor.conditioning.settings():
        raise ValueError(f"expected an extractor with {NEUTRAL}, which FunASR can equal")
    limit = round(extractor.window_seconds * SAMPLE_RATE)
    if len(wave) > limit:
        raise ValueError(f"expected at most {limit} samples, which are not cut in windows, got {len(wave)}")
    theirs = _funasr(extractor, wave)
    [ours] = extractor.extract([wave], frames=True)
    assert ours.frames is not None
    pairs: list[tuple[Literal["vector", "frames", "scores"], Any, Any]] = [
        ("vector", ours.vector, theirs.vector),
        ("frames", ours.frames, theirs.frames),
    ]
    if ours.scores is not None:
        if list(extractor.tokens) != theirs.tokens:
            raise EmofuseError(f"FunASR has the classes {theirs.tokens}, Emofuse {list(extractor.tokens)}")
        pairs.append(("scores", ours.scores, theirs.scores))
    differences = tuple(_difference(what, np.asarray(a), np.asarray(b)) for what, a, b in pairs)
    if ours.scores is None:
        return Comparison(differences, None, None)
    best = [extractor.labels[int(np.argmax(scores))] for scores in (ours.scores, theirs.scores)]
    return Comparison(differences, *best)


class _Answer(NamedTuple):
    vector: Float32
    frames: Float32
    scores: list[float]
    tokens: list[str]


def _funasr(extractor: Emotion2vecExtractor, wave: Float32) -> _Answer:
    """What FunASR says. The folder has been loaded by our own loader before, which lets no code and no pickle in."""
    threads = torch.get_num_threads()
    try:
        with undisturbed(), _unheard():
            from funasr import AutoModel

            model: Any = AutoModel(
                model=str(extractor.folder.path),
                trust_remote_code=False,  # said, for else the folder's own config.yaml may say it and bring code
                disable_update=True,
                disable_pbar=True,
                device="cpu",
                ncpu=threads,
                log_level="ERROR",
            )
            [utterance] = model.generate(wave.copy(), granularity="utterance")
            [frame] = model.generate(wave.copy(), granularity="frame")
    except Exception as error:  # whatever it raises, it means that there is nothing to compare with
        log.debug("FunASR failed", exc_info=True)
        reason = (str(error).strip() or type(error).__name__).split("\n", 1)[0]
        raise EmofuseError(f"FunASR itself cannot run this model: {reason}") from error
    return _Answer(utterance["feats"], frame["feats"], utterance["scores"], list(utterance["labels"]))


@contextmanager
def _unheard() -> Iterator[None]:
    """FunASR tells the root logger of every tensor that it loads, whatever `log_level` says; errors still pass."""
    before = logging.root.manager.disable
    logging.disable(max(before, logging.WARNING))
    try:
        yield
    finally:
        logging.disable(before)


def _difference(what: Literal["vector", "frames", "scores"], ours: Any, theirs: Any) -> Difference:
    if ours.shape != theirs.shape:
        raise EmofuseError(f"{what}: FunASR gave the shape {theirs.shape}, Emofuse {ours.shape}")
    a, b = ours.astype(np.float64), theirs.astype(np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        cosines = (a * b).sum(-1) / (np.linalg.norm(a, axis=-1) * np.linalg.norm(b, axis=-1))
    return Difference(what, ours.shape, float(np.abs(a - b).max()), float(np.min(cosines)))
