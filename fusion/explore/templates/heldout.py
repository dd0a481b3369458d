"""What templates say of clips that they were not made of: all that a temperature and a threshold may be learnt from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import GroupKFold, StratifiedKFold

from extractors.types import Float32
from fusion.explore.templates.prototypes import Kind, make_prototypes

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
SPEAKER_FOLDS, ROW_FOLDS = 10, 5
SCALE = 10.0  # cosines of −1 to 1 are spread to the logits of a softmax; the temperature then only has to correct it


@dataclass(frozen=True)
class HeldOut:
    """Cosines of clips to templates that were made without them.

    cosines : (rows, classes) float64
    targets : (rows,) int64
    how     : in words, for whoever reads the result
    """

    cosines: Floats
    targets: Ints
    how: str

    def __len__(self) -> int:
        return len(self.targets)

    @property
    def logits(self) -> Floats:
        return SCALE * self.cosines


def hold_out(
    unit: Float32, targets: Ints, speakers: Sequence[str | None], *, kind: Kind, each: int, seed: int
) -> HeldOut:
    """Each clip against templates of the clips of other speakers; where speakers are not known, of other clips.

    Up to ten folds of speakers, or five of rows with the classes spread evenly. A fold whose rest lacks a class has no
    template of it, and its clips are left out. May come out empty: one clip a label leaves nothing to be held out.
    """
    known = [speaker for speaker in speakers if speaker is not None]
    count, by_class = len(set(known)), np.bincount(targets)
    if len(known) == len(targets) and count > 1:
        folds = GroupKFold(min(SPEAKER_FOLDS, count)).split(unit, targets, groups=list(speakers))
        how = f"each clip against templates of other speakers ({count})"
    elif by_class.min() > 1:
        splitter = StratifiedKFold(min(ROW_FOLDS, int(by_class.min())), shuffle=True, random_state=seed)
        folds = splitter.split(unit, targets)
        how = "each clip against templates of other clips, by the same speakers perhaps"
    else:
        return HeldOut(np.zeros((0, len(by_class))), np.zeros(0, np.int64), "one clip a label: none could be held out")
    cosines, found = [], []
    for others, here in folds:
        if (np.bincount(targets[others], minlength=len(by_class)) == 0).any():
            continue
        prototypes = make_prototypes(unit[others], targets[others], kind=kind, each=each, seed=seed)
        cosines.append(prototypes.cosines(unit[here])[0].astype(np.float64))
        found.append(targets[here])
    if not found:
        nothing = "a label has clips of one speaker alone: none could be held out"
        return HeldOut(np.zeros((0, len(by_class))), np.zeros(0, np.int64), nothing)
    return HeldOut(np.concatenate(cosines), np.concatenate(found), how)
