"""What a manifest holds against what was published: lines for the log, a table for the terminal."""

from __future__ import annotations

from typing import cast

import pandas as pd
from rich.box import HORIZONTALS
from rich.table import Table

from fusion.corpora.base import PARTS, Published


def counts_of(frame: pd.DataFrame) -> dict[str, dict[str, int]]:
    """Label -> part of the official division ("all" where there is none) -> rows, labels by name.

    >>> counts_of(pd.DataFrame({"label": ["sad", "sad", "joy"], "split": ["train", "test", "train"]}))
    {'joy': {'train': 1}, 'sad': {'test': 1, 'train': 1}}
    """
    parts = frame["split"].fillna("none") if "split" in frame.columns else pd.Series("all", index=frame.index)
    counted = frame.groupby([frame["label"], parts]).size()
    counts: dict[str, dict[str, int]] = {}
    for key, count in counted.items():
        label, part = cast(tuple[str, str], key)  # the index has these two levels
        counts.setdefault(label, {})[part] = int(count)
    return counts


def mismatches(frame: pd.DataFrame, published: Published | None) -> list[str]:
    """One line for each class (and part, where both are divided) whose count is not the published one.

    >>> frame = pd.DataFrame({"label": ["sad", "sad", "joy"]})
    >>> mismatches(frame, Published({"sad": (2,), "joy": (3,), "fear": (1,)}, "a paper"))
    ['joy: 3 published, 1 here', 'fear: 1 published, 0 here']
    """
    if published is None:
        return []
    counts = counts_of(frame)
    lines = []
    for label in [*published.counts, *(label for label in counts if label not in published.counts)]:
        figures, here = published.counts.get(label, (0,)), counts.get(label, {})
        if len(figures) == len(PARTS) and "split" in frame.columns:
            pairs = [
                (f"{label}, {part}", figure, here.get(part, 0)) for part, figure in zip(PARTS, figures, strict=True)
            ]
            pairs += [(f"{label}, in no part", 0, here["none"])] if "none" in here else []
        else:
            pairs = [(label, sum(figures), sum(here.values()))]
        lines += [f"{name}: {figure:,} published, {count:,} here" for name, figure, count in pairs if figure != count]
    return lines


def table_of(frame: pd.DataFrame, published: Published | None, title: str) -> Table:
    """Classes × rows × published, with a column for each part of the official division where there is one."""
    counts = counts_of(frame)
    parts = [part for part in (*PARTS, "none") if any(part in here for here in counts.values())]
    labels = [*counts, *(label for label in (published.counts if published else ()) if label not in counts)]
    table = Table(title=title, title_justify="left", box=HORIZONTALS, pad_edge=False)
    table.add_column("class")
    for heading in (*parts, "here", "published"):
        table.add_column(heading, justify="right")
    rows = [(label, counts.get(label, {}), published.total(label) if published else None) for label in sorted(labels)]
    for number, (label, here, figure) in enumerate(rows, 1):
        wrong = figure is not None and figure != sum(here.values())
        cells = [*(here.get(part, 0) for part in parts), sum(here.values()), figure]
        table.add_row(label, *map(_cell, cells), style="yellow" if wrong else None, end_section=number == len(rows))
    totals = [sum(here.get(part, 0) for _, here, _ in rows) for part in parts]
    figures = [figure for _, _, figure in rows if figure is not None]
    table.add_row("all", *map(_cell, [*totals, len(frame), sum(figures) if published else None]))
    return table


def in_words(frame: pd.DataFrame, hours: float | None) -> str:
    """Rows, speakers, groups, what is missing and the hours, in one line.

    >>> in_words(pd.DataFrame({"audio": ["a.wav", None], "text": ["x", "y"], "speaker": ["s", "s"]}), None)
    '2 utterances, 1 speaker; 1 without audio'
    """
    parts = [f"{len(frame):,} utterances"]
    for column, one in (("speaker", "speaker"), ("group", "group"), ("language", "language")):
        if column in frame.columns:
            count = frame[column].nunique()
            parts.append(f"{count:,} {one}" + ("s" if count != 1 else ""))
    if hours is not None:
        parts.append(f"{hours:.1f} hours of audio" if hours >= 0.1 else f"{hours * 3600:.1f} s of audio")
    missing = [f"{frame[c].isna().sum():,} without {c}" for c in ("audio", "text") if frame[c].isna().any()]
    return ", ".join(parts) + ("; " + ", ".join(missing) if missing else "")


def _cell(value: int | None) -> str:
    return "–" if value is None else f"{value:,}"
