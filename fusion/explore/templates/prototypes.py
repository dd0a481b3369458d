"""A label as one vector, or several: what new clips are compared with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans

from extractors.errors import InputError
from extractors.types import Float32

Kind = Literal["mean", "medoid", "several"]
KINDS: tuple[Kind, ...] = get_args(Kind)
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Prototypes:
    """Directions, each of one class.

    vectors : (prototypes, dim) float32 of unit length
    classes : (prototypes,) int64, ascending; every class has at least one
    shots   : (prototypes,) int64, the clips that each stands for
    rows    : (prototypes,) int64, the clip that a medoid is; −1 where a prototype is no clip
    """

    vectors: Float32
    classes: Ints
    shots: Ints
    rows: Ints

    def __len__(self) -> int:
        return len(self.classes)

    def cosines(self, unit: Float32) -> tuple[Float32, Ints]:
        """(rows, classes) float32, the cosine to the nearest prototype of each class, and (rows,) the nearest of all."""
        every = np.clip(unit @ self.vectors.T, -1.0, 1.0)  # (rows, prototypes)
        starts = np.searchsorted(self.classes, np.arange(self.classes[-1] + 1))
        return np.maximum.reduceat(every, starts, axis=1), every.argmax(axis=1).astype(np.int64)


def make_prototypes(unit: Float32, targets: Ints, *, kind: Kind = "mean", each: int = 3, seed: int = 0) -> Prototypes:
    """Prototypes of (rows, dim) `unit` vectors, as `Space` makes them, of the classes (rows,) 0, 1, … without a gap.

    mean    : the direction of the mean of a class's clips (Snell, Swersky & Zemel, "Prototypical networks for few-shot
              learning", NeurIPS 2017, eq. 1, with the cosine for their distance)
    medoid  : the clip that is most like the others of its class: one that can be listened to
    several : the centres of k-means, `each` a class or as many as it has different clips, for a label with many faces

    Raises InputError for another kind, or an `each` that is no count.

    >>> unit = np.array([[1, 0], [0.8, 0.6], [0.6, 0.8], [-1, 0]], np.float32)
    >>> make_prototypes(unit, np.array([0, 0, 0, 1]), kind="medoid").vectors.tolist()
    [[0.800000011920929, 0.6000000238418579], [-1.0, 0.0]]
    """
    if kind not in KINDS:
        raise InputError(f"kind: expected {', '.join(KINDS)}, got {kind!r}")
    if isinstance(each, bool) or not isinstance(each, int) or each < 1:
        raise InputError(f"each: expected how many prototypes a label has, at least 1, got {each!r}")
    vectors, classes, shots, chosen = [], [], [], []
    for number in range(int(targets.max()) + 1):
        rows = np.flatnonzero(targets == number)
        found, sizes, clips = _of_class(unit[rows], kind, each, seed)
        vectors.append(found)
        shots.append(sizes)
        classes.append(np.full(len(found), number, np.int64))
        chosen.append(np.where(clips >= 0, rows[clips], -1))
    return Prototypes(np.concatenate(vectors), *(np.concatenate(part) for part in (classes, shots, chosen)))


def _of_class(unit: Float32, kind: Kind, each: int, seed: int) -> tuple[Float32, Ints, Ints]:
    """Vectors, how many clips each stands for, and which clip it is."""
    count = np.array([len(unit)], np.int64)
    none = np.array([-1], np.int64)
    if kind == "medoid":
        best = int((unit @ unit.mean(axis=0)).argmax())  # the mean of the cosines is the cosine's mean: one product
        return unit[best : best + 1], count, np.array([best], np.int64)
    wanted = min(each, len(np.unique(unit, axis=0))) if kind == "several" else 1
    if wanted == 1:
        return _directions(unit.mean(axis=0, keepdims=True)), count, none
    fitted = KMeans(wanted, n_init=10, random_state=seed).fit(unit)
    sizes = np.bincount(fitted.labels_, minlength=wanted)
    return _directions(fitted.cluster_centers_), sizes.astype(np.int64), np.full(wanted, -1, np.int64)


def _directions(vectors: NDArray[np.floating]) -> Float32:
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.divide(vectors, length, out=np.zeros_like(vectors), where=length > 1e-12).astype(np.float32)
