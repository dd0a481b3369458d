"""The range of a section: for items that were not found themselves, but whose heading or neighbours were."""

from __future__ import annotations

from collections.abc import Sequence

from fusion.meeting.alignment.cited import Cited
from fusion.meeting.alignment.types import Aligned, Evidence
from fusion.meeting.minutes.types import Minutes

LONGEST = 600.0  # seconds; a wider range says nothing about one item
SHARE = 0.5  # of the recording; a range made of neighbours that is wider is the meeting, not a section
LEAST = 2  # items of a section that must have been found before its range is believed


def section_ranges(minutes: Minutes, aligned: Sequence[Aligned], cited: Cited) -> dict[tuple[str, ...], Evidence]:
    """Evidence by section path, for sections that have one: the times in the heading (a single one lasts until the next
    heading's), else from the first to the last of its items, where at least two and half of them were found and
    they lie within half of the recording."""
    headed = _headed(minutes, cited)
    ranges: dict[tuple[str, ...], Evidence] = {}
    for path in {item.section for item in minutes.items if item.section}:
        inside = [one for one in aligned if one.item.section == path and one.item.kind != "meta"]
        found = [best for one in inside if (best := one.best)]
        if path in headed:
            start_s, end_s, score = *headed[path], 1.0
        elif len(found) >= LEAST and len(found) * 2 >= len(inside):
            start_s, end_s = min(best.start_s for best in found), max(best.end_s for best in found)
            score = len(found) / len(inside)
            if end_s - start_s > SHARE * cited.end_s:
                continue
        else:
            continue
        said = cited.between(start_s, end_s)
        if said and end_s - start_s <= LONGEST:
            ranges[path] = Evidence(tuple(one.id for one in said), start_s, end_s, score, "section")
    return ranges


def _headed(minutes: Minutes, cited: Cited) -> dict[tuple[str, ...], tuple[float, float]]:
    times = [
        (time.start_s + cited.offset_s, None if time.end_s is None else time.end_s + cited.offset_s, section.path)
        for section in minutes.sections
        for time in section.citations[:1]
        if time.start_s is not None
    ]
    starts = sorted(start_s for start_s, _, _ in times)
    found = {}
    for start_s, end_s, path in times:
        later = next((other for other in starts if other > start_s), cited.end_s)
        found[path] = start_s, later if end_s is None else end_s
    return found
