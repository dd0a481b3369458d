"""A classifier of a few labelled clips: the nearest template's label, with a probability that can be believed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from extractors.errors import InputError
from extractors.types import Float32
from fusion.evaluation.calibration import Calibration
from fusion.explore.collection import Collection, Maker
from fusion.explore.space import Space
from fusion.explore.templates.heldout import SCALE, Floats, HeldOut, hold_out
from fusion.explore.templates.prototypes import Kind, Prototypes, make_prototypes
from fusion.explore.templates.rejecting import Reject, learn
from fusion.explore.templates.scores import Scores

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Templates:
    """What `fit` makes of labelled clips and `score` compares others with.

    labels      : (classes,) in the order of the probabilities
    prototypes  : in `space`
    clips       : (prototypes,) id of the clip that each is; "" where it is none, as a mean
    maker       : what made the vectors; those of another are refused
    calibration : temperature and threshold; `rows` 0 where there was nothing to calibrate on
    calibrated  : how, or why not, in words
    kind        : "mean", "medoid" or "several"
    measured    : of the held-out clips: accuracy, ua (the mean recall of the labels), answered (share), and
                  accuracy_answered; empty where there were too few

    >>> import pandas as pd
    >>> rng = np.random.default_rng(0)
    >>> vectors = (np.repeat(np.eye(2, 5), 30, axis=0) + 0.3 * rng.normal(size=(60, 5))).astype(np.float32)
    >>> about = pd.DataFrame({"label": ["calm"] * 30 + ["tense"] * 30, "speaker": list("abcde") * 12})
    >>> clips = Collection(tuple(map(str, range(60))), vectors, about, Maker("m", "speech", 5, "f"))
    >>> templates = Templates.fit(clips, space=Space.fit(vectors, fingerprint="f"), reject=Reject(coverage=0.9))
    >>> scores = templates.score(np.array([[1, 0, 0, 0, 0], [0.5, 0.5, 0, 0, 0]], np.float32), maker=clips.maker)
    >>> scores.labels(), scores.calibrated
    (['calm', 'uncertain'], True)
    """

    labels: tuple[str, ...]
    prototypes: Prototypes
    clips: tuple[str, ...]
    space: Space
    maker: Maker
    calibration: Calibration
    calibrated: str
    kind: Kind = "mean"
    measured: dict[str, float] = field(default_factory=dict)

    @classmethod
    def fit(
        cls,
        collection: Collection,
        *,
        space: Space,
        validation: Collection | None = None,
        kind: Kind = "mean",
        each: int = 3,
        reject: Reject | None = None,
        labels: Sequence[str] | None = None,
        seed: int = 0,
    ) -> Templates:
        """Templates of the labelled rows of `collection`; rows without a label are passed over.

        space      : of the same maker; fitted to many clips, labelled or not, rather than to these few
        validation : rows to calibrate on; None: these rows, each held out from the templates that it is compared with
        kind, each : see `make_prototypes`
        reject     : see `Reject`; None: every answer is given
        labels     : their order; None: by name

        Raises InputError where there are fewer than two labels, or `reject` asks for what cannot be learnt.
        """
        if space.fingerprint != collection.maker.fingerprint:
            raise InputError(f"space {space.name} holds the statistics of other vectors than these clips'")
        few = collection.labelled()
        names = tuple(labels) if labels is not None else tuple(sorted({str(label) for label in few.column("label")}))
        targets = _targets(few, names)
        if len(names) < 2:
            raise InputError(
                f"templates need clips of at least 2 labels; these {len(collection):,} clips have "
                + (f"only {names[0]!r}" if names else "no label"),
                hint="Name a manifest with a column `label`: data.path=few.csv.",
            )
        if lacking := [name for number, name in enumerate(names) if not (targets == number).any()]:
            raise InputError(f"no clip has the label {', '.join(map(repr, lacking))}")
        unit = space.transform(few.vectors)
        prototypes = make_prototypes(unit, targets, kind=kind, each=each, seed=seed)
        if validation is None:
            heldout = hold_out(unit, targets, few.column("speaker"), kind=kind, each=each, seed=seed)
        else:
            heldout = _validated(validation, prototypes, space, names)
        calibration, how = learn(heldout, reject or Reject())
        clips = tuple(few.ids[row] if row >= 0 else "" for row in prototypes.rows)
        measured = {}
        if calibration.rows:
            probabilities = calibration.probabilities(heldout.logits)
            measured = measure(probabilities, heldout.targets, calibration.threshold)
        return cls(names, prototypes, clips, space, collection.maker, calibration, how, kind, measured)

    def score(self, vectors: Float32, *, maker: Maker) -> Scores:
        """(rows, dim) vectors of `maker`. Raises InputError where that is not the templates' own."""
        self.maker.check_same(maker)
        cosines, nearest = self.prototypes.cosines(self.space.transform(np.atleast_2d(vectors)))
        probabilities = self.calibration.probabilities(SCALE * cosines.astype(np.float64))
        threshold, calibrated = self.calibration.threshold, self.calibration.rows > 0
        return Scores(self.labels, probabilities, cosines, nearest, threshold, calibrated)

    @property
    def shots(self) -> dict[str, int]:
        """label -> how many clips its templates were made of."""
        classes, shots = self.prototypes.classes, self.prototypes.shots
        return {name: int(shots[classes == number].sum()) for number, name in enumerate(self.labels)}


def measure(probabilities: Floats, targets: Ints, threshold: float) -> dict[str, float]:
    """How good (rows, classes) `probabilities` are for (rows,) true classes. `accuracy_answered` is 0 where none is."""
    best, sure = probabilities.argmax(axis=1), probabilities.max(axis=1) >= threshold
    correct = best == targets
    recalls = [float(correct[targets == number].mean()) for number in np.unique(targets)]
    return {
        "rows": float(len(targets)),
        "accuracy": float(correct.mean()),
        "ua": float(np.mean(recalls)),
        "answered": float(sure.mean()),
        "accuracy_answered": float(correct[sure].mean()) if sure.any() else 0.0,
    }


def _targets(few: Collection, names: Sequence[str]) -> Ints:
    place = {name: number for number, name in enumerate(names)}
    given = [str(label) for label in few.column("label")]
    if strangers := sorted(set(given) - set(place)):
        raise InputError(f"labels that are not among {', '.join(names)}: {', '.join(strangers)}")
    return np.array([place[label] for label in given], dtype=np.int64)


def _validated(validation: Collection, prototypes: Prototypes, space: Space, names: Sequence[str]) -> HeldOut:
    rows = validation.labelled()
    targets = _targets(rows, names)
    cosines, _ = prototypes.cosines(space.transform(rows.vectors))
    return HeldOut(cosines.astype(np.float64), targets, "the rows whose split is val")
