"""The path through the encoder's space, coloured by time; one panel a speaker."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection

from fusion.clock import clock, tick_step
from fusion.evaluation.plots import FAINT
from fusion.explore.trajectory.decimate import bucketed
from fusion.explore.trajectory.result import Change, Float64, Trajectory
from fusion.explore.trajectory.said import UNIT, short
from fusion.explore.trajectory.voices import per_step

MOST_PANELS = 2  # speakers with a panel, those who speak most
MOST_POINTS = 120  # of a path; more is a scribble
MOST_TICKS = 6  # of time
TIME = "viridis"


def panels_of(found: Trajectory) -> int:
    return max(1, min(MOST_PANELS, len(found.speakers)))


def draw_paths(panels: list[Axes], found: Trajectory, changes: list[Change]) -> None:
    """All steps as faint dots; through them the path, with a circle at its beginning, a square at its end, and the changes."""
    owner = per_step(found.speaker, found.rate, len(found.path.points), found.path.hop)
    many = [int((owner == place).sum()) for place in range(len(found.speakers))]
    most: list[int | None] = list(sorted(range(len(many)), key=lambda place: -many[place])[: len(panels)])
    lines = None
    for axes, place in zip(panels, most or [None], strict=True):
        name = None if place is None else found.speakers[place]
        mine = np.ones(len(owner), bool) if place is None else owner == place
        points = np.where(mine[:, None], found.path.points[:, :2], np.nan).astype(np.float64)
        if points.shape[1] < 2:
            points = np.column_stack([points[:, 0], np.zeros(len(points))])
        here = [change for change in changes if change.speaker == name]
        lines = _draw(axes, points, found, here) or lines
        many_shown = f", {MOST_PANELS} of {len(found.speakers)} speakers" if len(found.speakers) > MOST_PANELS else ""
        title = "path" if name is None else f"path of {short(name)}, from their own mean{many_shown}"
        axes.set_title(title, loc="left", fontsize=10, parse_math=False)
        shares = [f"component {i + 1} ({UNIT}; {share:.0%})" for i, share in enumerate(found.path.explained[:2])]
        axes.set_xlabel(shares[0], fontsize=8)
        axes.set_ylabel(shares[1] if len(shares) > 1 else "", fontsize=8)
    sides = np.array([[*axes.get_xlim(), *axes.get_ylim()] for axes in panels])
    for axes in panels:  # one scale, so that speakers can be compared
        axes.set_xlim(sides[:, 0].min(), sides[:, 1].max())
        axes.set_ylim(sides[:, 2].min(), sides[:, 3].max())
    if lines is not None:
        bar = panels[0].figure.colorbar(lines, ax=panels, fraction=0.03, pad=0.02)
        step = tick_step(found.seconds, MOST_TICKS)
        ticks = np.arange(0, found.seconds + 1e-9, step)
        bar.set_ticks(list(ticks), labels=[clock(value, tenths=step < 1) for value in ticks])
        bar.set_label("time into the recording", fontsize=8)
        bar.ax.tick_params(labelsize=8)


def _draw(axes: Axes, points: Float64, found: Trajectory, changes: list[Change]) -> LineCollection | None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=7)
    axes.scatter(points[:, 0], points[:, 1], s=4, color=FAINT, alpha=0.35, linewidths=0)
    buckets = bucketed(points, MOST_POINTS)
    there = np.flatnonzero(np.isfinite(buckets.means[:, 0]))
    if not len(there):
        return None
    times = (there + 0.5) * buckets.rows * found.path.hop
    path = buckets.means[there]
    pieces = np.stack([path[:-1], path[1:]], axis=1)
    # across a pause the line is dotted: nobody was there
    apart = np.diff(there) > 1
    norm = (0.0, found.seconds)
    solid = LineCollection(list(pieces[~apart]), cmap=TIME, linewidths=1.8)
    solid.set_array((times[:-1] + times[1:])[~apart] / 2)
    dotted = LineCollection(list(pieces[apart]), cmap=TIME, linewidths=0.9, linestyles=":")
    dotted.set_array((times[:-1] + times[1:])[apart] / 2)
    for lines in (solid, dotted):
        lines.set_clim(*norm)
        axes.add_collection(lines)
    axes.plot(*path[0], "o", color="black", ms=6, mfc="white", zorder=4)
    axes.plot(*path[-1], "s", color="black", ms=6, mfc="white", zorder=4)
    for change in changes:
        place = int(np.abs(times - change.time_s).argmin())
        axes.annotate(str(change.rank), tuple(path[place]), fontsize=8, ha="center", va="center", zorder=5,
                      bbox={"boxstyle": "circle,pad=0.15", "facecolor": "white", "edgecolor": "black", "lw": 0.7})  # fmt: skip
    note = f"a point is {buckets.rows * found.path.hop:g} s" if buckets.rows > 1 else ""
    axes.text(0.99, 0.01, note, transform=axes.transAxes, ha="right", fontsize=7, color=FAINT)
    axes.autoscale_view()
    return solid
