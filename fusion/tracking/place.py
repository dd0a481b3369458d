"""Which fit of which run writes at a path."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

FITS = "fits"  # the folder of a run below which its fits write


class Place(NamedTuple):
    """Where a fit writes. `run` is its run's folder, `parts` what sets it apart there: fold, system, seed."""

    folder: Path
    run: Path
    parts: tuple[str, ...]

    @property
    def name(self) -> str:
        return " · ".join(self.parts) or self.run.name

    @property
    def group(self) -> str:
        """The run, by the last parts of its path: `2026-11-22/10-15-03-4f2a`, or `10-15-03-4f2a/3` in a sweep."""
        return "/".join(self.run.parts[-2:])


def place_of(folder: Path | str) -> Place:
    """The place of a fit, from its folder.

    >>> place = place_of("/runs/train/2026-11-22/10-15-03-4f2a/fits/s1/fusion")
    >>> place.name, place.group
    ('s1 · fusion', '2026-11-22/10-15-03-4f2a')
    """
    path = Path(folder).absolute()
    if FITS not in path.parts:
        return Place(path, path, ())
    depth = len(path.parts) - 1 - path.parts[::-1].index(FITS)  # of the last such folder
    return Place(path, Path(*path.parts[:depth]), path.parts[depth + 1 :])
