"""Change points: where the mean of the steps moves by more than their noise explains, by `ruptures`."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from extractors.errors import InputError, MissingExtraError
from fusion.explore.trajectory.result import Float64

SCORE_NOISE = 0.05  # probability; scores that hold still are not measured finer than that
QUIET_SHARE = 0.1  # of the variance; a signal without noise has no change at every flicker of it
MOST_STEPS = 20_000  # 2 h 46 min of half seconds; memory and time of the search grow with their square at worst
_CHI2_MEDIAN = 0.4549364  # median of chi-squared with one degree of freedom: median of squares -> variance


@dataclass(frozen=True)
class Search:
    """How changes are looked for.

    penalty     : in BICs: what a change must explain, in squared standard deviations, is penalty · (k + 1) · ln n, of n
        steps in k dimensions. What 1 finds in acted speech is in benchmarks/trajectory.py; more finds fewer
    min_seconds : the shortest stretch between two changes; longer than a window, which hears both sides of a change and so is
        a slope and not a step
    """

    penalty: float = 1.0
    min_seconds: float = 3.0

    def __post_init__(self) -> None:
        problems = [
            f"{name}: expected a number above 0, got {value!r}"
            for name, value in (("penalty", self.penalty), ("min_seconds", self.min_seconds))
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < float("inf")
        ]
        if problems:
            raise InputError("changes cannot be looked for like this", problems)


class Found(NamedTuple):
    """A change between steps `place - 1` and `place` of those searched."""

    place: int
    evidence: float
    distance: float


def check_search(search: Search | None) -> None:
    """Raise MissingExtraError, before anything is heard, where changes are looked for and `ruptures` is not there."""
    if search is not None:
        _ruptures()


def find_changes(signal: Float64, search: Search, *, hop: float, lag: int, floor: float = 0.0) -> list[Found]:
    """Changes of the mean of `signal` (steps, dims), in order: PELT with the l2 cost (Killick, Fearnhead and Eckley, "Optimal
    detection of changepoints with a linear computational cost", JASA 107, 2012; eq. 3, as `ruptures.KernelCPD` has it).

    lag   : steps between windows that share no sound; what those differ by, at the median, is the noise (changes are rare)
    floor : the least standard deviation of that noise

    >>> random = np.random.default_rng(0)
    >>> steps = np.concatenate([random.normal(0, 1, (30, 2)), random.normal(3, 1, (30, 2))])
    >>> [found.place for found in find_changes(steps, Search(), hop=0.5, lag=1)]
    [30]
    """
    count, dims = signal.shape
    least = max(1, round(search.min_seconds / hop))
    if count < 2 * least:
        return []
    if count > MOST_STEPS:
        raise InputError(
            f"{count:,} steps of speech are more than changes are looked for in ({MOST_STEPS:,})",
            hint="Set window= higher, or look for none: changes=null.",
        )
    noise = _noise(signal, lag, floor)
    if noise == 0.0:
        return []  # nothing moves at all
    scaled = signal / noise
    bic = (dims + 1) * float(np.log(count))
    ends = _ruptures().KernelCPD(kernel="linear", min_size=least).fit(scaled).predict(pen=search.penalty * bic)
    return _measured(scaled, [0, *ends], search.penalty * bic)


def _measured(scaled: Float64, edges: list[int], needed: float) -> list[Found]:
    means = [scaled[a:b].mean(axis=0) for a, b in pairwise(edges)]
    found = []
    for number in range(1, len(means)):
        before, here, after = map(int, edges[number - 1 : number + 2])
        apart = float(np.linalg.norm(means[number] - means[number - 1]))
        left, right = here - before, after - here
        # what two means explain over one: the drop of the cost
        found.append(Found(here, left * right / (left + right) * apart**2 / needed, apart))
    return found


def _noise(signal: Float64, lag: int, floor: float) -> float:
    """One standard deviation for all dimensions, so that directions keep their weight."""
    variance = signal.var(axis=0).mean()
    if len(signal) > 2 * lag:
        steps = signal[lag:] - signal[:-lag]
        own: NDArray[Any] = np.median(steps**2, axis=0) / (2 * _CHI2_MEDIAN)
        noise = min(float(own.mean()), float(variance))
    else:
        noise = float(variance)
    return float(np.sqrt(max(noise, QUIET_SHARE * float(variance), floor**2 if variance > 0 else 0.0)))


def _ruptures() -> Any:
    try:
        import ruptures
    except ImportError as error:
        raise MissingExtraError("ruptures", extra="explore") from error
    return ruptures
