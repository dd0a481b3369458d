"""STM and CTM, as NIST's scorers read them: seconds, one segment or one word a line; CTM has durations."""

from __future__ import annotations

import re

from fusion.meeting.transcripts.clock import number
from fusion.meeting.transcripts.cue import Cue, Raw
from fusion.meeting.transcripts.recordings import OTHER, chosen_recording
from fusion.meeting.transcripts.source import Source
from fusion.meeting.transcripts.turns import Spoken, turns

NUMBER = r"-?\d{1,9}(?:\.\d{1,12})?"
STM = re.compile(rf"(\S+)\s+(\S+)\s+(\S+)\s+({NUMBER})\s+({NUMBER})(?:\s+<[^<>\s]{{0,200}}>)?(?:\s+(.*))?$")
CTM = re.compile(rf"(\S+)\s+(\S+)\s+({NUMBER})\s+({NUMBER})\s+(\S+)(?:\s+(\d\S*|NA))?(?:\s+\S+){{0,2}}\s*$")
COMMENT = ";;"
IGNORED = "ignore_time_segment_in_scoring"


def matches_stm(source: Source) -> bool:
    """Whether its first lines are of STM's shape."""
    return _matches(source, STM) and not matches_ctm(source)


def matches_ctm(source: Source) -> bool:
    """Whether its first lines are of CTM's shape."""
    words = [match[5] for line in _first(source) if (match := CTM.match(line[:4000]))]
    numbers = sum(re.fullmatch(NUMBER, word) is not None for word in words)
    return _matches(source, CTM) and numbers < 0.8 * len(words)  # else it is STM whose speakers have numbers


def read_stm(source: Source) -> Raw:
    """All segments of one recording.

    >>> from pathlib import Path
    >>> text = b";; made by hand\\ncall 1 Diane 6.68 7.16 <o,f0,female> Hello?\\n"
    >>> [(cue.start, cue.end, cue.speaker, cue.text) for cue in read_stm(Source(Path("call.stm"), data=text)).cues]
    [(6.68, 7.16, 'Diane', 'Hello?')]
    """
    rows = [
        (n, line.strip())
        for n, line in enumerate(source.lines, start=1)
        if line.strip() and not line.startswith(COMMENT)
    ]
    found = [(n, STM.match(line)) for n, line in rows]
    meant = chosen_recording((m[1] for _, m in found if m), source.recording, source.name)
    cues: list[Cue] = []
    for n, match in found:
        if match is None:
            cues.append(Cue(f"line {n}", None, None, "", dropped="no line of STM"))
            continue
        text = match[6] or ""
        cue = Cue(f"line {n}", number(match[4]), number(match[5]), text, match[3])
        if match[1] != meant:
            cue.dropped = OTHER
        elif text.strip().lower() == IGNORED:
            cue.dropped = "marked to be ignored"
        cues.append(cue)
    return Raw(cues)


def read_ctm(source: Source) -> Raw:
    """All words of one recording, joined to turns at pauses; two channels are two speakers.

    >>> from pathlib import Path
    >>> text = b"call 1 0.5 0.4 so 0.9\\ncall 1 0.9 0.3 what\\n"
    >>> [(cue.start, cue.end, cue.text) for cue in read_ctm(Source(Path("call.ctm"), data=text)).cues]
    [(0.5, 1.2, 'so what')]
    """
    rows = [
        (n, line.strip())
        for n, line in enumerate(source.lines, start=1)
        if line.strip() and not line.startswith(COMMENT)
    ]
    found = [(n, CTM.match(line)) for n, line in rows]
    meant = chosen_recording((m[1] for _, m in found if m), source.recording, source.name)
    dropped: list[Cue] = []
    channels: dict[str, list[Spoken]] = {}
    for n, match in found:
        if match is None or match[1] != meant:
            dropped.append(Cue(f"line {n}", None, None, "", dropped="no line of CTM" if match is None else OTHER))
            continue
        start, length = float(match[3]), float(match[4])
        channels.setdefault(match[2], []).append(
            Spoken(f"line {n}", match[5], start, round(start + length, 6), None, number(match[6]))
        )
    cues: list[Cue] = []
    for channel, words in channels.items():
        name = f"Channel {channel}" if len(channels) > 1 else None
        words.sort(key=lambda word: word.start or 0.0)
        cues += turns([word._replace(speaker=name) for word in words])
    return Raw(cues + dropped)


def _first(source: Source) -> list[str]:
    lines = (line.strip() for line in source.text[:20_000].split("\n"))
    return [line for line in lines if line and not line.startswith(COMMENT)][:20]


def _matches(source: Source, shape: re.Pattern[str]) -> bool:
    lines = _first(source)
    whole = lines[:-1] if len(lines) == 20 else lines  # the last may be cut off
    return bool(whole) and sum(shape.match(line[:4000]) is not None for line in whole) >= 0.8 * len(whole)
