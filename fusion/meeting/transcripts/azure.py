"""Azure Speech: batch (ticks of 100 ns, or ISO durations), fast transcription (milliseconds), the SDK's results."""

from __future__ import annotations

from typing import Any

from fusion.meeting.transcripts.clock import iso_duration, milliseconds, number, ticks
from fusion.meeting.transcripts.cue import Cue, Raw
from fusion.meeting.transcripts.fields import id_of, records, speaker_of, text_of
from fusion.meeting.transcripts.source import Source


def matches(source: Source) -> bool:
    """Whether its JSON holds `recognizedPhrases`, `phrases`, or the SDK's results."""
    content = source.json
    if isinstance(content, dict):
        phrases = records(content.get("phrases"))
        return isinstance(content.get("recognizedPhrases"), list) or any("offsetMilliseconds" in p for p in phrases[:5])
    return any({"Offset", "Duration", "RecognitionStatus"} <= set(entry) for entry in records(content)[:5])


def read(source: Source) -> Raw:
    """All phrases; what was not recognised is left out.

    >>> from pathlib import Path
    >>> text = b'{"recognizedPhrases": [{"recognitionStatus": "Success", "speaker": 1, "offsetInTicks": 5000000.0,'
    >>> text += b' "durationInTicks": 9000000.0, "nBest": [{"confidence": 0.94, "display": "So."}]}]}'
    >>> [(cue.start, cue.end, cue.speaker, cue.text) for cue in read(Source(Path("a.json"), data=text)).cues]
    [(0.5, 1.4, 'Speaker 1', 'So.')]
    """
    content = source.json
    raw = Raw([], tool="azure")
    if isinstance(content, list):
        raw.cues = [_sdk(entry, place) for place, entry in enumerate(records(content), start=1)]
        return raw
    raw.duration_s = _first(ticks(content.get("durationInTicks")), milliseconds(content.get("durationMilliseconds")))
    batch = content.get("recognizedPhrases")
    phrases = records(batch if isinstance(batch, list) else content.get("phrases"))
    several = len({phrase.get("channel") for phrase in phrases if isinstance(phrase.get("channel"), int)}) > 1
    raw.cues = [_phrase(phrase, place, several) for place, phrase in enumerate(phrases, start=1)]
    return raw


def _phrase(phrase: dict[str, Any], place: int, several: bool) -> Cue:
    best = next(iter(records(phrase.get("nBest"))), phrase)
    start = _first(
        ticks(phrase.get("offsetInTicks")),
        milliseconds(phrase.get("offsetMilliseconds")),
        iso_duration(phrase.get("offset")),
    )
    length = _first(
        ticks(phrase.get("durationInTicks")),
        milliseconds(phrase.get("durationMilliseconds")),
        iso_duration(phrase.get("duration")),
    )
    channel = phrase.get("channel")
    cue = Cue(
        f"phrase {place}", start, None if start is None or length is None else start + length,
        text_of(best, "display", "text", "lexical"),
        speaker_of(phrase.get("speaker")) or (f"Channel {channel}" if several and isinstance(channel, int) else None),
        confidence=number(best.get("confidence")),
    )  # fmt: skip
    status = phrase.get("recognitionStatus", "Success")
    if status != "Success":
        cue.dropped = f"not recognised ({status!s:.40})"
    return cue


def _sdk(entry: dict[str, Any], place: int) -> Cue:
    start, length = ticks(entry.get("Offset")), ticks(entry.get("Duration"))
    best = next(iter(records(entry.get("NBest"))), {})
    cue = Cue(
        f"result {place}", start, None if start is None or length is None else start + length,
        text_of(entry, "DisplayText") or text_of(best, "Display", "Lexical"), speaker_of(entry.get("SpeakerId")),
        id_of(entry.get("Id")), confidence=number(best.get("Confidence")),
    )  # fmt: skip
    if entry.get("RecognitionStatus", "Success") not in ("Success", 0):
        cue.dropped = f"not recognised ({entry['RecognitionStatus']!s:.40})"
    return cue


def _first(*values: float | None) -> float | None:
    return next((value for value in values if value is not None), None)
