"""The figures of a comparison as CSV: every metric in full, each kind of spread in a column of its own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd

from fusion.comparison.compare import Comparison
from fusion.comparison.groups import ACCURACIES
from fusion.comparison.rows import Estimate
from fusion.comparison.run import METRICS, shown

Record = dict[str, Any]


def spreadsheets(found: Comparison) -> dict[str, str]:
    """File name -> CSV: comparison.csv, and pairs.csv, one-checkpoint.csv and groups.csv where there are any.

    comparison.csv has for each metric its value, `_low` and `_high` of the interval over speakers, and `_sd_over_seeds`
    (of a sample), empty for one seed.
    """
    tables = {
        "comparison.csv": list(_rows(found)),
        "pairs.csv": list(_pairs(found)),
        "one-checkpoint.csv": list(_checkpoints(found)),
        "groups.csv": list(_groups(found)),
    }
    return {
        name: pd.DataFrame(records).to_csv(index=False, lineterminator="\n")
        for name, records in tables.items()
        if records
    }


def _rows(found: Comparison) -> Iterator[Record]:
    for row in found.rows:
        yield {
            "row": row.name,
            "runs": " ".join(shown(run.folder) for run in row.runs),
            "seeds": " ".join(map(str, row.seeds)),
            "data": row.data,
            "split": row.split,
            "leakage_allowed": row.leaked,
            "n": len(row.ids),
            "speakers": row.speakers,
            "parameters": row.parameters,
            "seconds_per_seed": row.seconds,
            "interval_level": row.interval.get("level"),
            "interval_unit": row.interval.get("unit"),
            **{key: value for metric in METRICS for key, value in _estimate(metric, row.metrics[metric]).items()},
        }


def _estimate(metric: str, entry: Estimate) -> Record:
    return {
        metric: entry.value,
        f"{metric}_low": entry.low,
        f"{metric}_high": entry.high,
        f"{metric}_sd_over_seeds": entry.sd,
    }


def _pairs(found: Comparison) -> Iterator[Record]:
    """Long: a line for each metric of the paired bootstrap, and one for McNemar's test."""
    for pair in found.pairs:
        both = {"a": pair.a, "b": pair.b, "rows_in_common": pair.match.common, "rows": pair.match.of}
        if pair.match.refused or pair.mcnemar is None or pair.units is None:
            yield both | {"test": "none", "note": pair.match.refused}
            continue
        for metric, entry in pair.differences.items():
            test = f"paired bootstrap over {pair.units.total} {pair.units.kind}s"
            figures = {"difference": entry.value, "low": entry.low, "high": entry.high}
            yield both | {"test": test, "metric": metric} | figures | {"p": entry.p, "p_holm": entry.p_holm}
        counts = {"a_only": pair.mcnemar.a_only, "b_only": pair.mcnemar.b_only}
        p = {"p": pair.mcnemar.p, "p_holm": pair.mcnemar_holm}
        yield both | {"test": f"McNemar ({pair.mcnemar.method})"} | p | counts


def _checkpoints(found: Comparison) -> Iterator[Record]:
    """A line for each run and what it was shown: seeds apart."""
    for row in found.rows:
        for run in row.runs:
            for name, entry in (run.results.get("one_checkpoint") or {}).items():
                if not entry:
                    continue
                line: Record = {"row": row.name, "run": shown(run.folder), "shown": name, "n": entry.get("n")}
                for metric in METRICS:
                    figures = entry.get(metric) or {}
                    line |= {metric: figures.get("value")}
                    line |= {f"{metric}_{end}": figures.get(end) for end in ("low", "high")}
                yield line


def _groups(found: Comparison) -> Iterator[Record]:
    for breakdown in found.breakdowns:
        for name, groups in breakdown.groups.items():
            for group in groups:
                yield {
                    "column": breakdown.column,
                    "group": group.value,
                    "row": name,
                    "n": group.n,
                    "speakers": group.speakers,
                    "classes": group.classes,
                    "counts_for_gap": group.counted,
                    **{key: v for metric in ACCURACIES for key, v in _estimate(metric, group.metrics[metric]).items()},
                }
