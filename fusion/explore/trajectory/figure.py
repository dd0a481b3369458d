"""The picture: ribbons of scores, valence, who speaks, the changes with their numbers, and the path."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MultipleLocator

from fusion.clock import clock, tick_step
from fusion.evaluation.plots import FAINT, GRID, INK
from fusion.explore.colours import CYCLE, colours_of, hatches_of
from fusion.explore.trajectory.decimate import bucketed, steps_of
from fusion.explore.trajectory.path_panel import draw_paths, panels_of
from fusion.explore.trajectory.result import Change, Trajectory
from fusion.explore.trajectory.said import CAUTION, UNIT, method, no_classes, short

MOST_POINTS = 2_000  # across; the picture has about as many pixels
MOST_TICKS = 12  # of time
MOST_LANES = 8  # speakers with a lane of their own
NAMED_SHARE = 0.35  # of the height that a ribbon needs somewhere for its name to stand in it


def course_figure(found: Trajectory, *, shown: int = 8) -> Figure:
    """Everything on one page; `shown` of the changes get a line and a number, and stand in the list."""
    lanes = min(len(found.speakers), MOST_LANES)
    valence = found.valence is not None and bool(np.isfinite(found.valence).any())
    heights = [3.0, *([1.2] if valence else []), *([0.28 * lanes + 0.15] if lanes else []), 4.2]
    figure = Figure(figsize=(13.0, sum(heights) + 1.9), layout="constrained")
    parts: Any = figure.subfigures(2, 1, height_ratios=[sum(heights[:-1]) + 0.9, heights[-1] + 0.9])
    upper, lower = parts
    axes = np.atleast_1d(upper.subplots(len(heights) - 1, 1, sharex=True, gridspec_kw={"height_ratios": heights[:-1]}))
    changes = found.strongest(shown)
    rows = _main(axes[0], found)
    if valence:
        _valence(axes[1], found)
    if lanes:
        _lanes(axes[-1], found)
    for number, panel in enumerate(axes):
        _marks(panel, changes, numbered=number == 0)
    axes[-1].set_xlim(0, found.seconds)
    step = tick_step(found.seconds, MOST_TICKS)
    axes[-1].xaxis.set_major_locator(MultipleLocator(step))
    axes[-1].xaxis.set_major_formatter(FuncFormatter(lambda value, _: clock(value, tenths=step < 1)))
    axes[-1].set_xlabel("time into the recording" + _decimation(found, rows))
    title = f"{short(found.name, 60)}: {clock(found.seconds)}, {clock(found.spoken_s)} of it spoken"
    axes[0].set_title(title, loc="left", color=INK, parse_math=False, pad=20 if changes else 6)  # above the numbers
    panels = lower.subplots(1, panels_of(found) + 1)
    draw_paths(list(panels[:-1]), found, changes)
    _listing(panels[-1], found, changes)
    lines = [CAUTION, method(found), *filter(None, [no_classes(found)])]
    figure.supxlabel("\n".join(lines), fontsize=7.5, color=FAINT, x=0.01, ha="left")
    return figure


def _main(axes: Axes, found: Trajectory) -> int:
    """Ribbons of scores, or, without any, the path's first components over time. Returns how many rows a point stands for."""
    if found.scores is None:
        buckets = bucketed(found.path.points[:, :3], MOST_POINTS)
        x, y = steps_of(buckets.means, buckets.rows * found.path.hop)
        for column in range(y.shape[1]):
            share = f"component {column + 1} ({found.path.explained[column]:.0%})"
            style = ("-", "--", ":")[column]
            axes.plot(
                x,
                y[:, column],
                style,
                drawstyle="steps-post",
                color=("#0072B2", "#D55E00", "#009E73")[column],
                lw=1.4,
                label=share,
            )
        axes.set_ylabel(f"place in space ({UNIT})")
        axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False, fontsize=8)
        _plain(axes)
        return buckets.rows
    buckets = bucketed(found.scores, MOST_POINTS)
    x, y = steps_of(buckets.means, buckets.rows / found.rate)
    tops = np.cumsum(y, axis=1)
    colours, hatches = colours_of(found.labels), hatches_of(found.labels)
    for column in reversed(range(len(found.labels))):  # the legend then reads as the ribbons lie
        label = found.labels[column]
        below = tops[:, column - 1] if column else np.zeros(len(x))
        axes.fill_between(
            x,
            np.nan_to_num(below),
            np.nan_to_num(tops[:, column]),
            where=np.isfinite(tops[:, column]).tolist(),
            facecolor=colours[label],
            edgecolor=(1, 1, 1, 0.55),
            hatch=hatches[label],
            linewidth=0.0,
            step="post",
            label=short(label),
        )
        _name(axes, x, y[:, column], below, short(label))
    axes.set_ylim(0, 1)
    axes.set_ylabel("score (estimated)")
    legend = axes.legend(
        loc="upper left", bbox_to_anchor=(1.0, 1.02), frameon=False, fontsize=8, handlelength=2.6, handleheight=1.3
    )
    for text in legend.get_texts():
        text.set_parse_math(False)
    _plain(axes)
    return buckets.rows


def _name(axes: Axes, x: np.ndarray, height: np.ndarray, below: np.ndarray, label: str) -> None:
    """The label's name inside its ribbon, where that is highest over a stretch wide enough for it."""
    known = np.nan_to_num(height)
    reach = max(1, len(x) // 60)
    kernel = np.ones(2 * reach + 1) / (2 * reach + 1)
    wide = np.convolve(known, kernel, mode="same")
    place = int(wide.argmax())
    if wide[place] < NAMED_SHARE:
        return
    axes.text(
        x[place],
        float(np.nan_to_num(below)[place] + known[place] / 2),
        label,
        ha="center",
        va="center",
        fontsize=8,
        color=INK,
        parse_math=False,
        clip_on=True,
        bbox={"facecolor": "white", "alpha": 0.75, "edgecolor": "none", "pad": 1.5},
    )


def _valence(axes: Axes, found: Trajectory) -> None:
    assert found.valence is not None
    buckets = bucketed(found.valence[:, None], MOST_POINTS)
    width = buckets.rows / found.rate
    axes.axhline(0, color=FAINT, lw=0.8)
    if buckets.rows > 1:  # what the means leave out
        x, ends = steps_of(np.concatenate([buckets.lows, buckets.highs], axis=1), width)
        where = np.isfinite(ends[:, 0]).tolist()
        axes.fill_between(
            x, np.nan_to_num(ends[:, 0]), np.nan_to_num(ends[:, 1]), where=where, color=GRID, lw=0, step="post"
        )
    x, y = steps_of(buckets.means, width)
    axes.plot(x, y[:, 0], color=INK, lw=1.2, drawstyle="steps-post")
    axes.set_ylim(-1.05, 1.05)
    axes.set_yticks([-1, 0, 1], ["−1", "0", "+1"])
    axes.set_ylabel("valence")
    _plain(axes)


def _lanes(axes: Axes, found: Trajectory) -> None:
    """A bar for every stretch of a speaker; the names stand at the left."""
    seconds = [float((found.speaker == place).sum()) for place in range(len(found.speakers))]
    order = sorted(range(len(found.speakers)), key=lambda place: -seconds[place])[:MOST_LANES]
    for lane, place in enumerate(order):
        mask = (found.speaker == place) & found.speech
        edges = np.flatnonzero(np.diff(np.concatenate([[0], mask.astype(np.int8), [0]]))) / found.rate
        bars = [(start, stop - start) for start, stop in zip(edges[::2], edges[1::2], strict=True)]
        axes.broken_barh(bars, (-lane - 0.35, 0.7), facecolors=CYCLE[place % len(CYCLE)])
    axes.set_yticks([-lane for lane in range(len(order))])
    axes.set_yticklabels([short(found.speakers[place]) for place in order], parse_math=False, fontsize=8)
    axes.set_ylim(-len(order) + 0.4, 0.6)
    _plain(axes)


def _marks(axes: Axes, changes: list[Change], *, numbered: bool) -> None:
    for change in changes:
        axes.axvline(change.time_s, color="black", lw=1.1, ls=(0, (4, 2)))
        if numbered:
            axes.annotate(
                str(change.rank),
                (change.time_s, 1.0),
                xycoords=("data", "axes fraction"),
                xytext=(0, 1),
                textcoords="offset points",
                ha="center",
                va="bottom",
                fontsize=8,
                bbox={"boxstyle": "circle,pad=0.2", "facecolor": "white", "edgecolor": "black", "linewidth": 0.8},
            )


def _listing(axes: Axes, found: Trajectory, changes: list[Change]) -> None:
    axes.axis("off")
    more = f", the {len(changes)} strongest of {len(found.changes)}" if len(changes) < len(found.changes) else ""
    if not found.changes:
        more = ": none found" if found.settings.get("signal") else ": not looked for"
    axes.set_title(f"changes{more}", loc="left", fontsize=10, color=INK)
    room = 70 if panels_of(found) == 1 else 44  # characters
    for line, change in enumerate(changes):
        who = f"{short(change.speaker, 14)}: " if change.speaker else ""
        scores = ""
        if change.before_score is not None and change.after_score is not None:
            scores = f"  ({change.before_score:.2f} → {change.after_score:.2f})"
        text = f"{change.rank:>2}  {clock(change.time_s, tenths=True)}  {who}{short(change.said, room)}{scores}"
        axes.text(0, 0.95 - line * 0.09, text, transform=axes.transAxes, fontsize=8.5, parse_math=False, va="top")


def _decimation(found: Trajectory, rows: int) -> str:
    if rows == 1:
        return ""
    seconds = rows * (found.path.hop if found.scores is None else 1 / found.rate)
    return f" (each point is the mean of {rows} rows, {seconds:.3g} s; shorter gaps are not drawn)"


def _plain(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color=GRID, lw=0.6)
    axes.set_axisbelow(True)
