"""The report's timeline as shapes in user units: what the template draws as SVG. No markup is made here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from fusion.clock import clock, tick_step
from fusion.meeting.estimate import Estimate
from fusion.meeting.meeting import Meeting
from fusion.meeting.outputs.timeline import smooth_valence, topic_rows
from fusion.meeting.outputs.words import says

WIDTH = 1000.0  # user units; the page scales them
LEFT, RIGHT = 110.0, 10.0
VALENCE = 130.0  # height of the valence panel
LANE = 22.0
POINTS = 600  # of the curve
NAME = 18  # characters of a speaker's name in a lane


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle, and the row that it leads to. `label` chooses colour and hatch; `title` is read on hovering."""

    x: float
    y: float
    width: float
    height: float
    title: str
    row: str | None = None
    label: str | None = None


@dataclass(frozen=True, slots=True)
class Lane:
    name: str
    y: float
    boxes: list[Box] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Chart:
    """All shapes of the timeline. `ticks` are (x, text); `curve` holds one list of "x,y" points for each unbroken stretch."""

    width: float
    height: float
    left: float
    zero_y: float
    valence_height: float
    ticks: list[tuple[float, str]]
    bands: list[Box]
    means: list[Box]
    curve: list[str]
    lanes: list[Lane]
    topics: list[Box]
    topics_y: float
    alerts: list[Box]


def chart_of(meeting: Meeting, row_at: dict[str, str]) -> Chart:
    """Lay out a published meeting.

    row_at : utterance id -> the anchor of its row
    """
    scale = (WIDTH - LEFT - RIGHT) / max(meeting.duration_s, 1.0)

    def x(seconds: float) -> float:
        return round(LEFT + min(max(seconds, 0.0), meeting.duration_s) * scale, 2)

    def y(valence: float) -> float:
        return round(VALENCE / 2 * (1 - valence), 2)

    def first_row(start: float, end: float) -> str | None:
        inside = (e.utterance for e in meeting.estimates if e.utterance.end_s > start and e.utterance.start_s < end)
        found = next(inside, None)
        return None if found is None else row_at[found.id]

    bands, means = [], []
    for window in meeting.windows:
        pooled = window.pooled
        left, wide = x(window.start_s), max(x(window.end_s) - x(window.start_s), 0.5)
        when = f"{clock(window.start_s)} to {clock(window.end_s)}"
        if pooled.valence is None:
            bands.append(Box(left, 0, wide, VALENCE, f"{when}: {pooled.withheld or 'no valence'}", label="nothing"))
            continue
        low, high = pooled.interval or (pooled.valence, pooled.valence)
        text = f"{when}: {says(pooled)}; {pooled.counted} utterances"
        row = first_row(window.start_s, window.end_s)
        bands.append(Box(left, y(high), wide, max(y(low) - y(high), 1.0), text, row))
        means.append(Box(left, y(pooled.valence) - 1, wide, 2, text, row))
    lanes = _lanes(meeting, row_at, x)
    under = VALENCE + 12 + LANE * len(lanes)
    rows = topic_rows(meeting.topics)
    topics = [
        Box(
            x(start),
            under + 4 + LANE * row,
            max(x(end) - x(start), 1.0),
            LANE - 4,
            topic.name,
            first_row(start, end),
        )
        for topic, row in zip(meeting.topics, rows, strict=True)
        for start, end in topic.spans
    ]
    height = under + (LANE * (max(rows) + 1) + 4 if topics else 0) + 22
    alerts = [
        Box(
            x(alert.start_s),
            0,
            max(x(alert.end_s) - x(alert.start_s), 2.0),
            VALENCE,
            f"alert {alert.rule}: {clock(alert.start_s)} to {clock(alert.end_s)}",
            f"alert-{number}",
        )
        for number, alert in enumerate(meeting.alerts, start=1)
    ]
    step = tick_step(meeting.duration_s)
    ticks = [(x(at), clock(at, tenths=step < 1)) for at in np.arange(0, meeting.duration_s + 1e-9, step).tolist()]
    return Chart(
        WIDTH, height, LEFT, y(0), VALENCE, ticks, bands, means, _curve(meeting, x, y), lanes, topics, under, alerts
    )


def _curve(meeting: Meeting, x, y) -> list[str]:  # type: ignore[no-untyped-def]  # two functions of numbers
    step = max(2.0, meeting.duration_s / POINTS)
    times, values = smooth_valence(meeting.estimates, meeting.duration_s, step=step)
    lines: list[list[str]] = [[]]
    for at, value in zip(times.tolist(), values.tolist(), strict=True):
        if np.isnan(value):
            lines.append([])
        else:
            lines[-1].append(f"{x(at)},{y(value)}")
    return [" ".join(points) for points in lines if len(points) > 1]


def _lanes(meeting: Meeting, row_at: dict[str, str], x) -> list[Lane]:  # type: ignore[no-untyped-def]  # a function
    if not meeting.manners.per_person:
        return []
    by_speaker: dict[str, list[Estimate]] = {}
    for estimate in meeting.estimates:
        by_speaker.setdefault(estimate.utterance.speaker or "nobody named", []).append(estimate)
    ordered = sorted(by_speaker.items(), key=lambda lane: -sum(e.utterance.seconds for e in lane[1]))
    lanes = []
    for number, (name, said) in enumerate(ordered):
        top = VALENCE + 10 + LANE * number
        lanes.append(Lane(_short(name), top + LANE / 2, [_box(e, row_at, x, top) for e in said]))
    return lanes


def _box(estimate: Estimate, row_at: dict[str, str], x, top: float) -> Box:  # type: ignore[no-untyped-def]
    said = estimate.utterance
    shown = "no estimate" if estimate.label is None else f"{estimate.label} {estimate.confidence:.2f}"
    title = f"{clock(said.start_s)} {said.speaker or ''}: {shown}"
    wide = max(x(said.end_s) - x(said.start_s), 0.6)
    return Box(x(said.start_s), top + 2, wide, LANE - 4, title, row_at[said.id], estimate.label or "nothing")


def _short(name: str) -> str:
    return name if len(name) <= NAME else name[: NAME - 1] + "…"


def label_marks(labels: Sequence[str]) -> list[dict[str, str]]:
    """Of each label its colour and its hatch, as the SVG paths of an 8 by 8 tile: never colour alone."""
    from fusion.explore.colours import colours_of, hatches_of

    colours, hatches = colours_of(labels), hatches_of(labels)
    return [{"label": label, "colour": colours[label], "path": TILES.get(hatches[label][:1], "")} for label in labels]


TILES = {  # matplotlib's hatch -> a path on a tile of 8 by 8
    "/": "M-1,1 l2,-2 M0,8 l8,-8 M7,9 l2,-2",
    "\\": "M-1,7 l2,2 M0,0 l8,8 M7,-1 l2,2",
    "|": "M4,0 v8",
    "-": "M0,4 h8",
    "+": "M4,0 v8 M0,4 h8",
    "x": "M0,0 l8,8 M8,0 l-8,8",
    "o": "M4,2 a2,2 0 1,0 0.01,0",
    ".": "M4,3.4 a0.6,0.6 0 1,0 0.01,0",
    "*": "M4,1 v6 M1,4 h6 M2,2 l4,4 M6,2 l-4,4",
}
