"""What a meeting was about, and when: the sections of its minutes, or stretches between changes of content."""

from __future__ import annotations

from collections.abc import Sequence

from extractors.types import Extractor
from fusion.meeting.alignment import Aligned
from fusion.meeting.minutes import Minutes
from fusion.meeting.minutes.tokens import count_words
from fusion.meeting.transcript import Transcript

TOUCHING = 1.0  # s between two stretches that are one

Spans = tuple[tuple[float, float], ...]


def topics_of(
    transcript: Transcript, minutes: Minutes | None, aligned: Sequence[Aligned], encoder: Extractor | None
) -> list[tuple[str, Spans]]:
    """Names and stretches, in order of time.

    With minutes, a topic is a section: the stretches of the best evidence of its items. Without, by change of content;
    where nobody knows what was said (an RTTM alone), there is none.
    """
    if minutes is None and not any(count_words(said.text) for said in transcript.utterances):
        return []
    if minutes is None:
        from fusion.meeting.alignment.topics import topics_by_change

        found = topics_by_change(transcript, encoder)
        return [(item.text, _merged(_times(item.citations))) for item in found.items]
    by_section: dict[str, list[tuple[float, float]]] = {}
    for one in aligned:
        if one.best is not None and one.item.section and one.item.kind != "meta":
            by_section.setdefault(one.item.section[-1], []).append((one.best.start_s, one.best.end_s))
    return sorted(((name, _merged(spans)) for name, spans in by_section.items()), key=lambda topic: topic[1][0])


def _times(citations: Sequence[object]) -> list[tuple[float, float]]:
    return [(c.start_s, c.end_s) for c in citations if c.start_s is not None and c.end_s is not None]  # type: ignore[attr-defined]


def _merged(spans: Sequence[tuple[float, float]]) -> Spans:
    """
    >>> _merged([(5, 9), (0, 4.5), (20, 21)])
    ((0, 9), (20, 21))
    """
    merged: list[tuple[float, float]] = []
    for start, end in sorted(spans):
        if merged and start - merged[-1][1] <= TOUCHING:
            merged[-1] = merged[-1][0], max(end, merged[-1][1])
        else:
            merged.append((start, end))
    return tuple(merged)
