"""What a recording's course is made of: rows over time, steps of the path, changes, and runs of one label."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from extractors.types import Float32

Bools = NDArray[np.bool_]
Float64 = NDArray[np.float64]
NO_SPEAKER = -1


@dataclass(frozen=True, slots=True)
class Change:
    """A moment from which on the recording differs from what was before.

    time_s   : seconds into the recording; in the middle of the pause, where the change falls into one
    rank     : 1 is the strongest
    evidence : what this change explains over what a change must explain to be taken, 1 or more
    distance : between the means before and after, in standard deviations of what two windows side by side differ by
    before, after : the label with the highest mean score up to the neighbouring changes, None without scores
    features : names of the encoder's features that moved most, in standard deviations of the recording; only of encoders
        whose features have names
    speaker  : whose change it is, where a transcript says who speaks
    """

    time_s: float
    rank: int
    evidence: float
    distance: float
    before: str | None = None
    after: str | None = None
    before_score: float | None = None
    after_score: float | None = None
    before_valence: float | None = None
    after_valence: float | None = None
    features: tuple[tuple[str, float], ...] = ()
    speaker: str | None = None

    @property
    def said(self) -> str:
        """The change in words: labels where there are any, else the features that moved most."""
        if self.before is not None and self.after is not None:
            return f"{self.before} → {self.after}"
        return ", ".join(f"{name} {moved:+.1f} sd".replace("-", "−") for name, moved in self.features) or "moved"


@dataclass(frozen=True, slots=True)
class Run:
    """A stretch of speech with one label on top, or, without scores, between two changes. Times in seconds."""

    start_s: float
    end_s: float
    label: str
    score: float | None = None
    speaker: str | None = None


@dataclass(frozen=True)
class Path2d:
    """The way through the space of the encoder, a point each `hop` seconds.

    points    : (steps, components) float32, NaN where nothing is said
    explained : (components,) share of the variance that each component shows
    hop       : seconds; step i stands for i · hop to (i + 1) · hop, heard with the window around it
    """

    points: Float32
    explained: Float32
    hop: float

    @property
    def times(self) -> Float64:
        """(steps,) seconds of the middle of each step."""
        return np.asarray((np.arange(len(self.points)) + 0.5) * self.hop, np.float64)


@dataclass(frozen=True)
class Trajectory:
    """What was expressed (estimated) over the course of one recording.

    rate     : rows a second; row i covers i / rate to (i + 1) / rate seconds: 50 for frames, 1 / hop for windows
    labels   : of the columns of `scores`; empty where the encoder does not classify
    scores   : (rows, classes) float32, smoothed as `settings` say, NaN where nothing is said; None without labels
    valence  : (rows,) float64 in [-1, 1], NaN where nothing is said or too little of the mass has a valence; None likewise
    speech   : (rows,) bool
    level    : (frames,) float32, dB of full scale of each 20 ms
    speakers : names; `speaker` (rows,) is an index of it, -1 for nobody
    segment  : (rows,) int, from 1: which stretch between changes (of the same speaker); 0 where nothing is said
    changes  : in order of time
    runs     : in order of time
    settings : all that the numbers depend on, JSON-able
    """

    name: str
    audio: Path | None
    seconds: float
    rate: float
    labels: tuple[str, ...]
    scores: Float32 | None
    valence: Float64 | None
    speech: Bools
    level: Float32
    speakers: tuple[str, ...]
    speaker: NDArray[np.int64]
    segment: NDArray[np.int64]
    path: Path2d
    changes: tuple[Change, ...]
    runs: tuple[Run, ...]
    settings: dict[str, Any] = field(default_factory=dict)

    @property
    def times(self) -> Float64:
        """(rows,) seconds at which each row begins."""
        return np.arange(len(self.speech)) / self.rate

    @property
    def spoken_s(self) -> float:
        return float(self.speech.sum() / self.rate)

    def strongest(self, many: int) -> list[Change]:
        """The `many` strongest changes, in order of time."""
        return [change for change in self.changes if change.rank <= many]

    def write(self, folder: str | Path, *, shown: int = 8) -> list[Path]:
        """Picture, page, tables and label tracks into `folder`; see `fusion.explore.trajectory.files`."""
        from fusion.explore.trajectory.files import write_all

        return write_all(Path(folder), self, shown=shown)
