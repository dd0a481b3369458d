"""timeline.png: valence over time with its band, a lane a speaker, topics, and alerts hatched."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MultipleLocator

from extractors.files import write_bytes
from fusion.clock import clock, tick_step
from fusion.explore.colours import colours_of, hatches_of
from fusion.meeting.estimate import Estimate
from fusion.meeting.manners import BANNER
from fusion.meeting.meeting import Meeting, Topic

SMOOTHING = 20.0  # s, time constant of the curve
GAP = 45.0  # s without an estimate: the curve is broken, not drawn through
STEP = 2.0  # s
LANE, PANEL = 0.28, 1.5  # inches
MOST_LANES = 14
BLUE, GREY = "#0072B2", "#666666"


def smooth_valence(
    estimates: Sequence[Estimate], duration: float, *, tau: float = SMOOTHING, step: float = STEP
) -> tuple[np.ndarray, np.ndarray]:
    """(points,) seconds and (points,) valence, exponentially weighted in both directions of time; NaN in gaps.

    Each utterance counts by its weight, spread over its own time.
    """
    times = np.arange(0.0, max(duration, step), step)
    counted = [e for e in estimates if e.weight > 0 and e.valence is not None]
    if not counted:
        return times, np.full(len(times), np.nan)
    starts = np.array([e.utterance.start_s for e in counted])[:, None]
    ends = np.array([e.utterance.end_s for e in counted])[:, None]
    weights = np.array([e.weight for e in counted])
    values = np.array([float(e.valence or 0.0) for e in counted])
    found = np.empty(len(times))
    for first in range(0, len(times), 512):  # a few hundred points at a time: hours have thousands of utterances
        at = times[None, first : first + 512]
        away = np.maximum(np.maximum(starts - at, at - ends), 0.0)  # (utterances, points)
        near = np.exp(-away / tau)
        total = weights @ near
        found[first : first + 512] = np.where(
            away.min(axis=0) <= GAP, (weights * values) @ near / np.maximum(total, 1e-300), np.nan
        )
    return times, found


def draw_timeline(meeting: Meeting, path: Path) -> Path:
    """Draw a published meeting. What has no estimate is a gap; colours always come with a hatch or a name."""
    lanes = _lanes(meeting)
    shown = [name for name, _ in lanes]
    rows = max(topic_rows(meeting.topics), default=-1) + 1
    height = PANEL + 0.9 + LANE * (len(lanes) + (rows + 1 if rows else 0))
    with matplotlib.rc_context(
        {"font.size": 8, "hatch.linewidth": 0.5, "axes.spines.top": False, "axes.spines.right": False}
    ):
        figure = Figure(figsize=(10, height), layout="constrained")
        ratios = [PANEL / LANE, *([len(lanes)] if lanes else []), *([0.6 + rows] if rows else [])]
        axes = np.atleast_1d(figure.subplots(len(ratios), 1, sharex=True, height_ratios=ratios))
        _valence(axes[0], meeting)
        if lanes:
            _speakers(axes[1], lanes, meeting.method.labels)
            axes[1].set_yticks(range(len(shown)), shown)
        if meeting.topics:
            _topics(axes[-1], meeting.topics)
        step = tick_step(meeting.duration_s)
        axes[-1].xaxis.set_major_locator(MultipleLocator(step))
        axes[-1].xaxis.set_major_formatter(FuncFormatter(lambda seconds, _: clock(seconds, tenths=step < 1)))
        axes[-1].set_xlim(0, max(meeting.duration_s, 1.0))
        axes[-1].set_xlabel("time")
        figure.suptitle(meeting.title, fontsize=10, x=0.01, ha="left", parse_math=False)
        figure.supxlabel(BANNER, fontsize=6, color=GREY)
        with BytesIO() as image:
            figure.savefig(image, format="png", dpi=150)
            return write_bytes(path, image.getvalue())


def topic_rows(topics: Sequence[Topic]) -> list[int]:
    """Of each topic the row that it is drawn in: the first where none of its stretches would cover another topic's.

    >>> from fusion.meeting.pooling import Pooled
    >>> spans = [((18.0, 42.0),), ((30.0, 42.0),), ((42.0, 60.0),)]
    >>> topic_rows([Topic("", one, Pooled("topic", "")) for one in spans])
    [0, 1, 0]
    """
    rows: list[list[tuple[float, float]]] = []
    found = []
    for topic in topics:
        free = (
            number
            for number, taken in enumerate(rows)
            if all(end <= a or b <= start for start, end in topic.spans for a, b in taken)
        )
        row = next(free, len(rows))
        if row == len(rows):
            rows.append([])
        rows[row] += topic.spans
        found.append(row)
    return found


def _valence(axis: Axes, meeting: Meeting) -> None:
    axis.axhline(0, color=GREY, linewidth=0.6)
    for window in meeting.windows:
        pooled = window.pooled
        if pooled.valence is None:
            continue
        span = [window.start_s, window.end_s]
        if pooled.interval is not None:
            axis.fill_between(span, *pooled.interval, color=BLUE, alpha=0.18, linewidth=0)
        axis.plot(span, [pooled.valence] * 2, color=BLUE, linewidth=1.6)
    times, curve = smooth_valence(meeting.estimates, meeting.duration_s)
    axis.plot(times, curve, color="black", linewidth=0.9)
    for number, alert in enumerate(meeting.alerts):
        light = axis.axvspan(alert.start_s, alert.end_s, facecolor="none", edgecolor="#D55E00", hatch="///")
        light.set(alpha=0.15, linewidth=0.6, zorder=0)  # many may lie over each other
        axis.annotate(alert.rule, (alert.start_s, 0.97 - 0.15 * (number % 5)), fontsize=6, va="top", parse_math=False)
    axis.set_ylim(-1, 1)
    axis.set_ylabel("expressed valence\n(estimated)")
    axis.set_yticks([-1, 0, 1], ["unpleasant", "0", "pleasant"])


def _lanes(meeting: Meeting) -> list[tuple[str, list[Estimate]]]:
    """Speakers with estimates, by talk; beyond a few, the rest in one lane."""
    if not meeting.manners.per_person:
        return []
    by_speaker: dict[str, list[Estimate]] = {}
    for estimate in meeting.estimates:
        by_speaker.setdefault(estimate.utterance.speaker or "nobody named", []).append(estimate)
    ordered = sorted(by_speaker.items(), key=lambda lane: -sum(e.utterance.seconds for e in lane[1]))
    if len(ordered) > MOST_LANES:
        rest = [estimate for _, lane in ordered[MOST_LANES - 1 :] for estimate in lane]
        ordered = [*ordered[: MOST_LANES - 1], (f"{len(ordered) - MOST_LANES + 1} others", rest)]
    return ordered


def _speakers(axis: Axes, lanes: Sequence[tuple[str, list[Estimate]]], labels: Sequence[str]) -> None:
    colours, hatches = colours_of(labels), hatches_of(labels)
    seen: set[str] = set()
    for row, (_, lane) in enumerate(lanes):
        for label in (*labels, None):
            spans = [
                (e.utterance.start_s, e.utterance.seconds) for e in lane if e.label == label and e.utterance.seconds > 0
            ]
            if not spans:
                continue
            seen.add(label or "no estimate")
            axis.broken_barh(
                spans,
                (row - 0.4, 0.8),
                facecolor=colours[label] if label else "white",
                edgecolor=GREY,
                hatch=hatches[label] if label else None,
                linewidth=0.2,
            )
    axis.set_ylim(len(lanes) - 0.5, -0.5)
    handles = [
        matplotlib.patches.Patch(facecolor=colours[label], hatch=hatches[label], edgecolor=GREY, label=label)
        for label in labels
        if label in seen
    ]
    if handles:
        axis.legend(handles=handles, loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False, fontsize=6)


def _topics(axis: Axes, topics: Sequence[Topic]) -> None:
    rows = topic_rows(topics)
    for number, (topic, row) in enumerate(zip(topics, rows, strict=True)):
        for start, end in topic.spans:
            axis.broken_barh([(start, end - start)], (row, 0.8), facecolor=("#dddddd", "#bbbbbb")[number % 2])
            axis.annotate(
                topic.name[:40], (start, row + 0.4), fontsize=6, va="center", annotation_clip=True, parse_math=False
            )
    axis.set_ylim(max(rows) + 0.9, -0.1)
    axis.set_yticks([0.4], ["topics"])
