"""Times that say where something was said, and those that do not; quotes, and marks around a single word."""

from __future__ import annotations

import pytest

from fusion.meeting.minutes.citations import find_quotes, find_times


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("agreed (00:18)", [(18.0, None)]),
        ("agreed [1:02:03 – 1:02:30]", [(3723.0, 3750.0)]),
        ("00:18 - John reports", [(18.0, None)]),
        ("[00:18] John reports", [(18.0, None)]),
        ("12:30 John reports", [(750.0, None)]),
        ("John reports — 12:30", [(750.0, None)]),
        ("John reports @ 12:30.", [(750.0, None)]),
        ("two places (0:10, 0:50)", [(10.0, None), (50.0, None)]),
        ("一致同意（03:20）", [(200.0, None)]),
        ("long (12m30s)", [(750.0, None)]),
        ("backwards (0:50-0:10)", [(50.0, None)]),
        ("we meet at 10:30 again", []),
        ("we meet (10:30 am)", []),
        ("10:30 pm is too late", []),
        ("ratio 3:2, verse 12:345", []),
        ("see https://e.org/a:10:20/b", []),
        ("version 1:99", []),
    ],
)
def test_times(text: str, expected: list[tuple[float, float | None]]) -> None:
    assert [(time.start_s, time.end_s) for time in find_times(text)] == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('Ann: "I will open a ticket"', ["I will open a ticket"]),
        ("Ann: “I will open a ticket” and „das ist viel zu teuer“", ["I will open a ticket", "das ist viel zu teuer"]),
        ("她说「我们的预算太高了」", ["我们的预算太高了"]),
        ('the "so-called" plan', []),
        ('an inch is 5" or 6" wide', []),
    ],
)
def test_quotes(text: str, expected: list[str]) -> None:
    assert [quote.text for quote in find_quotes(text)] == expected
