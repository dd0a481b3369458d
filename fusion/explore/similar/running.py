"""Does this *run* like that: two clips frame by frame, and how unusual their likeness is among clips of a collection."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any

import numpy as np

from extractors.errors import InputError
from extractors.fingerprint import fingerprint
from extractors.types import Embedding, Float32
from fusion.explore.collection import Collection
from fusion.explore.similar.contents import Contents
from fusion.explore.similar.reference import Reference
from fusion.explore.similar.warping import Alignment, align, shorten
from fusion.explore.sources import FileVectors, VectorSource
from fusion.explore.space import Kind, Space

log = logging.getLogger(__name__)

CLIPS, PAIRS, LONGEST = 40, 400, 1500
FILES_RATE = 50.0  # Hz, as Emotion2Vec+ writes its frames


@dataclass(frozen=True)
class Running:
    """How two clips run alike.

    alignment  : of the frames of `first` and `second`, each (frames, dim) float32 of unit length in `space`
    reference  : mean cosines along the paths of random pairs of the collection's clips
    clips      : how many clips those are of
    factor     : how many of the encoder's frames make one here
    frame_rate : Hz, of the frames here
    starts     : seconds at which the two begin in their clips
    reference_seconds : median length of the reference's clips as they were compared
    """

    first: Float32
    second: Float32
    alignment: Alignment
    space: Space
    reference: Reference
    clips: int
    factor: int
    frame_rate: float
    starts: tuple[float, float]
    reference_seconds: float
    movement: bool

    @property
    def percentile(self) -> float:
        """Of the mean cosine, among random pairs."""
        return self.reference.percentile(self.alignment.similarity)

    @property
    def seconds(self) -> tuple[float, float]:
        return len(self.first) / self.frame_rate, len(self.second) / self.frame_rate

    def as_dict(self) -> dict[str, Any]:
        """JSON-able."""
        return {
            "cosine": self.alignment.similarity,
            "percentile": self.percentile,
            "space": self.space.name,
            "movement": self.movement,
            "seconds": list(self.seconds),
            "frame_rate": self.frame_rate,
            "frames_averaged": self.factor,
            "references": [
                {
                    "what": self.reference.what,
                    "pairs": len(self.reference),
                    "clips": self.clips,
                    "median": self.reference.quantile(0.5),
                    "p05": self.reference.quantile(0.05),
                    "p95": self.reference.quantile(0.95),
                    "median_seconds": self.reference_seconds,
                    "percentile": self.percentile,
                }
            ],
        }


def compare_running(
    first: Embedding,
    second: Embedding,
    source: VectorSource,
    collection: Collection,
    *,
    kind: Kind = "centred",
    movement: bool = False,
    clips: int = CLIPS,
    pairs: int = PAIRS,
    longest: int = LONGEST,
    band: float | None = None,
    rate: float | None = None,
    seed: int = 0,
) -> Running:
    """Align two clips, and random pairs of the collection in the same way.

    kind     : how frames are compared; the statistics are of the frames of the clips drawn
    movement : take each clip's own mean away first: what is left is how it moves, not whose voice it is
    clips    : so many of the collection are drawn, and embedded where the store has not their frames
    pairs    : of these clips, at most
    longest  : frames; where one of the two has more, neighbours are averaged, as many in every clip
    rate     : frames a second; None: the encoder's, 50 for files

    Raises InputError where there are no frames, or no two clips to compare with.
    """
    for name, value, least in (("clips", clips, 2), ("pairs", pairs, 1), ("longest", longest, 2)):
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise InputError(f"frames.{name}: expected a whole number, at least {least}, got {value!r}")
    frames_rate = frame_rate(source, rate)
    one, two = _frames(first, "a"), _frames(second, "b")
    factor = ceil(max(len(one), len(two)) / longest)
    rows, sampled = sample_frames(source, collection, clips=clips, most=longest * factor, seed=seed)
    prepared = [_prepared(frames, factor, movement) for frames in sampled]
    made_by = fingerprint({"frames_of": collection.maker.fingerprint, "movement": movement})
    space = Space.fit(np.concatenate(prepared), kind=kind, fingerprint=made_by, seed=seed)
    units = [space.transform(frames) for frames in prepared]
    a, b = (space.transform(_prepared(frames, factor, movement)) for frames in (one, two))
    seconds = [len(unit) * factor / frames_rate for unit in units]
    found = Running(
        first=a,
        second=b,
        alignment=align(a, b, band=band),
        space=space,
        reference=_reference(units, Contents(collection.take(rows)), pairs=pairs, band=band, seed=seed),
        clips=len(units),
        factor=factor,
        frame_rate=frames_rate / factor,
        starts=(first.start, second.start),
        reference_seconds=float(np.median(seconds)),
        movement=movement,
    )
    _tell_of_lengths(found)
    return found


def frame_rate(source: VectorSource, rate: float | None = None) -> float:
    """Hz. InputError where frames are not of time, as a text's tokens."""
    if rate is not None:
        if not 0 < rate <= 1000:
            raise InputError(f"frames.rate: expected frames a second, got {rate}")
        return float(rate)
    if isinstance(source, FileVectors):
        return FILES_RATE
    known = getattr(getattr(source, "extractor", None), "frame_rate", None)
    if known is None:
        raise InputError(
            f"{source.maker.name} has no frames in time: whether two clips run alike cannot be said",
            hint="Use a speech encoder (modality=speech), or .npy files of frames.",
        )
    return float(known)


def sample_frames(
    source: VectorSource, collection: Collection, *, clips: int, most: int, seed: int
) -> tuple[list[int], list[Float32]]:
    """Rows drawn from the collection, and the first `most` frames of each. Clips that cannot be had are passed over."""
    order = np.random.default_rng(seed).permutation(len(collection))
    rows: list[int] = []
    sampled: list[Float32] = []
    problems: list[str] = []
    for row in map(int, order):
        if len(rows) == clips or len(problems) > clips:  # most would fail for the same reason
            break
        try:
            frames = source.frames_of(collection, row).frames
        except InputError as error:
            problems.append(error.summary)
            continue
        if frames is None:
            problems.append(f"{collection.ids[row]} holds a vector, and no frames")
            continue
        rows.append(row)
        sampled.append(frames[:most].copy())  # a view would keep an hour of frames
    if len(rows) < 2:
        raise InputError("a percentile needs frames of at least 2 clips of the collection", problems)
    if problems:
        log.warning("%d clips had no frames and were passed over: %s", len(problems), problems[0])
    return rows, sampled


def _frames(embedding: Embedding, name: str) -> Float32:
    if embedding.frames is None or not len(embedding.frames):
        raise InputError(f"{name} has no frames, only a vector of the whole clip")
    return embedding.frames


def _prepared(frames: Float32, factor: int, movement: bool) -> Float32:
    if movement:
        frames = frames - frames.mean(axis=0, dtype=np.float64).astype(np.float32)
    return shorten(frames, factor)


def _reference(units: Sequence[Float32], contents: Contents, *, pairs: int, band: float | None, seed: int) -> Reference:
    first, second = np.triu_indices(len(units), k=1)
    apart = np.flatnonzero(~contents.same(first, second))
    if not len(apart):
        raise InputError(f"a percentile needs different clips; all {len(units)} that were drawn hold the same")
    if len(apart) > pairs:
        apart = np.sort(np.random.default_rng(seed).choice(apart, pairs, replace=False))
    values = [align(units[first[i]], units[second[i]], band=band).similarity for i in apart]
    return Reference("random pairs", np.sort(np.array(values, np.float32)), len(first))


def _tell_of_lengths(found: Running) -> None:
    a, b = found.seconds
    for name, seconds in (("a", a), ("b", b)):
        ratio = seconds / found.reference_seconds
        if not 1 / 3 <= ratio <= 3:
            log.warning(
                "%s lasts %.1f s, the clips that it is measured against %.1f s (median): their percentile says little",
                name,
                seconds,
                found.reference_seconds,
            )
