"""The words that extractors and everything after them share: clip, embedding, extractor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

Modality = Literal["speech", "text"]
MODALITIES: tuple[Modality, ...] = ("speech", "text")

Float32 = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Clip:
    """One row to embed: a span of an audio file, a text, or both.

    `start` and `end` are seconds into the file; None means its beginning or its end.
    """

    id: str
    audio: Path | None = None
    text: str | None = None
    start: float | None = None
    end: float | None = None


@dataclass(frozen=True, slots=True)
class Embedding:
    """What an extractor says of one clip.

    vector : (dim,) float32, pooled over the clip
    frames : (frames, frames_dim) float32 or None; one row per audio frame, or per text token
    scores : (classes,) float32 or None; probabilities, only of models that classify
    labels : the names of `scores`, in its order
    start  : seconds into the clip at which `frames` begin; above 0 only where silence was trimmed. Stores do not keep it
    """

    vector: Float32
    frames: Float32 | None = None
    scores: Float32 | None = None
    labels: tuple[str, ...] = ()
    start: float = 0.0


@runtime_checkable
class Extractor(Protocol):
    """Signals to vectors. One verb.

    `extract` takes decoded speech, (samples,) float32 mono at 16 kHz in [-1, 1], where `modality` is
    "speech", and strings where it is "text"; it answers in the order given. A clip's answer never depends
    on its batch mates.

    `fingerprint` is a hex digest of all that changes the numbers (model id, weight hash, settings that
    matter, the resampler), and of nothing else: not of batch size, device or thread count.
    `describe()` is the same as readable JSON-able data, for bundles and reports.

    Where frames are not as wide as vectors, an attribute `frames_dim` says how wide they are.
    """

    @property
    def name(self) -> str: ...
    @property
    def modality(self) -> Modality: ...
    @property
    def dim(self) -> int: ...
    @property
    def frame_rate(self) -> float | None: ...  # Hz; None where frames are tokens, or there are none
    @property
    def fingerprint(self) -> str: ...
    def describe(self) -> dict[str, Any]: ...
    def extract(self, clips: Sequence[Any], *, frames: bool = False) -> list[Embedding]: ...
