"""Stretches of speech with one label on top: what goes into the tracks that annotators open."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from extractors.types import Float32
from fusion.explore.trajectory.activity import stretches
from fusion.explore.trajectory.result import Bools, Run

SHORTEST = 0.2  # s; a shorter run joins the one before it


def runs_of(
    rate: float,
    spoken: Bools,
    scores: Float32 | None,
    labels: Sequence[str],
    owner: NDArray[np.int64],
    names: Sequence[str],
    segment: NDArray[np.int64],
) -> tuple[Run, ...]:
    """In order of time; every spoken row lies in exactly one run, and a run has one speaker.

    Without scores a run is what lies between two changes, and is called by its number: "segment 3".
    """
    heard = spoken if scores is None else spoken & np.isfinite(scores[:, 0])
    top = segment if scores is None else np.where(heard, np.argmax(np.nan_to_num(scores, nan=-1.0), axis=1), -1)
    least = max(1, round(SHORTEST * rate))
    runs = []
    for start, stop in stretches(heard):
        for begin, end in _equal(owner, start, stop, 1):
            for first, last in _equal(top, begin, end, least if scores is not None else 1):
                # of a joined run, what most of its rows have on top
                values, counts = np.unique(top[first:last], return_counts=True)
                best = int(values[counts.argmax()])
                runs.append(
                    Run(
                        start_s=round(first / rate, 3),
                        end_s=round(last / rate, 3),
                        label=f"segment {best}" if scores is None else labels[best],
                        score=None if scores is None else float(scores[first:last, best].mean()),
                        speaker=names[owner[first]] if owner[first] >= 0 else None,
                    )
                )
    return tuple(runs)


def _equal(values: NDArray[np.int64], start: int, stop: int, least: int) -> list[tuple[int, int]]:
    """(start, stop) of runs of one value within a stretch; those shorter than `least` join the one before, the first the next.

    >>> _equal(np.array([1, 1, 1, 2, 1, 1, 3, 3, 3]), 0, 9, 2)
    [(0, 6), (6, 9)]
    """
    edges = [start, *(start + 1 + np.flatnonzero(np.diff(values[start:stop]))).tolist(), stop]
    kept = [edges[0]]
    for begin, end in pairwise(edges):
        joins = end - begin < least or values[begin] == values[kept[-1]]
        if begin != edges[0] and not joins:
            kept.append(begin)
    if len(kept) > 1 and kept[1] - kept[0] < least:
        kept.pop(1)
    return list(zip(kept, [*kept[1:], stop], strict=True))
