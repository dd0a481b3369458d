"""SubRip: numbered cues, commas in the times; speakers only where the text names them.

Flags set here: continued_speaker and shared_cue, as in `webvtt`.
"""

from __future__ import annotations

import re

from fusion.meeting.transcripts.captions import TIMES, blocks, unescape
from fusion.meeting.transcripts.cue import Cue, Raw
from fusion.meeting.transcripts.names import speaker_names
from fusion.meeting.transcripts.source import Source
from fusion.meeting.transcripts.voices import named_parts

TAG = re.compile(r"</?(?:i|b|u|s|font|c|span)(?:\s[^<>]{0,300})?>|\{\\[^{}]{0,100}\}|\{/?[ibus]\}", re.IGNORECASE)


def matches(source: Source) -> bool:
    """Whether a line of times stands among the first lines that are not blank."""
    head = [line for line in source.text[:4000].split("\n") if line.strip()][:12]
    return any("-->" in line and TIMES.match(line) is not None for line in head)


def read(source: Source) -> Raw:
    """All cues of a SubRip file.

    >>> from pathlib import Path
    >>> text = b"1\\n00:00:01,000 --> 00:00:03,500\\n[SPEAKER_00]: <i>Late</i>, R&D says.\\n"
    >>> [(cue.start, cue.end, cue.speaker, cue.text) for cue in read(Source(Path("call.srt"), data=text)).cues]
    [(1.0, 3.5, 'SPEAKER_00', 'Late, R&D says.')]
    """
    timed, cues = [], []
    for block in blocks(source.lines):
        if block.times:
            block.lines = [unescape(TAG.sub("", line)) for line in block.lines]
            timed.append(block)
        else:
            broken = any("-->" in line for line in block.lines)
            reason = "its times cannot be read" if broken else "text without times"
            cues.append(Cue(f"line {block.line}", None, None, "", dropped=reason))
    names = speaker_names([block.lines for block in timed])
    speaker: str | None = None
    for block in timed:
        base = Cue(f"line {block.line}", block.start, block.end, "\n".join(block.lines), id=block.id)
        if block.start is None:
            base.dropped = "its times cannot be read"
        parts = named_parts(base, block.lines, names, speaker) if names else [base]
        speaker = parts[-1].speaker
        cues += parts
    return Raw(cues)
