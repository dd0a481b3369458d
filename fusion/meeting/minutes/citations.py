"""Times and quotations in the words of an item."""

from __future__ import annotations

import re

from fusion.meeting.minutes.tokens import count_words
from fusion.meeting.minutes.types import Citation

# two numbers are minutes and seconds, three are hours, minutes and seconds
_CLOCK = r"(?:\d{1,2}:[0-5]?\d|\d{1,3}):[0-5]\d(?:[.,]\d{1,3})?(?![\d:])"
_UNITS = r"(?:\d{1,2}\s?h\s?)?(?:\d{1,3}\s?m(?:in)?\s?)?\d{1,5}(?:\.\d+)?\s?s(?:ec)?\b"
_TIME = rf"(?:{_CLOCK}|{_UNITS})"
_SPAN = rf"({_TIME})(?:\s*(?:-|–|—|→|~|to)\s*({_TIME}))?"
# In running text a time is a citation only where it stands apart: in brackets, first, or last after a dash or an @.
# "We meet at 10:30" and "(10:30 am)" are times of the day.
_BRACKETED = re.compile(
    rf"[(\[（【]\s*(?:@|at\s|⏱️?|▶️?|🕒)?\s*({_SPAN}(?:\s*[,;]\s*{_SPAN})*)\s*[)\]）】]", re.IGNORECASE
)
_LEADING = re.compile(rf"\s*({_SPAN})\s*(?:[-–—|:]\s|\s(?!\s*(?:am|pm|a\.m|p\.m|uhr|h)\b))", re.IGNORECASE)
_TRAILING = re.compile(rf"(?:[-–—|]\s*|@\s*)({_SPAN})\s*[.。]?\s*\Z", re.IGNORECASE)
_ANY_SPAN = re.compile(_SPAN, re.IGNORECASE)
_PARTS = re.compile(r"(\d+(?:\.\d+)?)\s?(h|m|s)", re.IGNORECASE)
_QUOTED = re.compile(
    r"“([^“”]{8,600})”|\"([^\"]{8,600})\"|«([^«»]{8,600})»|„([^„“”]{8,600})[“”]|「([^「」]{4,600})」|『([^『』]{4,600})』"
)
_MARKS = "\"'“”„«»「」『』‘’ \t"
LONGEST = 600  # characters of a quote; beyond, a summary of its first part is looked for
_ENDS = 2_000  # characters at each end of a text that are searched for a leading or trailing time


def seconds(text: str) -> float:
    """Seconds of a time as minutes write it.

    >>> seconds("1:02:03"), seconds("12:30"), seconds("12m30s"), seconds("00:28.5")
    (3723.0, 750.0, 750.0, 28.5)
    """
    if ":" in text:
        total = 0.0
        for part in text.replace(",", ".").split(":"):
            total = total * 60 + float(part)
        return total
    units = {"h": 3600, "m": 60, "s": 1}
    return sum(float(number) * units[unit.lower()] for number, unit in _PARTS.findall(text))


def find_times(text: str, *, anywhere: bool = False) -> list[Citation]:
    """Times in a text that say where in the recording it comes from; `anywhere` takes every time (a column of times).

    >>> [(time.text, time.start_s, time.end_s) for time in find_times("Budget agreed (00:18 - 01:05), we meet at 10:30")]
    [('00:18 - 01:05', 18.0, 65.0)]
    """
    if anywhere:
        return _spans(text)
    found = [citation for bracket in _BRACKETED.finditer(text) for citation in _spans(bracket.group(1))]
    if not found and (edge := _LEADING.match(text[:_ENDS]) or _TRAILING.search(text[-_ENDS:])):
        found = _spans(edge.group(1))
    return found


def _spans(text: str) -> list[Citation]:
    found = []
    for span in _ANY_SPAN.finditer(text):
        start_s, end_s = seconds(span.group(1)), seconds(span.group(2)) if span.group(2) else None
        end_s = end_s if end_s is not None and end_s > start_s else None
        found.append(Citation("time", span.group(0).strip(), start_s, end_s))
    return found


def find_quotes(text: str, *, whole: bool = False) -> list[Citation]:
    """What a text has between quotation marks, four words or more (six characters of a script without spaces);
    `whole` takes the text itself (a column of quotes).

    >>> [quote.text for quote in find_quotes('Ann: "I will open a ticket today", not "soon"')]
    ['I will open a ticket today']
    """
    if whole and not _QUOTED.search(text):
        quotes = [_ANY_SPAN.sub("", text).strip(_MARKS + "()[]")[:LONGEST]]
    else:
        quotes = [next(group for group in quote.groups() if group) for quote in _QUOTED.finditer(text)]
    words = 1 if whole else 4
    return [
        Citation("quote", quote.strip()) for quote in quotes if count_words(quote) >= words + 2 * (" " not in quote)
    ]
