"""How much of an utterance others talk over."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from fusion.meeting.transcript import Utterance

MOST_SPEAKERS = 200  # looked at one by one; no meeting has more, a hostile file may


def overlap_shares(
    utterances: Sequence[Utterance], excluded_times: Sequence[tuple[float, float]] = ()
) -> NDArray[np.float64]:
    """(utterances,) float64 from 0 to 1: the part of each during which somebody else speaks.

    People left out by wish still sound: their `excluded_times` count. An utterance of nobody known is overlapped by
    every other; one without length by whoever speaks then, wholly or not at all.

    >>> said = [Utterance("1", 0.0, 4.0, "", "A"), Utterance("2", 3.0, 5.0, "", "B"), Utterance("3", 3.5, 3.8, "", "A")]
    >>> overlap_shares(said).tolist()
    [0.25, 0.5, 1.0]
    """
    shares = np.zeros(len(utterances))
    starts = np.array([u.start_s for u in utterances], dtype=np.float64)
    ends = np.array([u.end_s for u in utterances], dtype=np.float64)
    names = np.array([u.speaker or "" for u in utterances], dtype=object)
    others = np.array(excluded_times, dtype=np.float64).reshape(-1, 2)
    known = sorted(set(names) - {""})
    if len(known) > MOST_SPEAKERS:
        names[:] = ""
        known = []
    for name in known:
        own = names == name
        talk = Talk(np.concatenate([starts[~own], others[:, 0]]), np.concatenate([ends[~own], others[:, 1]]))
        shares[own] = talk.share(starts[own], ends[own])
    own = names == ""
    if own.any():
        talk = Talk(np.concatenate([starts, others[:, 0]]), np.concatenate([ends, others[:, 1]]), at_once=2)
        shares[own] = talk.share(starts[own], ends[own])
    return shares


class Talk:
    """The stretches where at least `at_once` of some intervals run. Intervals: seconds, (n,) each; any order."""

    def __init__(self, starts: NDArray[np.float64], ends: NDArray[np.float64], at_once: int = 1) -> None:
        times = np.concatenate([starts, ends])
        steps = np.concatenate([np.ones(len(starts)), -np.ones(len(ends))])
        order = np.argsort(times, kind="stable")
        self._times = times[order]
        running = np.cumsum(steps[order]) >= at_once  # from each of the times to the next
        lengths = np.diff(self._times, append=self._times[-1:])
        self._until = np.concatenate([[0.0], np.cumsum(np.where(running, lengths, 0.0))[:-1]]) if len(times) else times

    def seconds(self, starts: NDArray[np.float64], ends: NDArray[np.float64]) -> NDArray[np.float64]:
        """(n,) float64: how long they run within each of these stretches."""
        if not len(self._times):
            return np.zeros(len(starts))
        return np.interp(ends, self._times, self._until) - np.interp(starts, self._times, self._until)

    def share(self, starts: NDArray[np.float64], ends: NDArray[np.float64]) -> NDArray[np.float64]:
        """(n,) float64 from 0 to 1: the same as a part of each stretch; of one without length, of the millisecond there."""
        ends = np.maximum(ends, starts + 1e-3)
        return np.clip(self.seconds(starts, ends) / (ends - starts), 0.0, 1.0).round(9)
