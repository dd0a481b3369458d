"""Minutes to transcript: for every item the stretches of the recording that it is about, or why there are none."""

from fusion.meeting.alignment.align import align
from fusion.meeting.alignment.summary import Coverage, coverage
from fusion.meeting.alignment.topics import topics_by_change
from fusion.meeting.alignment.types import Aligned, Evidence

__all__ = ["Aligned", "Coverage", "Evidence", "align", "coverage", "topics_by_change"]
