"""Two sequences of frames laid over each other in time: dynamic time warping, by librosa."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from extractors.errors import InputError
from extractors.types import Float32

# a step in both sequences at once weighs as much as one in each: no path is cheaper for being shorter (the symmetric
# form of Sakoe & Chiba, "Dynamic programming algorithm optimization for spoken word recognition", IEEE Trans. ASSP 26(1),
# 1978, eq. 20); in the order of librosa's steps (1, 1), (0, 1), (1, 0)
STEP_WEIGHTS = np.array([2.0, 1.0, 1.0])


@dataclass(frozen=True)
class Alignment:
    """Which frame goes with which.

    path    : (steps, 2) int64, frame of the first and of the second, from (0, 0) to the last of both
    local   : (steps,) float64, cosine of the two frames of each step
    weights : (steps,) float64, how many frames each step takes, of both together
    """

    path: NDArray[np.int64]
    local: NDArray[np.float64]
    weights: NDArray[np.float64]

    @property
    def similarity(self) -> float:
        """The mean cosine along the path, each frame of both sequences counted alike: −1 to 1."""
        return float(np.average(self.local, weights=self.weights))


def align(first: Float32, second: Float32, *, band: float | None = None) -> Alignment:
    """The path of the highest mean cosine between (n, dim) and (m, dim) frames of unit length, as `Space` makes them.

    band : how far from the diagonal a path may go, as a share of the shorter sequence (a Sakoe-Chiba band); None: anywhere

    Takes some 30 bytes for each of n × m cells, band or not: shorten long sequences. Raises InputError where no path stays
    within the band.

    >>> rising = np.stack([np.cos(angles := np.linspace(0, 1.5, 30)), np.sin(angles)], axis=1).astype(np.float32)
    >>> slower = np.repeat(rising, 2, axis=0)  # the same at half the speed
    >>> round(align(rising, slower).similarity, 6), round(align(rising, slower[::-1]).similarity, 2)
    (1.0, 0.73)
    """
    from librosa.sequence import dtw
    from librosa.util.exceptions import ParameterError

    if band is not None and not 0 < band <= 1:
        raise InputError(f"band: expected a share of the shorter sequence, above 0 and up to 1, got {band}")
    cosines = np.clip(np.asarray(first, np.float64) @ np.asarray(second, np.float64).T, -1.0, 1.0)
    try:
        _, backwards = dtw(
            C=1.0 - cosines,
            weights_mul=STEP_WEIGHTS,
            global_constraints=band is not None,
            band_rad=1.0 if band is None else band,
        )
    except ParameterError as error:
        raise InputError(
            f"no alignment of {len(first)} and {len(second)} frames stays within band={band}",
            hint="Set frames.band higher, or to null for none.",
        ) from error
    path = np.asarray(backwards[::-1], np.int64)
    # the first cell takes a frame of both, as in eq. 20; librosa counts it once, which moves no path, as all begin there
    taken = np.diff(path, axis=0, prepend=path[:1] - 1).sum(axis=1)
    return Alignment(path, cosines[path[:, 0], path[:, 1]], taken.astype(np.float64))


def shorten(frames: Float32, factor: int) -> Float32:
    """(ceil(frames / factor), dim): the means of `factor` neighbours each, of what is left at the end."""
    if factor == 1:
        return frames
    starts = np.arange(0, len(frames), factor)
    counts = np.diff(np.append(starts, len(frames)))[:, None]
    return (np.add.reduceat(frames, starts, axis=0, dtype=np.float64) / counts).astype(np.float32)


def second_by_second(
    alignment: Alignment, *, frame_seconds: float, starts: tuple[float, float] = (0, 0)
) -> pd.DataFrame:
    """How alike the two are in each second of the first.

    frame_seconds : how long a frame is
    starts        : seconds at which the two sequences begin

    Returns a DataFrame of a_start, a_end, b_start, b_end (s), cosine (the weighted mean along that part of the path) and
    tempo (seconds of b that pass for one of a: above 1, b takes longer over it).
    """
    path, rows = alignment.path, []
    per_second = 1 / frame_seconds
    for second in range(ceil(float(path[-1, 0] + 1) * frame_seconds - 1e-9)):
        here = (path[:, 0] >= second * per_second - 1e-9) & (path[:, 0] < (second + 1) * per_second - 1e-9)
        if not here.any():  # frames longer than a second
            continue
        a, b = path[here, 0], path[here, 1]
        a_start, a_end = a[0] * frame_seconds, (a[-1] + 1) * frame_seconds
        b_start, b_end = b[0] * frame_seconds, (b[-1] + 1) * frame_seconds
        rows.append(
            {
                "a_start": starts[0] + a_start,
                "a_end": starts[0] + a_end,
                "b_start": starts[1] + b_start,
                "b_end": starts[1] + b_end,
                "cosine": float(np.average(alignment.local[here], weights=alignment.weights[here])),
                "tempo": (b_end - b_start) / (a_end - a_start),
            }
        )
    return pd.DataFrame(rows)


def path_table(alignment: Alignment, *, frame_seconds: float, starts: tuple[float, float] = (0, 0)) -> pd.DataFrame:
    """The whole path: a, b (s, the middle of each frame) and their cosine, a row a step."""
    middle = (alignment.path + 0.5) * frame_seconds
    return pd.DataFrame({"a": starts[0] + middle[:, 0], "b": starts[1] + middle[:, 1], "cosine": alignment.local})
