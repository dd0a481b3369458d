"""The pictures of a run. matplotlib's object interface only: no pyplot, no global state, no display.

Every function answers with a Figure, `png` turns it into bytes. Colours are Okabe and Ito's, told apart by the
colour-blind, and every system has a mark of its own as well.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib import font_manager, rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from fusion.evaluation.calibration import risk_coverage
from fusion.evaluation.metrics import BINS, ece, ece_uncalibrated, reliability, total_sums
from fusion.evaluation.scored import Bools, Floats, Scored
from fusion.evaluation.tables import system_order, title_of

COLORS = {"speech": "#D55E00", "text": "#009E73", "fusion": "#0072B2"}
MARKS = {"speech": "s", "text": "^", "fusion": "o"}
INK, FAINT, GRID = "#1f2933", "#7b8794", "#e4e7eb"
METRIC_TITLES = {"wa": "WA", "ua": "UA", "macro_f1": "macro F1", "weighted_f1": "weighted F1"}
LONGEST_LABEL = 18  # characters; longer class names are cut in pictures, never in tables
COUNTED_CLASSES = 12  # more, and the cells of a confusion matrix are too small for numbers
DPI = 170
FONTS = (  # the first that are installed; a label in Chinese, Japanese or Korean finds its glyphs in the later ones
    "DejaVu Sans", "Noto Sans CJK SC", "Noto Sans CJK JP", "WenQuanYi Micro Hei", "Microsoft YaHei", "PingFang SC",
    "Hiragino Sans", "Malgun Gothic", "Arial Unicode MS",
)  # fmt: skip


def comparison_figure(results: Mapping[str, Any]) -> Figure:
    """Every system's metrics with their intervals; beside them the difference that fusion makes, and zero."""
    test, difference = results["test"], results["difference"]
    figure = Figure(figsize=(9.6, 3.6), layout="constrained")
    panels = figure.subplots(1, 2, width_ratios=(2, 1), sharey=True) if difference else [figure.subplots()]
    panels = list(panels)
    order = system_order(test)
    rows = np.arange(len(METRIC_TITLES))[::-1].astype(float)
    for place, name in enumerate(order):
        entries = [test[name][key] for key in METRIC_TITLES]
        offset = (len(order) - 1) / 2 * 0.24 - place * 0.24
        _intervals(panels[0], entries, rows + offset, name, label=title_of(name))
    chance = [results["baselines"]["chance"][key] for key in METRIC_TITLES]
    panels[0].vlines(chance, rows - 0.4, rows + 0.4, color=FAINT, linestyle=":", linewidth=1.5, label="chance")
    panels[0].set_yticks(rows, list(METRIC_TITLES.values()))
    panels[0].set_ylim(-0.6, len(rows) - 0.4)
    panels[0].set_xlim(0, 1.02)
    panels[0].set_title(f"Test result, {_level(results)} intervals", loc="left")
    panels[0].legend(loc="upper center", bbox_to_anchor=(0.5, -0.1), ncols=4, frameon=False)
    if difference:
        _intervals(panels[1], [difference[key] for key in METRIC_TITLES], rows, "fusion")
        panels[1].axvline(0, color=INK, linewidth=1)
        panels[1].set_title(f"fusion minus {results['difference_against']}", loc="left")
        reach = max(0.05, *(abs(edge) for edge in panels[1].get_xlim()))
        panels[1].set_xlim(-reach, reach)
        panels[1].tick_params(axis="y", length=0)
        panels[1].spines["left"].set_visible(False)
    for axes in panels:
        _plain(axes, grid="x")
    return figure


def confusion_figure(systems: Mapping[str, Scored], labels: Sequence[str]) -> Figure:
    """A confusion matrix for each system: colour and percentage by row (the true class), counts beneath."""
    order, names, classes = system_order(systems), [_short(label) for label in labels], len(labels)
    side = float(np.clip(0.62 * classes + 1.2, 3.4, 9))
    figure = Figure(figsize=(side * len(order) + 1.0, side + 0.9), layout="compressed")
    panels = figure.subplots(1, len(order), squeeze=False)[0]
    for axes, name in zip(panels, order, strict=True):
        counts = total_sums(systems[name]).confusion
        support = counts.sum(axis=1, keepdims=True)
        shares = counts / np.maximum(support, 1)
        axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
        axes.set_title(title_of(name), fontsize=11, fontweight="bold")
        axes.set_xticks(range(classes), names, rotation=45, ha="right", rotation_mode="anchor", parse_math=False)
        axes.set_yticks(range(classes), names if axes is panels[0] else [""] * classes, parse_math=False)
        axes.set_xlabel("predicted")
        axes.tick_params(length=0)
        for spine in axes.spines.values():
            spine.set_visible(False)
        if classes <= COUNTED_CLASSES:
            _cell_texts(axes, counts, shares)
    panels[0].set_ylabel("true")
    return figure


def reliability_figure(scored: Scored) -> Figure:
    """Accuracy against confidence before and after temperature scaling, and how often each confidence occurs."""
    sums = total_sums(scored)
    figure = Figure(figsize=(9.6, 4.8), layout="constrained")
    grid = figure.subplots(2, 2, sharex=True, sharey="row", height_ratios=(4, 1))
    before = ("before temperature scaling", scored.uncalibrated, float(ece_uncalibrated(sums)))
    after = ("after temperature scaling", scored.probabilities, float(ece(sums)))
    for column, (title, probabilities, error) in enumerate((before, after)):
        correct = probabilities.argmax(axis=1) == scored.targets
        _reliability_panel(grid[0, column], grid[1, column], probabilities.max(axis=1), correct)
        grid[0, column].set_title(f"{title}: ECE {error:.3f}", loc="left", fontsize=10)
        grid[1, column].set_xlabel("confidence")
    grid[0, 0].set_ylabel("accuracy")
    grid[1, 0].set_ylabel("rows")
    grid[0, 0].legend(loc="upper left", frameon=False, fontsize=8)
    return figure


def risk_coverage_figure(systems: Mapping[str, Scored]) -> Figure:
    """Accuracy among the rows answered, when only the most confident are; the mark is the threshold of `uncertain`."""
    figure = Figure(figsize=(9.6, 3.8), layout="constrained")
    axes = figure.subplots()
    for name in system_order(systems):
        scored = systems[name]
        share, accuracy = risk_coverage(scored.confidence, scored.correct)
        steady = share * len(scored) >= min(20, len(scored))  # the accuracy of fewer rows jumps about and says nothing
        color = COLORS.get(name, INK)
        axes.plot(share[steady], accuracy[steady], color=color, label=title_of(name), linewidth=1.8)
        if scored.uncertain is not None and not scored.uncertain.all():
            kept = ~scored.uncertain
            axes.plot(kept.mean(), scored.correct[kept].mean(), MARKS.get(name, "D"), color=color, markersize=8)
    axes.set_xlim(0, 1.02)
    axes.set_ylim(axes.get_ylim()[0], 1.01)
    axes.set_xlabel("share of rows answered, most confident first")
    axes.set_ylabel("accuracy among them")
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=3, frameon=False)
    _plain(axes)
    return figure


def learning_curves_figure(history: Iterable[Mapping[str, Any]]) -> Figure | None:
    """Loss and validation UA by epoch, a line for each fold, a dot at the chosen epoch. None without history.

    history : records {"system", "fold", "epoch", "train_loss", "val_loss", "val_ua", "chosen"}; of the last four, any
              may be missing
    """
    runs: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for record in history:
        runs.setdefault((str(record["system"]), str(record.get("fold", ""))), []).append(record)
    if not runs:
        return None
    order = system_order({name: None for name, _ in runs})
    figure = Figure(figsize=(max(3.3 * len(order), 4.5), 4.8), layout="constrained")
    grid = figure.subplots(2, len(order), squeeze=False, sharex="col", sharey="row")
    alpha = 1.0 if len(runs) == len(order) else 0.45
    for (name, _), records in runs.items():
        column = order.index(name)
        records = sorted(records, key=lambda record: record["epoch"])
        color = COLORS.get(name, INK)
        _curve(grid[0, column], records, "train_loss", alpha, color=FAINT, linestyle="--", linewidth=1.2)
        _curve(grid[0, column], records, "val_loss", alpha, color=color, linewidth=1.6)
        _curve(grid[1, column], records, "val_ua", alpha, color=color, linewidth=1.6)
    for column, name in enumerate(order):
        grid[0, column].set_title(title_of(name), fontweight="bold", fontsize=11)
        grid[1, column].set_xlabel("epoch")
    grid[0, 0].set_ylabel("loss")
    grid[1, 0].set_ylabel("validation UA")
    grid[0, 0].plot([], [], color=FAINT, linestyle="--", label="training")
    grid[0, 0].plot([], [], color=INK, label="validation")
    grid[0, 0].plot([], [], "o", color=INK, label="chosen epoch", markersize=5)
    grid[0, 0].legend(frameon=False, fontsize=8)
    for axes in grid.flat:
        _plain(axes)
        axes.xaxis.get_major_locator().set_params(integer=True)
    return figure


def png(figure: Figure) -> bytes:
    """The figure as a PNG file."""
    FigureCanvasAgg(figure)
    known = set(font_manager.fontManager.get_font_names())
    buffer = io.BytesIO()
    with rc_context({"font.family": [font for font in FONTS if font in known]}), warnings.catch_warnings():
        warnings.filterwarnings(
            "ignore", message=".*[Gg]lyph.*missing.*"
        )  # a box in a picture; the tables have the name
        figure.savefig(buffer, format="png", dpi=DPI, facecolor="white", bbox_inches="tight", pad_inches=0.08)
    return buffer.getvalue()


def _intervals(
    axes: Axes, entries: Sequence[Mapping[str, float | None]], at: Floats, name: str, label: str | None = None
) -> None:
    color, values = COLORS.get(name, INK), [entry["value"] for entry in entries]
    for entry, place in zip(entries, at, strict=True):
        if entry["low"] is not None and entry["high"] is not None:
            axes.plot([entry["low"], entry["high"]], [place, place], color=color, linewidth=2.2, solid_capstyle="butt")
    axes.plot(values, at, MARKS.get(name, "D"), color=color, markersize=7, label=label)  # type: ignore[arg-type]


def _cell_texts(axes: Axes, counts: Floats, shares: Floats) -> None:
    size = float(np.interp(len(counts), (4, COUNTED_CLASSES), (10, 7)))
    for (row, column), share in np.ndenumerate(shares):
        if counts[row, column]:
            color = "white" if share > 0.55 else INK
            axes.text(column, row, f"{share:.0%}", color=color, ha="center", va="bottom", fontsize=size)
            number = f"{counts[row, column]:.0f}"
            axes.text(column, row + 0.08, number, color=color, ha="center", va="top", fontsize=size - 2.5)


def _reliability_panel(main: Axes, below: Axes, confidence: Floats, correct: Bools) -> None:
    found, width = reliability(confidence, correct), 1 / BINS
    filled = found.count > 0
    left, accuracy, claimed = np.arange(BINS)[filled] * width, found.accuracy[filled], found.confidence[filled]
    style: dict[str, Any] = {"width": width * 0.92, "align": "edge"}
    main.bar(left, np.minimum(accuracy, claimed), color=COLORS["fusion"], label="accuracy", **style)
    gap = claimed - accuracy
    for label, height, bottom, face, edge, hatch in (
        ("claimed too much", gap, accuracy, "#D55E0030", COLORS["speech"], "///"),
        ("claimed too little", -gap, claimed, "#56B4E950", COLORS["fusion"], "..."),
    ):
        drawn = np.where(height > 0, height, np.nan)  # a bar of no height would still draw its edge
        main.bar(left, drawn, bottom=bottom, label=label, facecolor=face, edgecolor=edge, hatch=hatch, **style)
    main.plot([0, 1], [0, 1], color=INK, linewidth=1, linestyle="--")
    main.set_xlim(0, 1)
    main.set_ylim(0, 1.02)
    below.bar(left, found.count[filled], color=FAINT, **style)
    _plain(main)
    _plain(below)


def _curve(axes: Axes, records: Sequence[Mapping[str, Any]], key: str, alpha: float, **style: Any) -> None:
    points = [(record["epoch"], record[key], record.get("chosen")) for record in records if record.get(key) is not None]
    axes.plot([epoch for epoch, _, _ in points], [value for _, value, _ in points], alpha=alpha, **style)
    for epoch, value, chosen in points:
        if chosen and key != "train_loss":
            axes.plot(epoch, value, "o", color=style["color"], markersize=5, zorder=3)


def _plain(axes: Axes, grid: str = "both") -> None:
    axes.grid(axis=grid, color=GRID, linewidth=0.8)  # type: ignore[arg-type]
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def _level(results: Mapping[str, Any]) -> str:
    return f"{results['interval']['level']:.0%}".replace("%", " %")


def _short(label: str) -> str:
    return label if len(label) <= LONGEST_LABEL else label[: LONGEST_LABEL - 1] + "…"
