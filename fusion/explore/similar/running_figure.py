"""The picture of two clips laid over each other: the path, one curve of each, and where they part."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from sklearn.decomposition import PCA

from fusion.evaluation.plots import FAINT, GRID, INK
from fusion.explore.similar.running import Running

FIRST, SECOND, PATH = "#0072B2", "#D55E00", "#000000"
MOST_CELLS = 600  # frames a side; a picture has no more pixels than that to show


def running_figure(found: Running, *, a: str, b: str) -> Figure:
    """Left the likeness of every frame to every frame with the path; right, over the seconds of `a`, the strongest
    direction of movement of both (b moved onto a's time) and how alike they are."""
    figure = Figure(figsize=(10.2, 4.2), layout="constrained")
    grid = figure.add_gridspec(2, 2, width_ratios=(1, 1.6))
    _cells(figure.add_subplot(grid[:, 0]), found, a, b)
    above = figure.add_subplot(grid[0, 1])
    below = figure.add_subplot(grid[1, 1], sharex=above)
    above.tick_params(labelbottom=False)
    path, rate, (start, _) = found.alignment.path, found.frame_rate, found.starts
    seconds = start + (path[:, 0] + 0.5) / rate
    share, curve_a, curve_b = _curves(found)
    above.plot(seconds, curve_a[path[:, 0]], color=FIRST, linewidth=1.5, label=a)
    above.plot(seconds, curve_b[path[:, 1]], color=SECOND, linewidth=1.5, linestyle="--", label=f"{b}, aligned")
    above.set_ylabel("first component")
    above.set_title(f"the direction that moves most ({share:.0%} of the variance)", loc="left", fontsize=10)
    low, high = above.get_ylim()
    above.set_ylim(low, high + 0.3 * (high - low))  # room for the legend
    legend = above.legend(frameon=False, fontsize=8, loc="upper left", ncols=2)
    for text in legend.get_texts():
        text.set_parse_math(False)
    below.plot(seconds, found.alignment.local, color=INK, linewidth=1.2)
    median = found.reference.quantile(0.5)
    below.axhline(median, color=FAINT, linestyle=":", linewidth=1.5)
    beside = below.get_yaxis_transform()  # in the margin, where no curve goes
    below.text(1.01, median, "random pairs,\nmedian", transform=beside, ha="left", va="center", fontsize=7, color=FAINT)
    below.set_ylim(min(-0.05, float(found.alignment.local.min())), 1.02)
    below.set_ylabel("cosine")
    below.set_xlabel("seconds of a")
    below.set_title(
        f"mean {found.alignment.similarity:.2f}: higher than {found.percentile:.0f} % of {len(found.reference):,} "
        "random pairs",
        loc="left",
        fontsize=10,
    )
    for axes in (above, below):
        axes.grid(color=GRID, linewidth=0.8)
        axes.set_axisbelow(True)
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
    return figure


def _cells(axes: Axes, found: Running, a: str, b: str) -> None:
    step = max(1, -(-max(len(found.first), len(found.second)) // MOST_CELLS))
    cosines = found.second[::step] @ found.first[::step].T
    (start_a, start_b), (long_a, long_b) = found.starts, found.seconds
    extent = (start_a, start_a + long_a, start_b, start_b + long_b)
    image = axes.imshow(cosines, cmap="Greys", origin="lower", aspect="auto", extent=extent, vmin=-1, vmax=1)
    bar = axes.figure.colorbar(image, ax=axes, fraction=0.05, pad=0.02, ticks=[-1, -0.5, 0, 0.5, 1])
    bar.set_label("cosine of two frames", fontsize=8)
    bar.ax.tick_params(labelsize=8)
    path = (found.alignment.path + 0.5) / found.frame_rate
    axes.plot(start_a + path[:, 0], start_b + path[:, 1], color=SECOND, linewidth=1.6)
    axes.set_xlabel(f"{a} (s)", parse_math=False)
    axes.set_ylabel(f"{b} (s)", parse_math=False)
    axes.set_title("which goes with which; darker is more alike", loc="left", fontsize=10)


def _curves(found: Running) -> tuple[float, np.ndarray, np.ndarray]:
    """Share of the variance, and both sequences along the direction in which the two together vary most."""
    both = np.concatenate([found.first, found.second])
    pca = PCA(n_components=1, svd_solver="randomized", random_state=0)
    if len(both) < 2 or both.shape[1] < 2 or not float(both.var()):
        return 0.0, np.zeros(len(found.first)), np.zeros(len(found.second))
    curve = pca.fit_transform(both)[:, 0]
    return float(pca.explained_variance_ratio_[0]), curve[: len(found.first)], curve[len(found.first) :]
