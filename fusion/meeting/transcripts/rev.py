"""Rev.ai: monologues of elements, words with `ts` and `end_ts` in seconds, marks and spaces between them."""

from __future__ import annotations

from fusion.meeting.transcripts.clean import clean
from fusion.meeting.transcripts.clock import number
from fusion.meeting.transcripts.cue import Cue, Raw
from fusion.meeting.transcripts.fields import records, speaker_of, words_of
from fusion.meeting.transcripts.source import Source


def matches(source: Source) -> bool:
    """Whether its JSON holds `monologues`."""
    content = source.json
    return isinstance(content, dict) and isinstance(content.get("monologues"), list)


def read(source: Source) -> Raw:
    """All monologues, with the names that the file gives its speakers.

    >>> from pathlib import Path
    >>> text = b'{"monologues": [{"speaker": 0, "elements": [{"type": "text", "value": "So", "ts": 1.02, "end_ts": 1.2}]}]}'
    >>> [(cue.start, cue.end, cue.speaker, cue.text) for cue in read(Source(Path("a.json"), data=text)).cues]
    [(1.02, 1.2, 'Speaker 0', 'So')]
    """
    content = source.json
    cues: list[Cue] = []
    for place, monologue in enumerate(records(content["monologues"]), start=1):
        elements = records(monologue.get("elements"))
        words = words_of([e for e in elements if e.get("type") == "text"], ("value",), "ts", "end_ts", ("confidence",))
        starts = [start for e in elements if (start := number(e.get("ts"))) is not None]
        ends = [end for e in elements if (end := number(e.get("end_ts"))) is not None]
        text = "".join(str(e.get("value", "")) for e in elements)
        speaker = speaker_of(monologue.get("speaker"))
        cues.append(
            Cue(
                f"monologue {place}", min(starts, default=None), max(ends, default=None), text, speaker, None, words
            )
        )  # fmt: skip
    names = {
        speaker: name
        for entry in records(content.get("speakers"))
        if (speaker := speaker_of(entry.get("id"))) and (name := clean(entry.get("name")))
    }
    return Raw(cues, tool="rev", speakers=names)
