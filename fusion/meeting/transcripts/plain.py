"""Text for people, with the time that each turn begins: Otter, "[00:00:01] Name: text", Google Meet's document.

No ends in any of them: the next turn and the length of the text say about where they are (flag no_end).
Flag set here
    interpolated : Meet's document has a time every five minutes; turns between lie as their texts' lengths say
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from fusion.meeting.transcripts.assemble import spoken_seconds
from fusion.meeting.transcripts.clock import clock_seconds
from fusion.meeting.transcripts.cue import Cue, Raw
from fusion.meeting.transcripts.names import split_name
from fusion.meeting.transcripts.source import Source

CLOCK = r"\d{1,3}:\d{2}(?::\d{2})?(?:[.,]\d{1,3})?"
OTTER = re.compile(rf"(\S.{{0,60}}?)?\s{{2,}}({CLOCK})\s*$|(\S.{{0,60}}?)\t({CLOCK})\s*$")
BRACKETED = re.compile(rf"\s*[\[(]\s*({CLOCK})(?:\s*[-–>]+\s*({CLOCK}))?\s*[\])]\s*(.*)")
ALONE = re.compile(r"\s*(\d{2}:\d{2}:\d{2})\s*$")
MEET_ENDED = re.compile(r"(?:Meeting|Transcription) ended after (\d{1,2}:\d{2}:\d{2})")


def matches_otter(source: Source) -> bool:
    """Whether lines of a name and a time stand before paragraphs."""
    lines = [line for line in source.text[:20_000].split("\n") if line.strip()]
    return bool(lines) and any(_is_head(line) for line in lines[:4]) and sum(map(_is_head, lines)) >= 0.1 * len(lines)


def matches_bracketed(source: Source) -> bool:
    """Whether most lines begin with a time in brackets."""
    lines = [line for line in source.text[:20_000].split("\n") if line.strip()][:50]
    return bool(lines) and sum(BRACKETED.match(line[:200]) is not None for line in lines) >= 0.5 * len(lines)


def matches_meet(source: Source) -> bool:
    """Whether lines of a time alone stand among lines of "Name: text"."""
    lines = [line for line in source.text[:20_000].split("\n") if line.strip()]
    times = sum(ALONE.match(line[:40]) is not None for line in lines)
    return times >= 1 and sum(split_name(line) is not None for line in lines) >= 0.3 * len(lines)


def read_otter(source: Source) -> Raw:
    """All paragraphs.

    >>> from pathlib import Path
    >>> text = b"Ann Lee  0:01\\nSo it is.\\nReally.\\n\\nBob  0:09\\nYes.\\n"
    >>> [(cue.start, cue.speaker, cue.text) for cue in read_otter(Source(Path("a.txt"), data=text)).cues]
    [(1.0, 'Ann Lee', 'So it is.\\nReally.'), (9.0, 'Bob', 'Yes.')]
    """
    cues: list[Cue] = []
    for n, line in enumerate(source.lines, start=1):
        head = OTTER.match(line) if len(line) < 120 else None
        if head:
            name, clock = (head[1], head[2]) if head[2] else (head[3], head[4])
            cues.append(Cue(f"line {n}", clock_seconds(clock), None, "", (name or "").strip() or None))
        elif line.strip() and cues and cues[-1].dropped is None:
            cues[-1].text = f"{cues[-1].text}\n{line}".strip()
        elif line.strip():
            cues.append(Cue(f"line {n}", None, None, line, dropped="text before the first time"))
    return Raw(cues, tool="otter")


def read_bracketed(source: Source) -> Raw:
    """All lines that begin with a time, each with the lines after it that have none.

    >>> from pathlib import Path
    >>> text = b"[00:00:01] Alice: So it is.\\n[00:00:04 - 00:00:06] Bob: Yes: it is.\\n"
    >>> [(c.start, c.end, c.speaker, c.text) for c in read_bracketed(Source(Path("a.txt"), data=text)).cues]
    [(1.0, None, 'Alice', 'So it is.'), (4.0, 6.0, 'Bob', 'Yes: it is.')]
    """
    cues: list[Cue] = []
    for n, line in enumerate(source.lines, start=1):
        found = BRACKETED.match(line)
        if found:
            named = split_name(found[3])
            speaker, text = named or (None, found[3])
            ends = clock_seconds(found[2]) if found[2] else None
            cues.append(Cue(f"line {n}", clock_seconds(found[1]), ends, text, speaker))
        elif line.strip() and cues and cues[-1].dropped is None:
            cues[-1].text += f"\n{line}"
        elif line.strip():
            cues.append(Cue(f"line {n}", None, None, line, dropped="text before the first time"))
    return Raw(cues)


def read_meet(source: Source) -> Raw:
    """All turns of Meet's document: those under a time begin there; the next time, or the length of the text, spaces them.

    >>> from pathlib import Path
    >>> text = b"00:00:00\\nAnn: One two.\\nBob: Three four.\\n00:05:00\\nAnn: Five.\\n"
    >>> [(cue.start, cue.speaker, cue.flags) for cue in read_meet(Source(Path("a.txt"), data=text)).cues]
    [(0.0, 'Ann', ()), (1.0, 'Bob', ('interpolated',)), (300.0, 'Ann', ())]
    """
    raw = Raw([], tool="meet")
    marked: list[tuple[float, list[Cue]]] = []
    for n, line in enumerate(source.lines, start=1):
        ended = MEET_ENDED.search(line[:200])
        if ended:
            raw.duration_s = clock_seconds(ended[1])
        elif alone := ALONE.match(line[:40]):
            marked.append((clock_seconds(alone[1]) or 0.0, []))
        elif named := split_name(line):
            cue = Cue(f"line {n}", None, None, named[1], named[0])
            raw.cues.append(cue)
            if marked:
                marked[-1][1].append(cue)
            else:
                cue.dropped = "text before the first time"
        elif line.strip() and marked and marked[-1][1]:
            marked[-1][1][-1].text += f"\n{line}"
        elif line.strip():
            raw.cues.append(Cue(f"line {n}", None, None, line, dropped="neither a time nor a turn"))
    for at, (start, cues) in enumerate(marked):
        _space(cues, start, marked[at + 1][0] if at + 1 < len(marked) else raw.duration_s)
    return raw


def _space(cues: Sequence[Cue], start: float, until: float | None) -> None:
    """Starts between two times, closed up where the texts are longer than the time between."""
    lengths = [spoken_seconds(cue.text) for cue in cues]
    squeeze = min(1.0, (until - start) / sum(lengths)) if until is not None and until > start and lengths else 1.0
    at = start
    for number, (cue, length) in enumerate(zip(cues, lengths, strict=True)):
        cue.start = round(at, 3)
        if number:
            cue.flags = (*cue.flags, "interpolated")
        at += length * squeeze


def _is_head(line: str) -> bool:
    return len(line) < 120 and OTTER.match(line) is not None
