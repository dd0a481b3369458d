"""From places between steps to moments with a name: when exactly, and what is on top before and after."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from extractors.types import Float32
from fusion.explore.trajectory.activity import stretches
from fusion.explore.trajectory.changes import Search, find_changes
from fusion.explore.trajectory.recording import FRAME_RATE
from fusion.explore.trajectory.result import NO_SPEAKER, Bools, Change, Float64
from fusion.explore.trajectory.windows import WINDOW_STEPS, Grid

MOVED_FEATURES = 2  # named of a change without labels


class Rows(NamedTuple):
    """rate (Hz), labels, scores (rows, classes) or None, valence (rows,) or None, owner (rows,): who speaks, or -1."""

    rate: float
    labels: tuple[str, ...]
    scores: Float32 | None
    valence: Float64 | None
    owner: NDArray[np.int64]


class Signal(NamedTuple):
    """points (steps, dims) that changes are looked for in, NaN without speech; floor of its noise; owner (steps,);
    standard (steps, features) and the names of those features, empty where they have none.
    """

    points: Float32
    floor: float
    owner: NDArray[np.int64]
    standard: Float32
    names: Sequence[str]


def changes_of(
    signal: Signal, rows: Rows, spoken: Bools, grid: Grid, search: Search, names: Sequence[str]
) -> tuple[tuple[Change, ...], NDArray[np.int64]]:
    """The changes of the recording, or of each speaker's own steps one after the other; and (rows,) numbers of the stretches
    between them, 0 where nothing is said.
    """
    quiet = stretches(~spoken)
    segment = np.zeros(len(rows.owner), np.int64)
    audible = row_mask(spoken, len(rows.owner), rows.rate)
    changes: list[Change] = []
    # with a transcript, what nobody says is nobody's change
    for speaker in sorted(set(rows.owner.tolist()) - {NO_SPEAKER}) if names else [NO_SPEAKER]:
        own_rows = audible & (rows.owner == speaker)
        steps = np.flatnonzero(np.isfinite(signal.points[:, 0]) & (signal.owner == speaker))
        points = signal.points[steps].astype(np.float64)
        found = find_changes(points, search, hop=grid.hop, lag=WINDOW_STEPS, floor=signal.floor)
        times = [_moment(steps[one.place - 1], steps[one.place], quiet, grid) for one in found]
        starts = [0, *(round(time * rows.rate) for time in times), len(segment)]
        parts = [own_rows & _between(len(segment), a, b) for a, b in pairwise(starts)]
        for number, part in enumerate(parts):
            segment[part] = number + 1
        edges = [0, *(one.place for one in found), len(steps)]
        for number, (one, time) in enumerate(zip(found, times, strict=True)):
            before, after = (steps[edges[number + i] : edges[number + i + 1]] for i in (0, 1))
            changes.append(
                Change(
                    time_s=round(float(time), 3),
                    rank=0,
                    evidence=one.evidence,
                    distance=one.distance,
                    features=() if rows.labels else _moved(signal, before, after),
                    speaker=names[speaker] if speaker >= 0 else None,
                    **_tops(rows, parts[number], "before"),
                    **_tops(rows, parts[number + 1], "after"),
                )
            )
    return _ranked(changes), segment


def row_mask(spoken: Bools, rows: int, rate: float) -> Bools:
    """(rows,) bool from (frames,) bool: rows of frames as they are, longer rows where a fifth of them is spoken."""
    if rate == FRAME_RATE:
        return spoken
    return Grid(seconds=rows / rate, window=WINDOW_STEPS / rate).spoken(spoken)


def _moment(last: int, first: int, quiet: Sequence[tuple[int, int]], grid: Grid) -> float:
    """Seconds: between step `last` and step `first`; in the middle of the longest pause within a step of there, if any."""
    begin, end = (last + 1) * grid.hop, first * grid.hop
    low, high = (begin - grid.hop) * FRAME_RATE, (end + grid.hop) * FRAME_RATE
    pauses = [span for span in quiet if span[0] < high and span[1] > low]
    if not pauses:
        return (begin + end) / 2
    start, stop = max(pauses, key=lambda span: span[1] - span[0])
    return (start + stop) / 2 / FRAME_RATE


def _between(rows: int, start: int, stop: int) -> Bools:
    mask = np.zeros(rows, bool)
    mask[start:stop] = True
    return mask


def _tops(rows: Rows, part: Bools, side: str) -> dict[str, Any]:
    """The label on top of a stretch, by its mean score, and its mean valence."""
    if rows.scores is None or not part.any():
        return {}
    means = np.nanmean(rows.scores[part], axis=0)
    best = int(means.argmax())
    found: dict[str, Any] = {side: rows.labels[best], f"{side}_score": float(means[best])}
    if rows.valence is not None and np.isfinite(rows.valence[part]).any():
        found[f"{side}_valence"] = float(np.nanmean(rows.valence[part]))
    return found


def _moved(signal: Signal, before: NDArray[np.int64], after: NDArray[np.int64]) -> tuple[tuple[str, float], ...]:
    if not signal.names:
        return ()
    by = signal.standard[after].mean(axis=0) - signal.standard[before].mean(axis=0)
    most = np.argsort(-np.abs(by))[:MOVED_FEATURES]
    return tuple((signal.names[place], float(by[place])) for place in most)


def _ranked(changes: list[Change]) -> tuple[Change, ...]:
    order = sorted(range(len(changes)), key=lambda i: -changes[i].evidence)
    ranks = {place: rank for rank, place in enumerate(order, start=1)}
    ranked = [replace(change, rank=ranks[place]) for place, change in enumerate(changes)]
    return tuple(sorted(ranked, key=lambda change: change.time_s))
