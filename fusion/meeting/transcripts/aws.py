"""Amazon Transcribe: seconds as text, words as `items`, speakers or channels beside them; and two analytics forms."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import Any

from fusion.meeting.transcripts.clean import clean
from fusion.meeting.transcripts.clock import milliseconds, number
from fusion.meeting.transcripts.cue import Cue, Raw
from fusion.meeting.transcripts.fields import id_of, record, records, speaker_of, text_of, words_of
from fusion.meeting.transcripts.source import Source
from fusion.meeting.transcripts.turns import Spoken, turns


def matches(source: Source) -> bool:
    """Whether its JSON holds `results.items`, call analytics' `Transcript`, or post-call analytics' `SpeechSegments`."""
    content = source.json
    if not isinstance(content, dict):
        return False
    calls = records(content.get("Transcript"))
    return (
        isinstance(record(content.get("results")).get("items"), list)
        or isinstance(content.get("SpeechSegments"), list)
        or bool(calls and "BeginOffsetMillis" in calls[0])
    )


def read(source: Source) -> Raw:
    """All turns. Marks (",", ".") have no times and belong to the word before.

    >>> from pathlib import Path
    >>> item = b'{"start_time": "0.5", "end_time": "0.9", "alternatives": [{"confidence": "0.99", "content": "So"}]}'
    >>> [(c.start, c.end, c.text) for c in read(Source(Path("a"), data=b'{"results": {"items": [' + item + b']}}')).cues]
    [(0.5, 0.9, 'So')]
    """
    content = source.json
    if isinstance(content.get("SpeechSegments"), list):
        return _post_call(content)
    if not isinstance(content.get("results"), dict):
        return _call_analytics(content)
    results = content["results"]
    raw = Raw([], tool="aws")
    channels = records(record(results.get("channel_labels")).get("channels"))
    if channels:
        for channel in channels:
            label = id_of(channel.get("channel_label"))
            raw.cues += turns(
                [_item(item, place, label) for place, item in enumerate(records(channel.get("items")), start=1)]
            )
        return raw
    whole = [entry for entry in records(results.get("audio_segments")) if isinstance(entry.get("transcript"), str)]
    if whole:
        raw.cues = [_audio_segment(entry, place) for place, entry in enumerate(whole, start=1)]
        return raw
    raw.cues = turns(
        _labelled(records(results["items"]), records(record(results.get("speaker_labels")).get("segments")))
    )
    return raw


def _item(item: dict[str, Any], place: int, speaker: str | None, turn: object = None) -> Spoken:
    best = next(iter(records(item.get("alternatives"))), {})
    start, end = number(item.get("start_time")), number(item.get("end_time"))
    sure = number(best.get("confidence")) if start is not None else None
    return Spoken(f"item {place}", clean(best.get("content")), start, end, speaker, sure, turn)


def _labelled(items: Sequence[dict[str, Any]], segments: Sequence[dict[str, Any]]) -> list[Spoken]:
    """Each item with the segment in which its middle lies, and that segment's speaker."""
    known = [
        (start, end, speaker_of(segment.get("speaker_label")))
        for segment in segments
        if (start := number(segment.get("start_time"))) is not None
        and (end := number(segment.get("end_time"))) is not None
    ]
    known.sort(key=lambda segment: segment[0])
    starts = [start for start, _, _ in known]
    spoken: list[Spoken] = []
    for place, item in enumerate(items, start=1):
        start, end = number(item.get("start_time")), number(item.get("end_time"))
        speaker, turn = speaker_of(item.get("speaker_label")), None
        if start is not None:
            middle = (start + (start if end is None else end)) / 2
            at = bisect_right(starts, middle) - 1
            if at >= 0 and middle <= known[at][1]:
                turn, speaker = at, speaker or known[at][2]
        spoken.append(_item(item, place, speaker, turn))
    return spoken


def _audio_segment(entry: dict[str, Any], place: int) -> Cue:
    return Cue(
        f"segment {place}", number(entry.get("start_time")), number(entry.get("end_time")), entry["transcript"],
        speaker_of(entry.get("speaker_label")) or id_of(entry.get("channel_label")), id_of(entry.get("id")),
    )  # fmt: skip


def _call_analytics(content: dict[str, Any]) -> Raw:
    """Call analytics: `Transcript` of turns in milliseconds, with the participant's role."""
    cues = [
        Cue(
            f"turn {place}", milliseconds(turn.get("BeginOffsetMillis")), milliseconds(turn.get("EndOffsetMillis")),
            text_of(turn, "Content"), speaker_of(turn.get("ParticipantRole")), id_of(turn.get("Id")),
            words_of(
                turn.get("Items"), ("Content",), "BeginOffsetMillis", "EndOffsetMillis", ("Confidence",), seconds=milliseconds
            ),
        )
        for place, turn in enumerate(records(content.get("Transcript")), start=1)
    ]  # fmt: skip
    return Raw(cues, tool="aws call analytics")


def _post_call(content: dict[str, Any]) -> Raw:
    """Post-call analytics: `SpeechSegments` in seconds, speakers named beside them."""
    about = record(content.get("ConversationAnalytics"))
    names = {
        speaker: shown
        for entry in records(about.get("SpeakerLabels"))
        if (speaker := speaker_of(entry.get("Speaker"))) and (shown := clean(entry.get("DisplayText")))
    }
    cues = [
        Cue(
            f"segment {place}", number(entry.get("SegmentStartTime")), number(entry.get("SegmentEndTime")),
            text_of(entry, "DisplayText", "OriginalText"), speaker_of(entry.get("SegmentSpeaker")),
            words=words_of(entry.get("WordConfidence"), ("Text",), "StartTime", "EndTime", ("Confidence",)),
        )
        for place, entry in enumerate(records(content["SpeechSegments"]), start=1)
    ]  # fmt: skip
    return Raw(cues, tool="aws post-call analytics", duration_s=number(about.get("Duration")), speakers=names)
