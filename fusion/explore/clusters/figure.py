"""The picture: the map with every cluster's number, and beside it what is in the clusters and who."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

from fusion.evaluation.plots import FAINT, GRID, INK
from fusion.explore.clusters.profiles import columns_shown, named
from fusion.explore.clusters.result import Clusters
from fusion.explore.clusters.said import CAUTION, firmness, how_found
from fusion.explore.colours import CYCLE, colours_of, hatches_of
from fusion.explore.trajectory.said import short

MARKS = ("o", "s", "^", "D", "v", "P", "X", "*")
NOISE_COLOUR = "#b8c2cc"
MOST_POINTS = 20_000
MOST_BARS = 14  # clusters
MOST_SPEAKERS = 14
MOST_LABELS = 9


def colour_of_cluster(number: int) -> str:
    """#rrggbb of cluster 1, 2, …; of −1, noise, grey. Not the colours of emotions: a cluster is none."""
    return NOISE_COLOUR if number < 1 else CYCLE[(number - 1) % len(CYCLE)]


def mark_of_cluster(number: int) -> str:
    """matplotlib's marker; it changes each time the colours begin anew, and with the colour."""
    return "." if number < 1 else MARKS[((number - 1) // len(CYCLE) + (number - 1)) % len(MARKS)]


def clusters_figure(found: Clusters) -> Figure:
    """The map at the left; labels (or scores) by cluster, and speakers by cluster, at the right where they are known."""
    content = _content(found)
    profiles = not found.profiles.empty
    panels = int(content is not None) + int(profiles)
    bars = min(len(found), MOST_BARS)
    speakers = min(found.profiles["speaker"].nunique(), MOST_SPEAKERS) if profiles else 0
    figure = Figure(figsize=(13.0 if panels else 8.0, 7.0), layout="constrained")
    if panels:
        halves: Any = figure.subfigures(1, 2, width_ratios=[1.45, 1])
        left, right = halves
        heights = [max(3.0, bars + 1.5)] * (content is not None) + [max(3.0, speakers + 1.5)] * profiles
        axes = np.atleast_1d(right.subplots(panels, 1, gridspec_kw={"height_ratios": heights}))
        if content is not None:
            _bars(axes[0], *content, bars)
        if profiles:
            _speakers(axes[-1], found)
        _map(left.subplots(), found)
    else:
        _map(figure.subplots(), found)
    figure.suptitle(how_found(found), x=0.01, ha="left", fontsize=12, color=INK, parse_math=False)
    figure.supxlabel("; ".join(firmness(found)[:2]) + f"\n{CAUTION}", fontsize=7.5, color=FAINT, x=0.01, ha="left")
    return figure


def _map(axes: Axes, found: Clusters) -> None:
    points, numbers = found.map.points, found.numbers
    shown = np.arange(len(points))
    if len(points) > MOST_POINTS:
        shown = np.sort(np.random.default_rng(0).choice(len(points), MOST_POINTS, replace=False))
    size = float(np.clip(6_000 / max(len(shown), 1), 3, 34))
    for number in [-1, *range(1, len(found) + 1)]:
        here = shown[numbers[shown] == number]
        if len(here):
            axes.scatter(
                points[here, 0], points[here, 1], s=size, marker=mark_of_cluster(number), c=colour_of_cluster(number),
                alpha=0.75, linewidths=0, rasterized=True,
            )  # fmt: skip
    for cluster in found.clusters:
        x, y = np.median(points[numbers == cluster.number], axis=0)
        axes.annotate(
            str(cluster.number), (x, y), ha="center", va="center", fontsize=13, fontweight="bold", color=INK,
            path_effects=[withStroke(linewidth=3.5, foreground="white")],
        )  # fmt: skip
    axes.set_xlabel(
        found.map.said + ("" if len(shown) == len(points) else f"; {len(shown):,} clips drawn"), fontsize=8.5
    )
    axes.set_xticks([])
    axes.set_yticks([])
    if found.map.kind == "pca":
        axes.set_aspect("equal", adjustable="datalim")
    for side in axes.spines.values():
        side.set_color(GRID)


def _content(found: Clusters) -> tuple[str, list[str], np.ndarray] | None:
    """A title, names, and (clusters, names) shares: of labels where there are any, else the encoder's mean scores."""
    if any(cluster.labels for cluster in found.clusters):
        totals: dict[str, int] = {}
        for cluster in found.clusters:
            for label, count in cluster.labels.items():
                totals[label] = totals.get(label, 0) + count
        names = sorted(totals, key=lambda label: (-totals[label], label))[:MOST_LABELS]
        shares = [[c.labels.get(name, 0) / max(c.labelled, 1) for name in names] for c in found.clusters]
        return "labels of each cluster's clips", names, np.array(shares)
    if any(cluster.scores for cluster in found.clusters):
        names = list(found.collection.score_labels)
        return (
            "mean scores of the encoder",
            names,
            np.array([[c.scores.get(n, 0.0) for n in names] for c in found.clusters]),
        )
    return None


def _bars(axes: Axes, title: str, names: list[str], shares: np.ndarray, shown: int) -> None:
    colours, hatches = colours_of(names), hatches_of(names)
    left = np.zeros(shown)
    for column, name in enumerate(names):
        axes.barh(
            np.arange(shown), shares[:shown, column], left=left, height=0.72, color=colours[name], hatch=hatches[name],
            edgecolor="white", linewidth=0.5, label=short(name, 16),
        )  # fmt: skip
        left += shares[:shown, column]
    axes.set_yticks(np.arange(shown), [str(number + 1) for number in range(shown)])
    axes.invert_yaxis()
    axes.set_xlim(0, 1)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    more = "" if shown == len(shares) else f" (the {shown} largest of {len(shares)})"
    axes.set_title(title + more, loc="left", fontsize=10, color=INK)
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False, fontsize=8)
    axes.tick_params(colors=FAINT, labelcolor=INK, labelsize=8)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def _speakers(axes: Axes, found: Clusters) -> None:
    frame = found.profiles
    order = frame.drop_duplicates("speaker").sort_values(["of", "speaker"], ascending=[False, True])
    names = order["speaker"].head(MOST_SPEAKERS).tolist()
    numbers = columns_shown(frame, MOST_BARS)
    share = frame.pivot(index="speaker", columns="cluster", values="share").loc[names, numbers].to_numpy(float)
    over = frame.pivot(index="speaker", columns="cluster", values="over").loc[names, numbers].to_numpy(bool)
    axes.imshow(share, cmap="Greys", vmin=0, vmax=1.15, aspect="auto", interpolation="nearest")
    for (row, column), value in np.ndenumerate(share):
        text = f"{value:.0%}" + (" ▲" if over[row, column] else "")
        axes.text(column, row, text, ha="center", va="center", fontsize=7, color="white" if value > 0.6 else INK)
    few = dict(zip(order["speaker"], order["few"], strict=True))
    axes.set_yticks(
        range(len(names)),
        [short(name, 18) + ("*" if few[name] else "") for name in names],
        fontsize=8,
        parse_math=False,
    )
    axes.set_xticks(range(len(numbers)), [named(number) for number in numbers], fontsize=8)
    axes.tick_params(length=0)
    more = "" if len(names) == len(order) else f", {len(names)} of {len(order)} speakers"
    axes.set_title(f"share of each speaker's clips by cluster{more}", loc="left", fontsize=10, color=INK)
    stars = "  * fewer than 10 clips" if any(few[name] for name in names) else ""
    axes.set_xlabel(f"▲ oftener than by chance{stars}", fontsize=8, color=FAINT)
    for side in axes.spines.values():
        side.set_visible(False)
