"""Praat's TextGrid, the long form in UTF-8: interval tiers of labels, a point tier of changes."""

from __future__ import annotations

from collections.abc import Sequence

from fusion.explore.trajectory.names import plain
from fusion.explore.trajectory.result import Run, Trajectory
from fusion.explore.trajectory.tracks.tiers import CHANGES, said_of, tiers_of


def textgrid(found: Trajectory) -> str:
    """Intervals cover a tier from 0 to its end without a hole, as Praat wants them: gaps are intervals with no text."""
    end = found.seconds
    tiers = [_intervals(tier.name, tier.runs, end) for tier in tiers_of(found)]
    if found.changes:
        tiers.append(_points(found, end))
    head = ['File type = "ooTextFile"', 'Object class = "TextGrid"', "", "xmin = 0", f"xmax = {_number(end)}",
            "tiers? <exists>", f"size = {len(tiers)}", "item []:"]  # fmt: skip
    body = [line for number, tier in enumerate(tiers, 1) for line in (f"    item [{number}]:", *tier)]
    return "\n".join([*head, *body]) + "\n"


def _intervals(name: str, runs: Sequence[Run], end: float) -> list[str]:
    spans: list[tuple[float, float, str]] = []
    at = 0.0
    for run in runs:
        start, stop = max(at, run.start_s), min(run.end_s, end)
        if stop <= start:
            continue
        if start > at:
            spans.append((at, start, ""))
        spans.append((start, stop, plain(run.label)))
        at = stop
    if at < end:
        spans.append((at, end, ""))
    lines = _head("IntervalTier", name, end, f"intervals: size = {len(spans)}")
    for number, (start, stop, text) in enumerate(spans, 1):
        lines += [
            f"        intervals [{number}]:",
            f"            xmin = {_number(start)}",
            f"            xmax = {_number(stop)}",
            f"            text = {_quoted(text)}",
        ]
    return lines


def _points(found: Trajectory, end: float) -> list[str]:
    at: dict[float, list[str]] = {}
    for change in found.changes:  # two speakers may change at once; a tier has one point a moment
        at.setdefault(change.time_s, []).append(said_of(change))
    lines = _head("TextTier", CHANGES, end, f"points: size = {len(at)}")
    for number, (time, texts) in enumerate(sorted(at.items()), 1):
        lines += [
            f"        points [{number}]:",
            f"            number = {_number(time)}",
            f"            mark = {_quoted(' | '.join(texts))}",
        ]
    return lines


def _head(kind: str, name: str, end: float, size: str) -> list[str]:
    return [f'        class = "{kind}"', f"        name = {_quoted(name)}", "        xmin = 0",
            f"        xmax = {_number(end)}", f"        {size}"]  # fmt: skip


def _number(seconds: float) -> str:
    return f"{seconds:.6f}".rstrip("0").rstrip(".")


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'
