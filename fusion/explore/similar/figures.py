"""The pictures of a similarity: where the value stands among pairs that nobody chose, and the matrix of a small set."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter
from numpy.typing import NDArray

from extractors.types import Float32
from fusion.evaluation.plots import FAINT, GRID, INK
from fusion.explore.collection import Collection
from fusion.explore.similar.percentiles import Percentiles
from fusion.explore.similar.reference import Reference
from fusion.explore.space import Space

RANDOM, SAME, MARK = "#7b8794", "#0072B2", "#D55E00"
BINS = 60
LARGEST_HEATMAP = 500  # clips; more, and a clip is less than a pixel
LONGEST_NAME = 26  # characters
NAMED = 40  # clips whose ids fit beside a heatmap


def distribution_figure(
    percentiles: Percentiles, values: Sequence[float], names: Sequence[str], *, title: str, space: str
) -> Figure:
    """Random pairs and pairs of one label as two curves of shares, and each of `values` as a line with its name."""
    figure = Figure(figsize=(7.2, 3.4), layout="constrained")
    axes = figure.subplots()
    shown = [percentiles.random, *([percentiles.same_label] if percentiles.same_label is not None else [])]
    low = min([float(found.values[0]) for found in shown] + list(values))
    edges = np.linspace(min(low, 0.999), 1.0, BINS + 1)
    for found, colour, style in zip(shown, (RANDOM, SAME), ("-", "--"), strict=False):
        _histogram(axes, found, edges, colour, style)
    _marks(axes, percentiles.random, values, names)
    axes.set_xlabel(f"cosine, {space}")
    axes.set_ylabel("share of pairs")
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    axes.set_title(title, loc="left", parse_math=False, fontsize=11)
    axes.legend(frameon=False, fontsize=8, loc="upper left")
    _plain(axes)
    return figure


def heatmap_figure(collection: Collection, space: Space) -> Figure:
    """Every clip against every clip, those of one label side by side, lines between the labels."""
    labels = [str(label) if label is not None else "" for label in collection.column("label")]
    order = sorted(range(len(collection)), key=lambda row: (labels[row], row))
    unit: Float32 = space.transform(collection.vectors[order])
    figure = Figure(figsize=(7.2, 6.4), layout="constrained")
    axes = figure.subplots()
    image = axes.imshow(unit @ unit.T, cmap="RdBu_r", vmin=-1, vmax=1, interpolation="nearest")
    figure.colorbar(image, ax=axes, shrink=0.8, label=f"cosine, {space.name}")
    names = [labels[row] for row in order]
    edges = [place for place in range(1, len(names)) if names[place] != names[place - 1]]
    for edge in edges:
        axes.axhline(edge - 0.5, color=INK, linewidth=0.8)
        axes.axvline(edge - 0.5, color=INK, linewidth=0.8)
    ticks: list[float] = []
    texts: list[str] = []
    if any(names):
        bounds = [0, *edges, len(names)]
        ticks = [(a + b - 1) / 2 for a, b in pairwise(bounds)]
        texts = [_short(names[a]) or "no label" for a in bounds[:-1]]
    elif len(order) <= NAMED:
        ticks, texts = [float(place) for place in range(len(order))], [_short(name) for name in collection.ids]
    axes.set_xticks(ticks, texts, rotation=45, ha="right", rotation_mode="anchor", fontsize=8, parse_math=False)
    axes.set_yticks(ticks, texts, fontsize=8, parse_math=False)
    axes.tick_params(length=0)
    axes.set_title(f"{len(order):,} clips, all pairs", loc="left", fontsize=11)
    return figure


def _histogram(axes: Axes, found: Reference, edges: NDArray[np.float64], colour: str, style: str) -> None:
    counts, places = np.histogram(found.values, bins=edges)
    share = counts / max(1, len(found))
    axes.stairs(share, places, color=colour, fill=True, alpha=0.18)
    sampled = "drawn" if found.sampled else "all"
    label = f"{found.what} ({len(found):,}, {sampled})"
    axes.stairs(share, places, color=colour, linewidth=1.5, linestyle=style, label=label)


def _marks(axes: Axes, random: Reference, values: Sequence[float], names: Sequence[str]) -> None:
    """Lines down from the top, named above them where there are few."""
    for value in values:
        axes.axvline(value, color=MARK, linewidth=1.6 if len(values) == 1 else 0.9)
    if len(values) == 1:
        text = f"{names[0]}  {values[0]:.2f}\nhigher than {random.percentile(values[0]):.0f} % of random pairs"
        left = values[0] > np.mean(axes.get_xlim())
        axes.annotate(
            text,
            (values[0], axes.get_ylim()[1] * 0.97),
            xytext=(-6 if left else 6, 0),
            textcoords="offset points",
            ha="right" if left else "left",
            va="top",
            fontsize=8,
            color=MARK,
            parse_math=False,
        )


def _short(name: str) -> str:
    return name if len(name) <= LONGEST_NAME else name[: LONGEST_NAME - 1] + "…"


def _plain(axes: Axes) -> None:
    axes.grid(color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(colors=FAINT, labelcolor=INK)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
