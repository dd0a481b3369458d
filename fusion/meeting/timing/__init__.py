"""A transcript's times held against its recording, and cut into spans that an encoder can take."""

from .check import check_times
from .offset import OffsetEstimate, estimate_offset
from .overlap import overlap_shares
from .spans import Part, Span, inference_spans, per_utterance

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
