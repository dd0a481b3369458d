"""One recording as the engine hears it: its name, its length, its observations in order of time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from fusion.alerts.observation import Observation


@dataclass(frozen=True)
class Recording:
    """A timeline. `observations` may be computed while they are read, and is read once.

    name    : a path or a name; None where there is but one
    seconds : its length, silence and all
    """

    name: str | None
    seconds: float
    observations: Iterable[Observation]


def with_overlap(observations: Sequence[Observation]) -> list[Observation]:
    """The same in order of time, each with the share of it in which other named speakers speak.

    >>> a = Observation(0.0, 4.0, {}, speaker="a")
    >>> b = Observation(3.0, 5.0, {}, speaker="b")
    >>> [one.overlap for one in with_overlap([b, a])]
    [0.25, 0.5]
    """
    ordered = sorted(observations, key=lambda one: (one.start_s, one.end_s, one.id))
    shared: list[list[tuple[float, float]]] = [[] for _ in ordered]
    active: list[int] = []
    for number, one in enumerate(ordered):
        active = [other for other in active if ordered[other].end_s > one.start_s]
        for other in active:
            if None not in (one.speaker, ordered[other].speaker) and one.speaker != ordered[other].speaker:
                both = (one.start_s, min(one.end_s, ordered[other].end_s))
                shared[number].append(both)
                shared[other].append(both)
        active.append(number)
    return [
        replace(one, overlap=min(1.0, _union(spans) / one.seconds)) if spans and one.seconds > 0 else one
        for one, spans in zip(ordered, shared, strict=True)
    ]


def _union(spans: Sequence[tuple[float, float]]) -> float:
    total, until = 0.0, 0.0
    for start, end in sorted(spans):
        total += max(0.0, end - max(until, start))
        until = max(until, end)
    return total
