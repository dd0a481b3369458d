"""What `emofuse templates` prints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from rich.table import Table
from rich.text import Text

from fusion.explore.templates.scores import Scores
from fusion.explore.templates.templates import Templates

SHOWN_ROWS = 50  # of a long table; the file holds all


def templates_table(templates: Templates) -> Table:
    """A row a label: its clips, its templates, and which clip a medoid is."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold", caption_justify="left", title_justify="left")
    table.add_column("label", no_wrap=True)
    table.add_column("clips", justify="right", no_wrap=True)
    table.add_column("templates", justify="right", no_wrap=True)
    medoids = templates.kind == "medoid"
    if medoids:
        table.add_column("which", no_wrap=True)
    for number, (label, shots) in enumerate(templates.shots.items()):
        here = np.flatnonzero(templates.prototypes.classes == number)
        which = [Text(templates.clips[here[0]])] if medoids else []
        table.add_row(Text(label), f"{shots:,}", f"{len(here):,}", *which)
    return table


def said_of(templates: Templates) -> list[str]:
    """Whether the probabilities can be believed, how good they are, and when an answer is kept back."""
    lines = [templates.calibrated]
    if templates.measured:
        lines.append(measured_line(templates.measured, what="held-out"))
    lines.append(f"uncertain below a confidence of {templates.calibration.threshold:.3f}; {templates.space.name}")
    return lines


def measured_line(measured: Mapping[str, float], *, what: str) -> str:
    """Accuracy of all, and of those that got an answer."""
    return (
        f"{measured['rows']:,.0f} {what} clips: accuracy {measured['accuracy']:.3f}, UA {measured['ua']:.3f}; "
        f"{measured['answered']:.1%} answered, {measured['accuracy_answered']:.3f} of those right"
    )


def scores_table(ids: Sequence[str], scores: Scores) -> Table:
    """A row a clip: the label, how surely, and how near the nearest template of that label is."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold", caption_justify="left")
    table.add_column("id", no_wrap=True, max_width=32)
    table.add_column("label", no_wrap=True)
    for heading in ("probability", "cosine"):
        table.add_column(heading, justify="right", no_wrap=True)
    labels, best = scores.labels(), scores.best
    for row in range(min(SHOWN_ROWS, len(scores))):
        name = scores.names[best[row]]
        label = labels[row] if labels[row] == name else f"{labels[row]} ({name}?)"
        cosine = f"{scores.cosines[row, best[row]]:.2f}".replace("-", "−")
        table.add_row(Text(ids[row]), Text(label), f"{scores.confidence[row]:.3f}", cosine)
    return table


def notes_on(scores: Scores) -> list[str]:
    """What goes below the table."""
    notes = [] if scores.calibrated else ["not calibrated: the probabilities rank labels, and no more"]
    if len(scores) > SHOWN_ROWS:
        notes.append(f"… and {len(scores) - SHOWN_ROWS:,} more rows in the file")
    return notes
