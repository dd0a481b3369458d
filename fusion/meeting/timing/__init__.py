"""A transcript's times held against its recording, and cut into spans that an encoder can take."""

from fusion.meeting.timing.check import check_times
from fusion.meeting.timing.offset import OffsetEstimate, estimate_offset
from fusion.meeting.timing.overlap import overlap_shares
from fusion.meeting.timing.spans import Part, Span, inference_spans, per_utterance

__all__ = [
    "OffsetEstimate",
    "Part",
    "Span",
    "check_times",
    "estimate_offset",
    "inference_spans",
    "overlap_shares",
    "per_utterance",
]
