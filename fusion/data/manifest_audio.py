"""Looks at the audio of a manifest before anything is computed: every distinct file once, its header only."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track

from extractors.audio import AudioError, probe
from extractors.audio_info import SPAN_TOLERANCE
from fusion.data.problems import UNUSABLE_AUDIO, Problems

CHUNK = 256  # files that one task looks at; a task per file would cost more than the look
QUIET = 2_000  # files that are looked at without a progress bar


def absolute_audio(audio: pd.Series, folder: Path) -> pd.Series:
    """Paths relative to `folder` made absolute; missing stays missing."""
    relative = audio.notna() & ~audio.str.startswith(os.sep, na=False)
    return audio.where(~relative, str(folder) + os.sep + audio)


def check_audio_files(
    audio: pd.Series,
    paths: pd.Series,
    start: pd.Series,
    end: pd.Series,
    problems: Problems,
    *,
    workers: int | None = None,
) -> None:
    """Note audio that is missing or unreadable, and spans beyond its end.

    `audio` are the paths as the user wrote them, `paths` the absolute ones; `start` and `end` are seconds or NaN.
    """
    codes, files = pd.factorize(paths)  # -1 where there is no audio
    durations, reasons = probe_files(files.tolist(), workers=workers)
    unreadable = np.array([bool(reason) for reason in reasons] + [False])[codes]
    shared = np.bincount(codes[codes >= 0], minlength=len(files))

    def unreadable_file(position: int) -> str:
        rows = int(shared[codes[position]])
        also = f" (and in {rows - 1:,} more rows)" if rows > 1 else ""
        return f"{audio.iloc[position]}: {reasons[codes[position]]}{also}"

    first = ~pd.Series(codes).duplicated().to_numpy()
    problems.add_rows(UNUSABLE_AUDIO, unreadable & first, unreadable_file)

    length = np.append(durations, np.nan)[codes]  # (rows,) seconds; comparisons with NaN are false

    def beyond(which: str, seconds: pd.Series) -> object:
        return lambda position: (
            f"{which} is beyond {audio.iloc[position]}: {seconds.iloc[position]:g} s of {length[position]:.3f} s"
        )

    for which, seconds, limit in (("start", start, length), ("end", end, length + SPAN_TOLERANCE)):
        late = seconds.to_numpy() >= limit if which == "start" else seconds.to_numpy() > limit
        problems.add_rows(f"{which} beyond the audio", late, beyond(which, seconds))  # type: ignore[arg-type]


def probe_files(files: list[str], *, workers: int | None = None) -> tuple[NDArray[np.float64], list[str]]:
    """Seconds, (files,) float64, NaN where a file cannot be read, and for each the reason, empty where it can."""
    durations = np.full(len(files), np.nan)
    reasons = [""] * len(files)

    def look(first: int) -> None:
        for number in range(first, min(first + CHUNK, len(files))):
            try:
                durations[number] = probe(files[number]).duration
            except AudioError as error:
                reasons[number] = error.reason

    starts = range(0, len(files), CHUNK)
    with ThreadPoolExecutor(workers or min(16, 4 * (os.cpu_count() or 1))) as pool:  # it mostly waits for the disk
        looks = pool.map(look, starts)
        bar = track(looks, "Looking at the audio", total=len(starts), console=Console(stderr=True), transient=True)
        for _ in looks if len(files) < QUIET else bar:
            pass
    return durations, reasons
