"""The table at the end of a training run: every system side by side, and whether fusion helps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console, Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from fusion.evaluation.metrics import LOWER_IS_BETTER
from fusion.evaluation.verdict import FUSION, primary

COLUMNS = {"wa": "WA", "ua": "UA", "macro_f1": "macro F1", "weighted_f1": "weighted F1", "ece": "ECE\nbefore → after"}
ORDER = ("speech", "text", "fusion")  # fusion last, beside its difference
WIDE = 92  # columns; a narrower terminal is not shown weighted F1, which results.json and the report hold
COLORS = {"yes": "green", "no": "red", "not shown": "yellow"}


def print_results(results: Mapping[str, Any], console: Console | None = None) -> None:
    """Print the result table, the verdict and what the intervals mean; to standard output unless told otherwise."""
    console = console or Console()
    console.print(results_view(results, width=console.width))


def results_view(results: Mapping[str, Any], *, width: int = 100) -> Group:
    """What `print_results` prints, from the dict of `build_results`; whole from 80 terminal columns on."""
    columns = [key for key in COLUMNS if key != "weighted_f1" or width >= WIDE]
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold", pad_edge=False)
    for title in ("", *(COLUMNS[key] for key in columns)):
        table.add_column(title, no_wrap=True, vertical="top")
    for name in system_order(results["test"]):
        style = "bold" if name == FUSION else ""
        table.add_row(Text(title_of(name), style), *(_cell(results["test"][name], key, style) for key in columns))
    if results["difference"]:
        label = Text(f"fusion − {results['difference_against']}", "cyan")
        table.add_row(label, *(_difference(results["difference"][key], key) for key in columns))
    for name, title in (("majority", "commonest label"), ("chance", "chance")):
        values = results["baselines"][name]
        table.add_row(Text(title, "dim"), *(Text(number(values.get(key)), "dim") for key in columns))
    answer = results["verdict"]["fusion_helps"]
    sentence = Text(results["verdict"]["sentence"], f"bold {COLORS.get(answer, '')}".strip())
    notes = footnotes(results)
    if len(columns) < len(COLUMNS):
        notes.append("No room here for weighted F1: results.json and report.html have it.")
    return Group("", table, Padding(sentence, (1, 0, 0, 0)), *(Text(line, "dim") for line in notes), "")


def system_order(test: Mapping[str, Any]) -> list[str]:
    """The systems as they are shown: single modalities first, fusion last."""
    return sorted(test, key=lambda name: ORDER.index(name) if name in ORDER else -1)


def footnotes(results: Mapping[str, Any]) -> list[str]:
    """What was tested, how the intervals came about, and what to beware of. A sentence or two each."""
    system = next(iter(results["test"].values()))
    interval = results["interval"]
    tested = f"Tested on {count(system['n'], 'utterance')}"
    tested += f" of {count(system['speakers'], 'speaker')}" if system["speakers"] else ""
    folds = len(results["folds"])
    tested += f", pooled over {folds} folds" if folds else ""
    times = system.get("judged", system["n"]) / system["n"] / len(results.get("seeds") or [0])
    tested += f", each tested {times:.3g} times" if times > 1 else ""
    lines = [
        f"{tested}; split {results['split']}, {_seeds(results)}{epoch_note(results)}.",
        f"Intervals: {interval['level']:.0%} over {interval['unit']}s, {interval['draws']:,} bootstrap draws. "
        "ECE: less is better.".replace("%", " %"),
    ]
    if results.get("notice"):
        lines.insert(0, results["notice"])
    if interval["note"]:
        lines.append(f"Beware: {interval['note']}.")
    if leaked(results):
        lines.append("Beware: leakage between the sides of the split was allowed; see the overlap table.")
    values = [system[key] for system in results["test"].values() for key in ("wa", "ua")]
    if any(value["value"] == 1.0 and value["low"] == 1.0 for value in values):
        lines.append("An interval from 1 to 1 means that no error was seen among these rows, not that there is none.")
    return lines


def _seeds(results: Mapping[str, Any]) -> str:
    seeds = results.get("seeds") or [results["seed"]]
    if len(seeds) == 1:
        return f"seed {seeds[0]}"
    ua = results["seeds_summary"][primary(results["test"])]["ua"]
    return (
        f"seeds {', '.join(map(str, seeds))} (UA {number(ua['mean'])} ± {number(ua['std_sample'])}, standard deviation of a "
        f"sample of {ua['n']})"
    )


def epoch_note(results: Mapping[str, Any]) -> str:
    """Where epochs were run, by what one of them was chosen."""
    fits = [fit for runs in results["training"].values() for fit in runs if isinstance(fit, Mapping)]
    fitted_at_once = fits and not any(fit.get("epochs", 1) for fit in fits)
    return "" if fitted_at_once else "; the epoch was chosen on validation, never on test"


def title_of(system: str) -> str:
    """What a system is called: `speech only`, `fusion`.

    >>> title_of("speech"), title_of("face"), title_of("fusion")
    ('speech only', 'face only', 'fusion')
    """
    return system if system == FUSION else f"{system} only"


def leaked(results: Mapping[str, Any]) -> bool:
    """Whether a leak was let pass: allowed, and, as far as the overlap report says, there to be allowed."""
    overlap = results["overlap"]
    found = overlap.get("leakage_allowed", True) if isinstance(overlap, Mapping) else True
    return bool(results["allow_leakage"] and found)


def number(value: float | None, *, signed: bool = False) -> str:
    """Three decimals, a real minus sign, an en dash for nothing.

    >>> number(0.78349), number(-0.01, signed=True), number(None)
    ('0.783', '−0.010', '–')
    """
    return "–" if value is None else f"{value:{'+' if signed else ''}z.3f}".replace("-", "−")  # z: no minus zero


def span(interval: Mapping[str, float | None], *, signed: bool = False) -> str:
    """The interval alone, empty where there is none.

    >>> span({"value": 0.5, "low": 0.41, "high": 0.6})
    '0.410–0.600'
    """
    if interval["low"] is None or interval["high"] is None:
        return ""
    return f"{number(interval['low'], signed=signed)}{'…' if signed else '–'}{number(interval['high'], signed=signed)}"


def count(amount: int, noun: str) -> str:
    """`1,440 utterances`, `1 speaker`."""
    return f"{amount:,} {noun}{'' if amount == 1 else 's'}"


def _cell(system: Mapping[str, Any], metric: str, style: str) -> Text:
    before = f"{number(system['ece_uncalibrated']['value'])} → " if metric == "ece" else ""
    text = Text(before, style="dim" if before else "")
    text.append(number(system[metric]["value"]), style)
    return text.append("\n" + span(system[metric]), "dim")


def _difference(interval: Mapping[str, float | None], metric: str) -> Text:
    low, high, color = interval["low"], interval["high"], ""
    if low is not None and high is not None and (low > 0 or high < 0):
        color = "green" if (low > 0) != (metric in LOWER_IS_BETTER) else "red"
    return Text(number(interval["value"], signed=True), color).append("\n" + span(interval, signed=True), "dim")
