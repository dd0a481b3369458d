"""report.html and its pictures: one page that holds everything, opens anywhere and fetches nothing."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from extractors.files import write_bytes
from fusion.evaluation import plots
from fusion.evaluation.metrics import LOWER_IS_BETTER
from fusion.evaluation.scored import Scored
from fusion.evaluation.tables import count, footnotes, leaked, number, span, system_order, title_of
from fusion.evaluation.verdict import primary

SHOWN_ERRORS = 20
LONG_TABLE = 8  # lines; a longer one is folded away
OVERLAP_TITLES = {
    "overlap": "shared as the split was made",
    "overlap_used": "shared as trained and tested",
    "taken_out": "rows taken out of training and validation",
}
TITLES = {
    "wa": "WA",
    "ua": "UA",
    "macro_f1": "macro F1",
    "weighted_f1": "weighted F1",
    "ece_uncalibrated": "ECE before",
    "ece": "ECE after",
    "nll": "NLL",
    "brier": "Brier",
}


def write_report(
    run_dir: Path | str,
    results: Mapping[str, Any],
    systems: Mapping[str, Scored],
    *,
    history: Iterable[Mapping[str, Any]] = (),
    config_yaml: str = "",
    texts: Mapping[str, str | None] | None = None,
) -> Path:
    """Write report.html, comparison.png, confusion.png, reliability.png, risk_coverage.png and learning_curves.png.

    Args:
        run_dir: the run's folder, made if need be.
        results: what `build_results` gave.
        systems: what it was given.
        history: a record {"system", "fold", "epoch", "train_loss", "val_loss", "val_ua", "chosen"} for each epoch
            trained; without any there are no learning curves.
        config_yaml: the run's whole configuration.
        texts: id -> what was said, for the list of errors.

    Returns: the path of report.html.
    """
    run_dir, name = Path(run_dir), primary(systems)
    figures = {
        "comparison": plots.comparison_figure(results),
        "confusion": plots.confusion_figure(systems, results["labels"]),
        "reliability": plots.reliability_figure(systems[name]),
        "risk_coverage": plots.risk_coverage_figure(systems),
        "learning_curves": plots.learning_curves_figure(history),
    }
    pictures = {title: plots.png(figure) for title, figure in figures.items() if figure is not None}
    for title, content in pictures.items():
        write_bytes(run_dir / f"{title}.png", content)
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,  # labels, ids and texts are the user's and may hold anything
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"number": number, "span": span, "tables": as_tables, "title_of": title_of}
    page = environment.get_template("report.html.jinja").render(
        results=results,
        primary=name,
        order=system_order(results["test"]),
        titles=TITLES,
        lower_is_better=LOWER_IS_BETTER,
        notes=footnotes(results),
        leaked=leaked(results),
        overlap=overlap_view(results["overlap"]),
        count=count,
        long_table=LONG_TABLE,
        pictures={title: base64.b64encode(content).decode() for title, content in pictures.items()},
        errors=confident_errors(systems, results["labels"], texts or {}),
        config=config_yaml,
        written=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
    )
    return write_bytes(run_dir / "report.html", page.encode())


def confident_errors(
    systems: Mapping[str, Scored], labels: Sequence[str], texts: Mapping[str, str | None]
) -> list[dict[str, Any]]:
    """The wrong predictions of fusion (or of the only system), the surest first, with what the others said."""
    name = primary(systems)
    scored = systems[name]
    wrong = np.flatnonzero(~scored.correct)
    surest = wrong[np.argsort(-scored.confidence[wrong], kind="stable")]
    first = {scored.ids[row]: row for row in surest[::-1]}  # of an utterance that several fits judged, the surest
    rows = [row for row in surest if first[scored.ids[row]] == row][:SHOWN_ERRORS]
    return [
        {
            "id": scored.ids[row],
            "speaker": (scored.groups or ())[row],
            "text": text if isinstance(text := texts.get(scored.ids[row]), str) else None,  # a table has NaN for none
            "label": labels[scored.targets[row]],
            "prediction": labels[scored.predictions[row]],
            "confidence": float(scored.confidence[row]),
            "others": [labels[systems[other].predictions[row]] for other in system_order(systems) if other != name],
        }
        for row in rows
    ]


Table = tuple[str, list[str], list[list[str]]]


def overlap_view(overlap: Any) -> tuple[list[str], list[Table]]:
    """The leak report as its warnings, which the reader must not miss, and everything else as tables."""
    if not isinstance(overlap, Mapping):
        return [], as_tables(overlap)
    rest = {OVERLAP_TITLES.get(key, key): entry for key, entry in overlap.items() if key != "warnings"}
    notes = [["", str(note)] for note in rest.pop("notes", None) or []]
    tables = as_tables(rest) + ([("notes on the split", ["", ""], notes)] if notes else [])
    return [str(line) for line in overlap.get("warnings") or []], tables


def as_tables(data: Any, title: str = "") -> list[Table]:
    """Any plain data as tables (title, header, lines of cells), so that a report can show what it does not know.

    >>> as_tables({"removed": 2, "sides": [{"pair": "train, test", "speakers": 0}]})
    [('', ['', ''], [['removed', '2']]), ('sides', ['pair', 'speakers'], [['train, test', '0']])]
    """
    if isinstance(data, Mapping):
        flat = {key: value for key, value in data.items() if not _nested(value)}
        deep = {key: value for key, value in data.items() if _nested(value)}
        if len(deep) > 1 and not flat and all(_is_line(value) for value in deep.values()):
            return as_tables([{title or "·": key, **value} for key, value in deep.items()], title)
        lines = [[str(key), _cell(value)] for key, value in flat.items()]
        first: list[Table] = [(title, ["", ""], lines)] if lines else []
        return first + [table for key, value in deep.items() for table in as_tables(value, f"{title} {key}".strip())]
    if _nested(data):
        header = list(dict.fromkeys(str(key) for row in data for key in row))
        return [(title, header, [[_cell(row.get(key)) for key in header] for row in data])]
    return [(title, ["", ""], [[title, _cell(data)]])] if data not in (None, "", [], {}) else []


def _nested(value: Any) -> bool:
    return isinstance(value, Mapping) or (isinstance(value, list) and bool(value) and isinstance(value[0], Mapping))


def _is_line(value: Any) -> bool:
    return isinstance(value, Mapping) and not any(_nested(cell) for cell in value.values())


def _cell(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key}: {_cell(entry)}" for key, entry in value.items()) or "–"
    if isinstance(value, list | tuple):
        return ", ".join(map(_cell, value)) or "–"
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "–"}[value]
    return f"{value:,}" if isinstance(value, int) else f"{value:.4g}" if isinstance(value, float) else str(value)
