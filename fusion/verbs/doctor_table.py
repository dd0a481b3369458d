"""The table that `emofuse doctor` prints: what was looked at, whether it is well, what there is and what to do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from rich.box import HORIZONTALS
from rich.table import Table
from rich.text import Text

from extractors.diagnosis.finding import Finding, Status

MARKS: dict[Status, tuple[str, str]] = {
    "ok": ("✓ ok", "green"),
    "skip": ("– skip", "dim"),
    "warn": ("! warn", "yellow"),
    "fail": ("✗ fail", "bold red"),
}


def findings_table(sections: Mapping[str, Sequence[Finding]]) -> Table:
    """Title -> its findings, as a table; "→" leads what to do. Fits 80 columns."""
    table = Table(title="emofuse doctor", title_justify="left", box=HORIZONTALS, pad_edge=False)
    table.add_column("check", no_wrap=True)
    table.add_column("", no_wrap=True)
    table.add_column("found, and → what to do", overflow="fold")
    for title, findings in sections.items():
        table.add_row(Text(title, style="bold"))
        for number, finding in enumerate(findings, 1):
            mark, style = MARKS[finding.status]
            found = Text(finding.found)
            if finding.todo:
                found.append(f"\n→ {finding.todo}", style=style)
            table.add_row(
                Text(f"  {finding.check}"), Text(mark, style=style), found, end_section=number == len(findings)
            )
    return table


def verdict(sections: Mapping[str, Sequence[Finding]]) -> Text:
    """One sentence on all of it."""
    counts = Counter(finding.status for findings in sections.values() for finding in findings)
    warnings = f"{counts['warn']} warning" + "s" * (counts["warn"] != 1)
    if counts["fail"]:
        checks = f"{counts['fail']} check" + "s" * (counts["fail"] != 1)
        also = f", and {warnings}" if counts["warn"] else ""
        return Text(f"{checks} failed{also}: follow the arrows.", style="bold red")
    if counts["warn"]:
        return Text(f"Emofuse works, with {warnings}.", style="yellow")
    return Text("All is well.", style="green")
