"""Meetings: the minutes, with what the voices and words carried.

>>> from fusion.meeting.manners import named_purpose
>>> Manners(named_purpose("customer_calls")).modality  # voices, names and single people are each switched on explicitly
'text'
"""

from fusion.meeting.enrich import enrich
from fusion.meeting.estimators import open_estimator
from fusion.meeting.manners import Manners, named_purpose
from fusion.meeting.meeting import Meeting, publish
from fusion.meeting.minutes import read_minutes
from fusion.meeting.outputs.write import write_outputs
from fusion.meeting.settings import Settings
from fusion.meeting.transcripts import read_transcript

__all__ = [
    "Manners",
    "Meeting",
    "Settings",
    "enrich",
    "named_purpose",
    "open_estimator",
    "publish",
    "read_minutes",
    "read_transcript",
    "write_outputs",
]
