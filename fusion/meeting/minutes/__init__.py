"""Minutes of a meeting: read in any of their formats, and written again with badges beside their items."""

from fusion.meeting.minutes.annotate import annotate_markdown, brackets_for, strip_annotations
from fusion.meeting.minutes.read import parse_minutes, read_minutes
from fusion.meeting.minutes.types import Citation, Minutes, MinutesItem, Place, Section

__all__ = [
    "Citation",
    "Minutes",
    "MinutesItem",
    "Place",
    "Section",
    "annotate_markdown",
    "brackets_for",
    "parse_minutes",
    "read_minutes",
    "strip_annotations",
]
