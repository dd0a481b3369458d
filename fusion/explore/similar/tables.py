"""What `emofuse similar` prints, and the table of the most alike."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from rich.table import Table
from rich.text import Text

from fusion.explore.collection import Collection
from fusion.explore.fitting import Column, fitted, left_out
from fusion.explore.similar.matrix import MatrixSummary
from fusion.explore.similar.nearest import Nearest
from fusion.explore.similar.percentiles import Percentiles

SHOWN_LABELS = 12
LEAST_ID, LONGEST_ID = 28, 64  # characters
LEAST_TEXT, LONGEST_TEXT, LONGEST_NAME = 16, 60, 20
SHOWN = {"label": 2, "speaker": 3, "text": 1}  # the highest is left out first where not all fit


def pair_table(about: Mapping[str, Any]) -> Table:
    """The value, and a row for each reference: how many pairs, what is usual among them, and the value's percentile."""
    table = _references(about)
    table.title = f"cosine {_signed(about['cosine'])}   ({about['space']}; raw {_signed(about['raw_cosine'])})"
    return table


def running_table(about: Mapping[str, Any]) -> Table:
    """As `pair_table`, of two clips frame by frame."""
    table = _references(about)
    a, b = about["seconds"]
    what = "own means taken away" if about["movement"] else about["space"]
    table.title = f"mean cosine {_signed(about['cosine'])} along the path   ({what}; {a:.1f} s and {b:.1f} s)"
    if about["frames_averaged"] > 1:
        table.caption = f"{about['frames_averaged']} frames averaged to one"
    return table


def _references(about: Mapping[str, Any]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold", title_justify="left", caption_justify="left")
    table.add_column("among", no_wrap=True)
    for heading in ("pairs", "median", "5 % … 95 %", "percentile"):
        table.add_column(heading, justify="right", no_wrap=True)
    for entry in about["references"]:
        table.add_row(
            Text(entry["what"]),
            f"{entry['pairs']:,}",
            _signed(entry["median"]),
            f"{_signed(entry['p05'])} … {_signed(entry['p95'])}",
            f"{entry['percentile']:.1f}",
        )
    return table


def nearest_frame(found: Nearest, collection: Collection, percentiles: Percentiles) -> pd.DataFrame:
    """The most alike, first to last: id, cosine, percentile among random pairs, then what is known of each clip."""
    rows = collection.take(found.rows)
    metadata = rows.metadata.drop(columns=["id"], errors="ignore")
    return pd.concat(
        [
            pd.DataFrame(
                {
                    "id": list(rows.ids),
                    "cosine": found.cosines.astype(np.float64).round(6),
                    "percentile": percentiles.random.percentiles(found.cosines).round(2),
                }
            ),
            metadata,
        ],
        axis=1,
    )


def nearest_table(frame: pd.DataFrame, about: Mapping[str, Any], *, width: int = 80) -> Table:
    """The frame in brief, in at most `width` characters."""
    columns = [
        Column("id", [str(name) for name in frame["id"]], least=LEAST_ID, most=LONGEST_ID),
        Column("cosine", [_signed(value) for value in frame["cosine"]], right=True),
        Column("percentile", [f"{value:.1f}" for value in frame["percentile"]], right=True),
    ]
    for name, spare in SHOWN.items():
        if name in frame and frame[name].notna().any():
            least, most = (LEAST_TEXT, LONGEST_TEXT) if name == "text" else (None, LONGEST_NAME)
            cells = ["" if pd.isna(value) else str(value) for value in frame[name]]
            columns.append(Column(name, cells, least=least, most=most, spare=spare))
    table, missing = fitted(columns, width)
    lines = [f"{about['space']}; percentile among {about['random_pairs']:,} random pairs"]
    table.caption = Text("\n".join([*lines, *filter(None, [left_out(missing, "similar.csv")])]))
    return table


def labels_table(summary: MatrixSummary, space: str) -> Table:
    """Mean cosine between clips of two labels."""
    title = f"{summary.clips:,} clips, {summary.pairs:,} pairs: mean cosine {_signed(summary.mean)} ({space})"
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold", title=title, title_justify="left")
    names = list(summary.labels.index[:SHOWN_LABELS])
    table.add_column("mean cosine" if names else "", no_wrap=True)
    for name in names:
        table.add_column(Text(str(name)), justify="right", no_wrap=True)
    for name in names:
        values = summary.labels.loc[name, names]
        table.add_row(Text(str(name)), *("" if np.isnan(value) else _signed(value) for value in values))
    if len(summary.labels) > len(names):
        table.caption = f"… and {len(summary.labels) - len(names)} more labels in labels.csv"
    return table


def _signed(value: float) -> str:
    return f"{value:.2f}".replace("-", "−")
