"""Labelled episodes: what alerts should have been told, as somebody heard it. Read from a table."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from extractors.errors import InputError
from fusion.alerts.columns import Columns
from fusion.data.raw import read_raw

COLUMNS = ("start", "end", "label", "speaker", "recording")


@dataclass(frozen=True, slots=True)
class LabelledEpisode:
    """A stretch of a recording in which something was there to be found.

    label     : a label, or the name of a rule; None: every rule should find it
    speaker   : whose; None: anybody's
    recording : None: the only one
    """

    start_s: float
    end_s: float
    label: str | None = None
    speaker: str | None = None
    recording: str | None = None


def read_episodes(path: str | Path, *, recordings: Collection[str] = ()) -> list[LabelledEpisode]:
    """Episodes from CSV, TSV, JSON Lines or Parquet: `start`, `end` (s), and where known `label`, `speaker`, `recording`.

    recordings : those that were watched. An episode may name one by the end of its path (`call.wav`), if that says which;
        with several of them, every episode must. Without any given, names are taken as they stand.

    Raises InputError with every problem of the file. A file with a header and no rows is no problem: nothing was there.
    """
    path = Path(path).expanduser()
    raw = read_raw(path)
    columns = Columns(path, raw.frame, rows=raw.rows, problems=list(raw.problems))
    columns.need("start", "end")
    columns.refuse_others(COLUMNS)
    starts, ends = columns.spans() if not columns.problems else ([], [])
    names = [columns.texts(name) for name in ("label", "speaker", "recording")]
    episodes = []
    for row, (start, end, label, speaker, recording) in enumerate(zip(starts, ends, *names, strict=False)):
        found = recording
        if recordings:
            found, problem = _which(recording, sorted(recordings))
            if problem:
                columns.tell(row, problem)
        episodes.append(LabelledEpisode(start, end, label, speaker, found))
    columns.raise_problems()
    return episodes


def _which(name: str | None, recordings: Sequence[str]) -> tuple[str | None, str | None]:
    """The recording that is meant, or the problem."""
    if name is None:
        if len(recordings) == 1:
            return recordings[0], None
        return None, f"no recording, and {len(recordings)} were watched"
    if name in recordings:
        return name, None
    ending = [one for one in recordings if Path(one).parts[-len(Path(name).parts) :] == Path(name).parts]
    ending = ending or [one for one in recordings if Path(one).stem == name]
    if len(ending) == 1:
        return ending[0], None
    shown = ", ".join(recordings[:4]) + (" …" if len(recordings) > 4 else "")
    return None, f"recording {name!r} is {'more than one' if ending else 'none'} of those watched: {shown}"


def from_frame(frame: pd.DataFrame) -> list[LabelledEpisode]:
    """Episodes from a DataFrame with the same columns.

    >>> from_frame(pd.DataFrame({"start": [3.0], "end": [9.5], "label": ["angry"]}))
    [LabelledEpisode(start_s=3.0, end_s=9.5, label='angry', speaker=None, recording=None)]
    """
    if missing := [name for name in ("start", "end") if name not in frame]:
        raise InputError(f"episodes: no column {' or '.join(missing)}")
    rest = [
        frame[name] if name in frame else pd.Series([None] * len(frame)) for name in ("label", "speaker", "recording")
    ]
    return [
        LabelledEpisode(float(start), float(end), *(None if pd.isna(value) else str(value) for value in values))
        for start, end, *values in zip(frame["start"], frame["end"], *rest, strict=True)
    ]
