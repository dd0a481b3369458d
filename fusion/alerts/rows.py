"""The rows of a manifest as the engine hears them: each file a timeline, each row an utterance."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from extractors.audio import probe
from extractors.errors import InputError
from extractors.types import Float32
from fusion.alerts.observation import Observation
from fusion.alerts.recording import Recording, with_overlap
from fusion.alerts.voice import frames


@dataclass(frozen=True)
class Row:
    """Where a row lies. `number` is its place in the manifest."""

    number: int
    recording: str
    observation: Observation  # without scores


def place_rows(frame: pd.DataFrame) -> tuple[list[Row], dict[str, float]]:
    """The rows in order of recording and time, and how long each recording is.

    A recording is the audio file; without audio, the row's `group`. Without `start` and `end` a row is its whole file.
    Further columns that count: `speaker`, `text`, and `topic` where it is among `data.extra_columns`.
    Raises InputError with all rows that have no time.
    """
    cells = frame.astype(object).where(frame.notna(), None)
    lengths: dict[str, float] = {}
    problems: list[str] = []
    for audio in cells["audio"].dropna().unique():
        try:
            lengths[str(audio)] = probe(audio).duration
        except InputError as error:
            problems.append(error.summary)
    by_recording: dict[str, list[tuple[int, Observation]]] = {}
    for number, cell in enumerate(cells.to_dict("records")):
        name = str(cell["audio"]) if cell["audio"] is not None else str(cell["group"] or "")
        length = lengths.get(name) if cell["audio"] is not None else None
        start, end = cell["start"] or 0.0, cell["end"] if cell["end"] is not None else length
        if end is None:
            if cell["audio"] is None:
                problems.append(f"row {number + 1} ({cell['id']}): no audio, and no end: when was this said?")
            continue
        observation = Observation(
            float(start),
            float(end),
            {},
            speaker=cell["speaker"],
            text=cell["text"],
            id=str(cell["id"]),
            topic=cell.get("topic"),
        )
        by_recording.setdefault(name, []).append((number, observation))
        if cell["audio"] is None:
            lengths[name] = max(lengths.get(name, 0.0), float(end))
    if problems:
        raise InputError("rows that lie nowhere in time", problems, hint="Give start and end, in seconds.")
    rows = []
    for name, found in by_recording.items():
        number_of = {one.id: number for number, one in found}  # ids of a manifest are unique
        rows += [Row(number_of[one.id], name, one) for one in with_overlap([one for _, one in found])]
    return rows, {name: lengths[name] for name in by_recording}


def utterances(
    rows: Sequence[Row],
    lengths: Mapping[str, float],
    scores: Callable[[int], Mapping[str, float] | None],
    *,
    confidence: Callable[[int], float | None] = lambda row: None,
) -> list[Recording]:
    """Recordings of utterances. `scores(row)` is None for a row that could not be scored; it is left out."""
    found: dict[str, list[Observation]] = {name: [] for name in lengths}
    for row in rows:
        known = scores(row.number)
        if known is not None:
            found[row.recording].append(_scored(row.observation, known, confidence(row.number)))
    return [Recording(name, lengths[name], observations) for name, observations in found.items()]


def frame_recordings(
    rows: Sequence[Row],
    lengths: Mapping[str, float],
    read_frames: Callable[[Sequence[int]], Iterable[Float32]],
    score: Callable[[Float32], Any],
    labels: Sequence[str],
    *,
    has_frames: Callable[[int], bool],
) -> list[Recording]:
    """Recordings of frames, read from the store as they are needed. `read_frames` takes numbers of rows.

    Rows that overlap in time are merged frame by frame, in order of time.
    """
    return [
        Recording(
            name,
            lengths[name],
            _in_time([r for r in rows if r.recording == name and has_frames(r.number)], read_frames, score, labels),
        )
        for name in lengths
    ]


def _in_time(
    rows: Sequence[Row],
    read_frames: Callable[[Sequence[int]], Iterable[Float32]],
    score: Callable[[Float32], Any],
    labels: Sequence[str],
) -> Iterator[Observation]:
    waiting: list[Observation] = []
    for row, found in zip(rows, read_frames([row.number for row in rows]), strict=True):
        one = row.observation
        ready = [other for other in waiting if other.start_s < one.start_s]
        waiting = [other for other in waiting if other.start_s >= one.start_s]
        yield from ready
        known = {"speaker": one.speaker, "text": one.text, "overlap": one.overlap, "topic": one.topic}
        waiting += frames(score(found).astype(float), labels, begin=one.start_s, id=one.id, **known)
        waiting.sort(key=lambda other: other.start_s)
    yield from waiting


def _scored(observation: Observation, scores: Mapping[str, float], confidence: float | None) -> Observation:
    return replace(observation, scores=dict(scores), confidence=confidence)


def shown_name(name: str | None) -> str:
    """A recording's name for people: of a path, its last part."""
    return "" if name is None else Path(name).name
