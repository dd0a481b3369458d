"""The course as tables (CSV) and as JSON for machines."""

from __future__ import annotations

import json
from dataclasses import asdict

import numpy as np
import pandas as pd

from fusion.explore.trajectory.result import Bools, Trajectory

FORMAT = 1  # of trajectory.json
_OWN = ("time_s", "valence", "speaker", "segment")


def rows_table(found: Trajectory) -> str:
    """CSV `time_s, labels…, valence, speaker, segment`: a row is what begins at `time_s`; gaps have no values.

    A label that is called like one of the other columns gets `label:` before its name. Without scores there are
    `component_1 …` of the path instead.
    """
    columns: dict[str, object] = {"time_s": np.round(found.times, 3)}
    if found.scores is None:
        columns |= {f"component_{i + 1}": found.path.points[:, i] for i in range(min(3, found.path.points.shape[1]))}
    else:
        names = [f"label:{label}" if label in _OWN else label for label in found.labels]
        columns |= {name: found.scores[:, i] for i, name in enumerate(names)}
    if found.valence is not None:
        columns["valence"] = found.valence
    columns["speaker"] = np.array([*found.speakers, ""], dtype=object)[found.speaker]  # -1 takes the last
    columns["segment"] = pd.array(np.where(found.segment > 0, found.segment, -1), dtype="Int64")
    frame = pd.DataFrame(columns)
    frame.loc[found.segment == 0, "segment"] = pd.NA
    return str(frame.to_csv(index=False, float_format="%.4f", lineterminator="\n"))


def path_table(found: Trajectory) -> str:
    """CSV `time_s, component_1 …`: a row a step, `time_s` its middle; all components that changes are looked for in."""
    frame = pd.DataFrame({"time_s": np.round(found.path.times, 3)})
    for column in range(found.path.points.shape[1]):
        frame[f"component_{column + 1}"] = found.path.points[:, column]
    return str(frame.to_csv(index=False, float_format="%.4f", lineterminator="\n"))


def changes_table(found: Trajectory) -> str:
    """CSV of the changes, in order of time; without scores, or without a valence, there are no columns of them."""
    names = ["time_s", "rank", "evidence", "distance", "speaker"]
    if found.scores is not None:
        names += ["before", "after", "before_score", "after_score"]
    if found.valence is not None:
        names += ["before_valence", "after_valence"]
    names.append("moved")
    rows = [
        asdict(change) | {"moved": "; ".join(f"{name} {by:+.2f}" for name, by in change.features)}
        for change in found.changes
    ]
    frame = pd.DataFrame(rows, columns=names)
    return str(frame.to_csv(index=False, float_format="%.4f", lineterminator="\n"))


def per_speaker(found: Trajectory) -> list[dict[str, object]]:
    """Seconds, mean scores and mean valence of each speaker; of the whole recording without speakers."""
    parts: list[tuple[str | None, Bools]] = [
        (name, found.speaker == place) for place, name in enumerate(found.speakers)
    ]
    if not parts:
        parts = [(None, found.speech)]
    rows: list[dict[str, object]] = []
    for name, part in parts:
        here = part & found.speech
        row: dict[str, object] = {"speaker": name, "speech_s": round(float(here.sum() / found.rate), 3)}
        if found.scores is not None and here.any():
            means = found.scores[here].mean(axis=0, dtype=np.float64)
            row["scores"] = {label: round(float(mean), 4) for label, mean in zip(found.labels, means, strict=True)}
        if found.valence is not None and np.isfinite(found.valence[here]).any():
            row["valence"] = round(float(np.nanmean(found.valence[here])), 4)
        rows.append(row)
    return rows


def summary(found: Trajectory) -> str:
    """JSON: settings, speakers, changes; the rows are in the CSV."""
    content = {
        "format": FORMAT,
        "name": found.name,
        "seconds": found.seconds,
        "speech_s": found.spoken_s,
        "rows_per_second": found.rate,
        "labels": list(found.labels),
        "explained": [round(float(share), 4) for share in found.path.explained],
        "speakers": per_speaker(found),
        "changes": [asdict(change) | {"said": change.said} for change in found.changes],
        "settings": found.settings,
    }
    return json.dumps(content, ensure_ascii=False, indent=2, allow_nan=False) + "\n"
