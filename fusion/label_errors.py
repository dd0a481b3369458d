"""Labels that a listener might not give: a list to listen to, not a verdict and not a count.

Confident learning of Northcutt, Jiang & Chuang, "Confident Learning: Estimating Uncertainty in Dataset Labels", Journal
of Artificial Intelligence Research 70, 2021. A row is listed where the model, which never trained on it, gives another
label at least the probability that rows of that label get on average. The model errs as well: where two emotions sound
alike, or a speaker is like no other, it is the model that is wrong.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from extractors.files import write_text
from fusion.data.table import FeatureTable
from fusion.evaluation.scored import Scored

log = logging.getLogger(__name__)

SURE = 0.9  # calibrated probability of another label from which the model counts as sure
ROUNDING = 1e-9  # by which the mean of equal numbers may miss them
ABOUT_THE_ROW = ("audio", "start", "end", "text", "speaker")  # what one needs in order to listen, where it is known


def find_label_errors(scored: Scored, labels: Sequence[str]) -> pd.DataFrame:
    """The tested rows whose label the model leans away from, the least believed first.

    The threshold of a class j is the mean probability of j over the rows labelled j (eq. 2 of the paper); a row labelled
    i is counted to j where p_j reaches j's threshold, and p_j is the largest of those that reach theirs (eq. 1, the
    confident joint). Rows with j other than i are listed, ranked by the probability of their own label ("self-confidence",
    section 4.2). Thresholds by class allow for classes of which the model is never sure.

    Args:
        scored: what models said of rows that they were not trained on. Where several judged a row (other seeds, repeated
            cross-validation), the mean of their probabilities counts.
        labels: the names of the classes.

    Returns:
        DataFrame of `rank` (from 1), `id`, `label`, `suggested`, `p_label`, `p_suggested` and `margin`, their difference.

    >>> sure, unsure = [0.9, 0.1], [0.2, 0.8]
    >>> probabilities = [sure, sure, unsure, unsure, unsure]
    >>> scored = Scored(ids=list("abcde"), targets=[0, 0, 1, 1, 0], probabilities=probabilities,
    ...                 uncalibrated=probabilities)
    >>> find_label_errors(scored, ["calm", "angry"]).round(2).to_dict("records")
    [{'rank': 1, 'id': 'e', 'label': 'calm', 'suggested': 'angry', 'p_label': 0.2, 'p_suggested': 0.8, 'margin': 0.6}]
    """
    ids, targets, probabilities = _by_row(scored)
    thresholds = _thresholds(probabilities, targets)
    reaching = np.where(probabilities >= thresholds - ROUNDING, probabilities, -1.0)  # (rows, classes)
    counted = np.where(reaching.max(axis=1) >= 0, reaching.argmax(axis=1), targets)  # (rows,)
    found = np.flatnonzero(counted != targets)
    own = probabilities[found, targets[found]]
    other = probabilities[found, counted[found]]
    order = np.lexsort((own - other, own))  # of equals, the larger margin first
    names = np.array(labels, dtype=object)
    return pd.DataFrame(
        {
            "rank": np.arange(1, len(found) + 1),
            "id": ids[found][order],
            "label": names[targets[found]][order],
            "suggested": names[counted[found]][order],
            "p_label": own[order],
            "p_suggested": other[order],
            "margin": (other - own)[order],
        }
    )


def write_label_errors(path: Path, scored: Scored, table: FeatureTable) -> int:
    """Write `find_label_errors` with what it takes to listen to each row, as CSV in UTF-8. Returns how many there are.

    Columns: rank, id, audio, start, end, text and speaker as far as the table knows them, label, suggested, p_label,
    p_suggested, margin; and where labels are distributions, share_suggested, which annotators gave to the suggested one.
    """
    frame = find_label_errors(scored, table.labels)
    ids = table.rows["id"].astype(str)
    place = pd.Series(np.arange(len(table)), index=ids).reindex(frame["id"]).to_numpy(np.int64)
    rows = table.rows.iloc[place]
    known = [name for name in ABOUT_THE_ROW if name in rows and table.rows[name].notna().any()]
    for position, name in enumerate(known, start=2):
        frame.insert(position, name, rows[name].to_numpy())
    if table.soft is not None:
        column = {name: number for number, name in enumerate(table.labels)}
        frame["share_suggested"] = table.soft[place, frame["suggested"].map(column).to_numpy(np.int64)]
    write_text(Path(path), frame.to_csv(index=False, float_format="%.6f", lineterminator="\n"))
    tested, labelled = scored.utterances, int((table.targets >= 0).sum())
    log.info("%s", _sentence(frame, scored))
    if tested < labelled:
        log.info(
            "the other %s labelled rows were not tested by a model that had not seen them, so nothing is said of them; "
            "a cross-validation (split=group_kfold) tests every row",
            f"{labelled - tested:,}",
        )
    return len(frame)


def _sentence(frame: pd.DataFrame, scored: Scored) -> str:
    """How long the list is, how much of it the model is sure of, and how often the model is simply wrong."""
    tested = f"{scored.utterances:,}"
    if frame.empty:
        return f"label_errors.csv lists none of the {tested} tested rows"
    _, targets, probabilities = _by_row(scored)
    disagrees = int((probabilities.argmax(axis=1) != targets).sum())
    sure = int((frame["p_suggested"] >= SURE).sum())
    return (
        f"label_errors.csv: {len(frame):,} of {tested} tested rows to listen to first, where the model leans to another "
        f"label; of {sure:,} of them it is sure (probability {SURE} or more). It disagrees with {disagrees:,} of {tested} "
        "labels in all, and most of that may be its own mistakes: a list to listen to, not a count"
    )


def _by_row(scored: Scored) -> tuple[NDArray[np.object_], NDArray[np.int64], NDArray[np.float64]]:
    """Ids, targets and probabilities with each row once, in the order of their first appearance."""
    place, ids = pd.factorize(np.array(scored.ids, dtype=object))
    times = np.bincount(place, minlength=len(ids))
    sums = np.zeros((len(ids), scored.classes))
    np.add.at(sums, place, scored.probabilities)
    targets = np.zeros(len(ids), dtype=np.int64)
    targets[place] = scored.targets
    return np.asarray(ids, dtype=object), targets, sums / times[:, None]


def _thresholds(probabilities: NDArray[np.float64], targets: NDArray[np.int64]) -> NDArray[np.float64]:
    """(classes,) mean probability of each class over the rows of that label; beyond reach where there is none."""
    counts = np.bincount(targets, minlength=probabilities.shape[1])
    own = probabilities[np.arange(len(targets)), targets]
    sums = np.bincount(targets, weights=own, minlength=probabilities.shape[1])
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.inf)
