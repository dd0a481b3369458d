"""The pictures of a comparison. Figures only, as in `fusion.evaluation.plots`: no pyplot, no state, no display."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fusion.comparison.cells import resampled
from fusion.comparison.compare import Comparison
from fusion.comparison.groups import Breakdown, Group
from fusion.comparison.rows import Row
from fusion.evaluation.calibration import risk_coverage
from fusion.evaluation.plots import FAINT, GRID, INK
from fusion.evaluation.scored import Floats

# Okabe and Ito's, told apart by the colour-blind; further rows take them again with another mark and line
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKS = ("o", "s", "^", "D", "v", "P", "X")
LINES = ("-", "--", ":", "-.")
LONGEST_NAME = 34  # characters; longer names are cut in pictures, never in tables
MANY_GROUPS = 14  # more, and a line for each is too much: they become a strip of dots
LEAST_SPAN = 0.2  # of an axis of accuracy
STEADY = 20  # rows; the accuracy of fewer jumps about and says nothing
GRID_POINTS = np.linspace(0.02, 1.0, 99)  # share of rows answered


def intervals_figure(found: Comparison) -> Figure:
    """UA and WA of every row: the value, its interval, a small stroke for each of several seeds.

    Chance is drawn where it is near enough not to press everything else together, and else named.
    """
    rows = found.rows
    figure = Figure(figsize=(9.6, 1.5 + 0.42 * len(rows)), layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    places = np.arange(len(rows))[::-1].astype(float)
    for axes, metric, title in zip(panels, ("ua", "wa"), ("UA", "WA"), strict=True):
        for row, place in zip(rows, places, strict=True):
            entry = row.metrics[metric]
            if entry.low is not None and entry.high is not None:
                axes.plot(
                    [entry.low, entry.high], [place, place], color=PALETTE[0], linewidth=2.2, solid_capstyle="butt"
                )
            if len(row.seeds) > 1:
                seeds = sorted(round(part.value[metric], 4) for part in row.replicates)
                below = [place - 0.24 - 0.12 * seeds[:number].count(seed) for number, seed in enumerate(seeds)]
                axes.plot(seeds, below, "|", color=FAINT, markersize=5, markeredgewidth=1.5)  # equals under each other
            axes.plot(entry.value, place, "o", color=PALETTE[0], markersize=7)
        _widen(axes)
        chance = _chance(rows, metric)
        if chance is not None:
            low, high = axes.get_xlim()
            if chance > low - (high - low) / 2:
                axes.axvline(chance, color=FAINT, linestyle=":", linewidth=1.5)
            title = f"{title} (chance {chance:.3f})"
        axes.set_title(title, loc="left")
        _plain(axes, "x")
        axes.tick_params(axis="y", length=0)
    panels[0].set_yticks(places, [_short(row.name) for row in rows], parse_math=False)
    panels[0].set_ylim(-0.6, len(rows) - 0.4)
    several = any(len(row.seeds) > 1 for row in rows)
    legend = [("o", PALETTE[0], "mean over seeds" if several else "value")]
    legend += [("-", PALETTE[0], f"interval over {resampled(rows)}")]
    legend += [("|", FAINT, "single seeds")] if several else []
    handles = [panels[0].plot([], [], style, color=color, label=label)[0] for style, color, label in legend]
    figure.legend(handles=handles, loc="outside lower center", ncols=3, frameon=False)
    return figure


def risk_coverage_figure(found: Comparison) -> Figure:
    """Accuracy among the rows answered, the most confident first; of several seeds the mean of their curves."""
    figure = Figure(figsize=(9.6, 4.2), layout="constrained")
    axes = figure.subplots()
    for number, row in enumerate(found.rows):
        curve = risk_coverage_curve(row)
        kept = ~np.isnan(curve)
        axes.plot(
            GRID_POINTS[kept],
            curve[kept],
            color=PALETTE[number % len(PALETTE)],
            linestyle=LINES[number // len(PALETTE) % len(LINES)],
            linewidth=1.8,
            label=_literal(_short(row.name)),
        )
    axes.set_xlim(0, 1.02)
    high = min(1.005, axes.get_ylim()[1])
    axes.set_ylim(min(axes.get_ylim()[0], high - LEAST_SPAN), high)
    axes.set_xlabel("share of rows answered, most confident first")
    axes.set_ylabel("accuracy among them")
    figure.legend(loc="outside lower center", ncols=3, frameon=False)
    _plain(axes)
    return figure


def risk_coverage_curve(row: Row) -> Floats:
    """(99,) accuracy at each share of `GRID_POINTS`, the mean over seeds; NaN where fewer than 20 rows are answered."""
    curves = []
    for part in row.replicates:
        scored = part.scored
        share, accuracy = risk_coverage(scored.confidence, scored.correct)
        curve = np.interp(GRID_POINTS, share, accuracy)
        curves.append(np.where(GRID_POINTS * len(scored) >= min(STEADY, len(scored)), curve, np.nan))
    return np.asarray(np.mean(curves, axis=0), dtype=np.float64)


def groups_figure(found: Comparison, breakdown: Breakdown) -> Figure:
    """UA of every group in every row: a line for each group where they are few, else a strip of dots for each row."""
    rows, values = found.rows, breakdown.values
    if len(values) > MANY_GROUPS:
        return _strip(rows, breakdown)
    step = 0.7 / max(len(rows), 1)
    figure = Figure(figsize=(9.6, 1.5 + len(values) * max(0.36, 0.2 * len(rows))), layout="constrained")
    axes = figure.subplots()
    places = np.arange(len(values))[::-1].astype(float)
    for number, row in enumerate(rows):
        own = {group.value: group for group in breakdown.groups[row.name]}
        offset = (len(rows) - 1) / 2 * step - number * step
        color, mark = PALETTE[number % len(PALETTE)], MARKS[number % len(MARKS)]
        here = [(place + offset, own[value]) for value, place in zip(values, places, strict=True) if value in own]
        for place, group in here:
            entry = group.metrics["ua"]
            if entry.low is not None and entry.high is not None:
                axes.plot([entry.low, entry.high], [place, place], color=color, linewidth=2, solid_capstyle="butt")
            face = color if group.counted else "white"
            axes.plot(entry.value, place, mark, color=color, markerfacecolor=face, markersize=6.5)
        axes.plot([], [], mark, color=color, label=_literal(_short(row.name)))
    axes.set_yticks(places, [_short(value) or "(none)" for value in values], parse_math=False)
    axes.set_ylim(-0.6, len(values) - 0.4)
    axes.set_xlabel("UA")
    axes.tick_params(axis="y", length=0)
    _widen(axes)
    for place in places[:-1]:
        axes.axhline(place - 0.5, color=GRID, linewidth=0.8)
    figure.legend(loc="outside lower center", ncols=3, frameon=False)
    _plain(axes, "x")
    return figure


def _strip(rows: Sequence[Row], breakdown: Breakdown) -> Figure:
    figure = Figure(figsize=(9.6, 1.4 + 0.55 * len(rows)), layout="constrained")
    axes = figure.subplots()
    places = np.arange(len(rows))[::-1].astype(float)
    for row, place in zip(rows, places, strict=True):
        groups = breakdown.groups[row.name]
        for fill, kept in (("full", True), ("none", False)):
            points = [group.metrics["ua"].value for group in groups if group.counted is kept]
            heights = place + 0.3 * _spread(points)
            axes.plot(points, heights, "o", color=PALETTE[0], alpha=0.6, markersize=5, fillstyle=fill)
        counted = [group for group in groups if group.counted]
        if counted:
            _name_ends(axes, counted, place)
    axes.set_yticks(places, [_short(row.name) for row in rows], parse_math=False)
    axes.set_ylim(-0.7, len(rows) - 0.3)
    axes.set_xlabel(f"UA, a dot for each {breakdown.column}")
    axes.tick_params(axis="y", length=0)
    axes.margins(x=0.08)
    _widen(axes)
    _plain(axes, "x")
    return figure


def _name_ends(axes: Axes, groups: Sequence[Group], place: float) -> None:
    """The names of the worst and the best."""
    ordered = sorted(groups, key=lambda group: group.metrics["ua"].value)
    for group, side, shift in ((ordered[0], "right", -6), (ordered[-1], "left", 6)):
        axes.annotate(
            _literal(_short(group.value)),
            (group.metrics["ua"].value, place),
            xytext=(shift, 0),
            textcoords="offset points",
            ha=side,
            va="center",
            fontsize=8,
            color=INK,
        )


def _spread(points: Sequence[float]) -> Floats:
    """(points,) in -1..1: where equal or close values stand above one another rather than on top."""
    heights = np.zeros(len(points))
    taken: dict[int, int] = {}
    for place, value in enumerate(points):
        key = round(value * 80)
        level = taken[key] = taken.get(key, -1) + 1
        heights[place] = ((level + 1) // 2) * (1 if level % 2 else -1) / 4
    return np.clip(heights, -1, 1)


def _chance(rows: Sequence[Row], metric: str) -> float | None:
    """What guessing scores, where all runs agree on it."""
    found = {((run.results.get("baselines") or {}).get("chance") or {}).get(metric) for row in rows for run in row.runs}
    [value] = found if len(found) == 1 else [None]
    return value


def _widen(axes: Axes) -> None:
    """At least `LEAST_SPAN` across, so that a difference of nothing does not look like one."""
    low, high = axes.get_xlim()
    missing = max(0.0, LEAST_SPAN - (high - low)) / 2
    low, high = low - missing, high + missing
    shift = max(0.0, high - 1.02)
    axes.set_xlim(low - shift, high - shift)


def _literal(text: str) -> str:
    """Text in a legend, where a pair of dollars would start a formula, and a first underscore would hide the entry."""
    return text.replace("$", r"\$").replace("_", "\u200b_", 1) if text.startswith("_") else text.replace("$", r"\$")


def _short(name: str) -> str:
    return name if len(name) <= LONGEST_NAME else name[: LONGEST_NAME - 1] + "…"


def _plain(axes: Axes, grid: str = "both") -> None:
    axes.grid(axis=grid, color=GRID, linewidth=0.8)  # type: ignore[arg-type]
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
