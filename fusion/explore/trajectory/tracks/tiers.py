"""What every track holds: a tier of runs for each speaker, and the changes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from fusion.explore.trajectory.names import plain
from fusion.explore.trajectory.result import Change, Run, Trajectory

EVERYBODY = "expressed (estimated)"
CHANGES = "changes"


class Tier(NamedTuple):
    name: str
    runs: tuple[Run, ...]


def tiers_of(found: Trajectory) -> list[Tier]:
    """One for each speaker with runs, named after them; those of nobody, or of a recording without speakers, in one more."""
    owners = [*found.speakers, None]
    taken: list[str] = [CHANGES]
    tiers = []
    for owner in owners:
        runs = tuple(run for run in found.runs if run.speaker == owner)
        if runs:
            name = _free(plain(owner) if owner else EVERYBODY, taken)
            taken.append(name)
            tiers.append(Tier(name, runs))
    return tiers


def said_of(change: Change) -> str:
    who = f"{change.speaker}: " if change.speaker else ""
    return plain(f"{change.rank}: {who}{change.said}")


def _free(name: str, taken: Sequence[str]) -> str:
    number, found = 2, name or "speaker"
    while found in taken:
        found, number = f"{name} ({number})", number + 1
    return found
