"""SegLST, the JSON of meeteval and CHiME: segments with `session_id`, `speaker`, `words` and times in seconds."""

from __future__ import annotations

from fusion.meeting.transcripts.clock import number
from fusion.meeting.transcripts.cue import Cue, Raw
from fusion.meeting.transcripts.fields import id_of, records, text_of
from fusion.meeting.transcripts.recordings import OTHER, chosen_recording
from fusion.meeting.transcripts.source import Source


def matches(source: Source) -> bool:
    """Whether its JSON is a list of segments that name their session."""
    content = source.json
    return isinstance(content, list) and any({"session_id", "words"} <= set(entry) for entry in records(content)[:5])


def read(source: Source) -> Raw:
    """All segments of one session.

    >>> from pathlib import Path
    >>> text = b'[{"session_id": "a", "speaker": "Bob", "start_time": "1", "end_time": "2.5", "words": "so be it"}]'
    >>> [(cue.start, cue.end, cue.speaker, cue.text) for cue in read(Source(Path("a.json"), data=text)).cues]
    [(1.0, 2.5, 'Bob', 'so be it')]
    """
    segments = records(source.json)
    meant = chosen_recording((str(s.get("session_id", "")) for s in segments), source.recording, source.name)
    cues = [
        Cue(
            f"segment {place}", number(segment.get("start_time")), number(segment.get("end_time")),
            text_of(segment, "words"), id_of(segment.get("speaker")),
            dropped=None if str(segment.get("session_id", "")) == meant else OTHER,
        )
        for place, segment in enumerate(segments, start=1)
    ]  # fmt: skip
    return Raw(cues)
