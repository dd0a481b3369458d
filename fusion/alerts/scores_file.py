"""Scores that others wrote: a table of start, end and a column for each label."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal, get_args

import numpy as np

from extractors.errors import InputError
from fusion.alerts.columns import Columns
from fusion.alerts.observation import Observation
from fusion.alerts.recording import Recording, with_overlap
from fusion.data.raw import read_raw

log = logging.getLogger(__name__)

NAMES = ("id", "speaker", "text", "topic", "recording")
OTHERS = ("start", "end", "confidence", "overlap")
PAUSE_S = 0.3  # rows further apart than this are of two utterances, where rows are parts
SHORT_S = 1.0  # rows whose median is shorter than this, and that touch, are parts
LONG_S, LAST_S = 600.0, 7 * 86_400.0  # s, of a median row and of a recording: more is milliseconds taken for seconds

Rows = Literal["auto", "utterances", "parts"]


def read_scores(path: str | Path, *, rows: Rows = "auto") -> list[Recording]:
    """Recordings from CSV, TSV, JSON Lines or Parquet.

    Columns: `start`, `end` (seconds); where known `id`, `speaker`, `text`, `topic`, `confidence` (0 to 1, calibrated),
    `overlap` (0 to 1; computed from the rows of other speakers where there is no such column) and `recording`; every
    other column is a label, and holds its probability.

    rows : whether a row is an utterance, or a part of one (a frame, a window). Parts of one `id` belong together; without
        ids, those of a speaker that follow each other within 0.3 s. "auto": parts where most rows touch the one before
        and their median is under 1 s, or where ids repeat.

    Raises InputError with every problem of the file.
    """
    if rows not in get_args(Rows):
        raise InputError(f"rows: expected {', '.join(get_args(Rows))}, got {rows!r}")
    path = Path(path).expanduser()
    raw = read_raw(path)
    columns = Columns(path, raw.frame, rows=raw.rows, problems=list(raw.problems))
    columns.need("start", "end")
    labels = [name for name in map(str, raw.frame.columns) if name not in (*NAMES, *OTHERS)]
    if not labels:
        columns.problems.append("no label: every column but start, end and the like is the probability of a label")
    columns.raise_problems(_HINT)
    starts, ends = columns.spans()
    _check_unit(columns, starts, ends)
    probabilities = [columns.numbers(label, low=0, high=1, what="a probability from 0 to 1") for label in labels]
    confidence, overlap = (
        columns.numbers(name, low=0, high=1, what="a number from 0 to 1", empty=math.nan) if name in raw.frame else None
        for name in ("confidence", "overlap")
    )
    columns.raise_problems(_HINT)
    ids, speakers, texts, topics, names = (columns.texts(name) for name in NAMES)
    by_name: dict[str | None, list[Observation]] = {}
    for row, scores in enumerate(zip(*probabilities, strict=True)):
        known = None if confidence is None or math.isnan(confidence[row]) else confidence[row]
        observation = Observation(
            starts[row],
            ends[row],
            dict(zip(labels, scores, strict=True)),
            speaker=speakers[row],
            text=texts[row],
            id=ids[row] or "",
            confidence=known,
            overlap=0.0 if overlap is None or math.isnan(overlap[row]) else overlap[row],
            topic=topics[row],
        )
        by_name.setdefault(names[row], []).append(observation)
    recordings = []
    for name, observations in by_name.items():
        heard = observations if overlap is not None else with_overlap(observations)
        heard = sorted(heard, key=lambda one: (one.start_s, one.end_s))
        grouped = in_utterances(heard) if rows == "parts" or (rows == "auto" and _are_parts(heard)) else numbered(heard)
        recordings.append(Recording(name, max(one.end_s for one in heard), grouped))
    return recordings


_HINT = "Write start,end,angry,happy,… with seconds and probabilities; further columns: " + ", ".join(
    (*NAMES, *OTHERS[2:])
)


def _check_unit(columns: Columns, starts: Sequence[float], ends: Sequence[float]) -> None:
    lengths = np.array(ends) - np.array(starts)
    if len(lengths) and (float(np.median(lengths)) > LONG_S or max(ends) > LAST_S):
        columns.problems.append(
            f"start, end: expected seconds; rows last {np.median(lengths):,.0f} at the median, the last ends at "
            f"{max(ends):,.0f}: are these milliseconds?"
        )


def numbered(observations: Sequence[Observation]) -> list[Observation]:
    """Utterances; those without an id get their number."""
    return [one if one.id else replace(one, id=str(number)) for number, one in enumerate(observations, 1)]


def in_utterances(observations: Sequence[Observation], *, pause_s: float = PAUSE_S) -> list[Observation]:
    """Parts, in order of time, told which utterance they are of, and how long that is.

    >>> parts = [Observation(t, t + 0.5, {}) for t in (0.0, 0.5, 1.0, 3.0)]
    >>> [(one.id, one.utterance_s) for one in in_utterances(parts)]
    [('1', 1.5), ('1', 1.5), ('1', 1.5), ('2', 0.5)]
    """
    spans: list[tuple[float, float]] = []
    of: list[int] = []
    latest: dict[tuple[str | None, str], int] = {}  # speaker, id -> number of the utterance that goes on
    for one in observations:
        key = (one.speaker, one.id)
        number = latest.get(key)
        if number is None or (not one.id and one.start_s - spans[number][1] > pause_s):
            number = latest[key] = len(spans)
            spans.append((one.start_s, one.end_s))
        spans[number] = (spans[number][0], max(spans[number][1], one.end_s))
        of.append(number)
    return [
        replace(one, id=one.id or str(number + 1), utterance_s=spans[number][1] - spans[number][0])
        for one, number in zip(observations, of, strict=True)
    ]


def _are_parts(observations: Sequence[Observation]) -> bool:
    ids = [one.id for one in observations if one.id]
    if ids:
        return len(set(ids)) < len(ids)
    starts, ends = (np.array([getattr(one, name) for one in observations]) for name in ("start_s", "end_s"))
    if len(starts) < 3 or float(np.median(ends - starts)) >= SHORT_S:
        return False
    parts = float((starts[1:] - ends[:-1] <= 0.05).mean()) > 0.5
    if parts:
        log.info("rows are taken for parts of utterances (they are short and touch); rows=utterances says otherwise")
    return parts
