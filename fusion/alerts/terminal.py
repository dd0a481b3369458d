"""Alerts and backtests as tables in the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from fusion.alerts.alert import Alert
from fusion.alerts.backtest import Backtest, Estimate
from fusion.alerts.rows import shown_name
from fusion.clock import clock

SHOWN_ALERTS = 30
QUOTES = 2


def _table(*headings: str) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold", pad_edge=False, caption_justify="left")
    for heading in headings:
        table.add_column(heading.strip(">"), justify="right" if heading.startswith(">") else "left")
    return table


def alerts_table(alerts: Sequence[Alert], *, quotes: int = QUOTES) -> Table:
    """A row an alert, and under it what it rests on. Names and words stand as `Text`: they may hold rich's markup."""
    several = len({alert.recording for alert in alerts}) > 1
    table = _table("time", "rule", "severity", "who", ">smoothed peak", ">smoothed mean", ">speech", ">n", "evidence")
    for alert in alerts[:SHOWN_ALERTS]:
        until = clock(alert.end_s, tenths=True) + (" …" if alert.open else "")
        time = f"{clock(alert.start_s, tenths=True)} – {until}"
        table.add_row(
            Text(f"{shown_name(alert.recording)}\n{time}" if several else time),
            Text(alert.rule),
            Text(alert.severity),
            Text({"meeting": "all"}.get(alert.scope, alert.scope_value or "–")),
            f"{alert.smoothed_peak:.2f}".replace("-", "−"),
            f"{alert.smoothed_mean:.2f}".replace("-", "−"),
            f"{alert.speech_s:.1f} s",
            str(alert.utterances),
            Text("\n".join(_quote(alert, number) for number in range(min(quotes, len(alert.evidence))))),
        )
    if len(alerts) > SHOWN_ALERTS:
        table.caption = f"… and {len(alerts) - SHOWN_ALERTS:,} more in the files"
    return table


def _quote(alert: Alert, number: int) -> str:
    one = alert.quotes(QUOTES)[number]
    said = f"“{one.text}”" if one.text else one.id
    return f"{clock(one.start_s, tenths=True)} {one.value:.2f} {said}".replace("-", "−", 1 if one.value < 0 else 0)


def backtest_table(found: Backtest) -> Table:
    """A row a rule: what it found, what it missed, what it cried."""
    table = _table("rule", ">alerts", ">precision", ">recall", ">false alerts an hour", ">median delay", ">outside")
    for one in found.figures:
        table.add_row(
            Text(one.rule),
            f"{one.true_alerts} of {one.alerts}",
            _shown(one.precision),
            f"{_shown(one.recall)}\n{one.found} of {one.episodes}",
            _shown(one.false_per_hour),
            _shown(one.delay_s, digits=0, unit=" s"),
            "–" if one.outside_share is None else f"{100 * one.outside_share:.0f} %",
        )
    table.caption = (
        "alerts: true of all; outside: share of the time in alert that lies outside of episodes; intervals: 95 %, exact, "
        "for alerts that are independent of each other"
    )
    return table


def _shown(estimate: Estimate, *, digits: int = 2, unit: str = "") -> str:
    if estimate.value is None:
        return "–"
    text = f"{estimate.value:.{digits}f}{unit}"
    if estimate.low is not None and estimate.high is not None:
        text += f"\n{estimate.low:.{digits}f}–{estimate.high:.{digits}f}"
    return text
