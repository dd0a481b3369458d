"""results.json and predictions.csv on disk."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from extractors.files import write_text
from fusion.evaluation.plain import plain
from fusion.evaluation.scored import Floats, Scored
from fusion.evaluation.verdict import primary

NOT_META = ("id", "speaker", "label", "text", "audio", "content", "split", "start", "end")  # of a table's columns


def write_results(path: Path | str, results: Mapping[str, Any]) -> Path:
    """Write results.json, strictly valid and in one step."""
    text = json.dumps(plain(results), ensure_ascii=False, indent=2, allow_nan=False)
    return write_text(Path(path), text + "\n")


def write_predictions(
    path: Path | str, systems: Mapping[str, Scored], labels: Sequence[str], *, rows: pd.DataFrame | None = None
) -> Path:
    """Write predictions.csv, UTF-8, a line for each test row, fold and seed.

    Columns: id, fold, seed, speaker, label (the truth), prediction, confidence, uncertain, p_<label>… of fusion (or of
    the only system), then <system>_prediction and <system>_confidence of the others, then meta_<column> for what else
    the table told of the row (`rows`, with a column `id`).
    """
    name = primary(systems)
    scored, names = systems[name], np.array(labels, dtype=object)
    columns: dict[str, Any] = {
        "id": scored.ids,
        "fold": scored.folds,
        "seed": scored.seeds,
        "speaker": scored.groups,
        "label": names[scored.targets],
        "prediction": names[scored.predictions],
        "confidence": scored.confidence,
    }
    if scored.uncertain is not None:
        columns["uncertain"] = scored.uncertain
    columns |= {f"p_{label}": _column(scored.probabilities, row) for row, label in enumerate(labels)}
    for other, its in systems.items():
        if other != name:
            columns |= {f"{other}_prediction": names[its.predictions], f"{other}_confidence": its.confidence}
    frame = pd.DataFrame(columns)
    if rows is not None:
        told = rows.set_index(rows["id"].astype(str)).drop(columns=[c for c in NOT_META if c in rows])
        told = told.loc[:, told.notna().any()].add_prefix("meta_").reindex(frame["id"])
        frame = pd.concat([frame, told.reset_index(drop=True)], axis=1)
    return write_text(Path(path), frame.to_csv(index=False, float_format="%.9g", lineterminator="\n"))


def _column(table: Floats, column: int) -> Floats:
    return table[:, column]
