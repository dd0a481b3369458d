"""WebVTT (https://www.w3.org/TR/webvtt1/), as Zoom, Teams, Stream and YouTube write it, read directly.

Flags set here
    continued_speaker : the cue names nobody; the speaker of the cue before goes on (Zoom)
    shared_cue        : several voices in one cue; its time was divided by the length of their texts
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from datetime import datetime, timedelta

from fusion.meeting.transcripts.captions import TIMESTAMP_TAG, Block, blocks, unescape
from fusion.meeting.transcripts.clock import clock_seconds, moment, number
from fusion.meeting.transcripts.cue import Cue, Raw
from fusion.meeting.transcripts.names import speaker_names
from fusion.meeting.transcripts.rolling import unroll
from fusion.meeting.transcripts.source import Source
from fusion.meeting.transcripts.voices import named_parts, share_time

VOICE = re.compile(r"<v(?:\.[^\s<>]{0,80})?(?:\s([^>]{0,300}))?>")
TAG = re.compile(r"</?(?:c|i|b|u|v|ruby|rt|lang)(?:[.\s][^<>]{0,300})?>", re.IGNORECASE)
GUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\S{0,40}")
NOTE_CONFIDENCE = re.compile(r"NOTE\s+Confidence:\s*([\d.]+)", re.IGNORECASE)
NOTE_DURATION = re.compile(r"NOTE\s+duration:\s*\"?([\d:.]+)", re.IGNORECASE)
SHORT_TIMES = re.compile(r"^-?\d:\d{1,2}:\d{1,2}\.\d", re.MULTILINE)  # Teams' 0:0:0.0
NO_CUES = ("NOTE", "STYLE", "REGION")


def matches(source: Source) -> bool:
    """Whether it begins with WEBVTT."""
    return re.match(r"\s*WEBVTT(?:\s|$)", source.text[:100]) is not None


def read(source: Source) -> Raw:
    """All cues of a WebVTT file.

    >>> from pathlib import Path
    >>> text = b"WEBVTT\\n\\n0:0:1.0 --> 0:0:3.0\\n<v Ann>Yes.</v> <v Bob &amp; Co>And no.</v>\\n"
    >>> [(cue.start, cue.end, cue.speaker, cue.text) for cue in read(Source(Path("call.vtt"), data=text)).cues]
    [(1.0, 1.727..., 'Ann', 'Yes.'), (1.727..., 3.0, 'Bob & Co', 'And no.')]
    """
    raw = Raw([])
    timed: list[Block] = []
    confidences: dict[int, float | None] = {}
    confidence: float | None = None
    for block in blocks(source.lines):
        if block.times:
            confidences[block.line], confidence = confidence, None
            timed.append(block)
            continue
        first = block.lines[0]
        if block.line == 1 or first.lstrip().startswith("WEBVTT"):
            continue
        if first.startswith(NO_CUES):
            note = "\n".join(block.lines)
            if found := NOTE_CONFIDENCE.search(note):
                confidence = number(found[1])
            if found := NOTE_DURATION.search(note):
                raw.duration_s = clock_seconds(found[1][:15])
        else:
            raw.cues.append(Cue(f"line {block.line}", None, None, "", dropped=_lost(block)))
    youtube = "Kind: captions" in source.text[:200]
    if youtube:
        repeats = unroll(timed)
    cues: list[Cue] = []
    payloads = [[] if _is_json(block) else block.lines for block in timed]
    voices = any(VOICE.search(line) for lines in payloads for line in lines if "<v" in line)
    names = (
        frozenset() if voices or youtube else speaker_names([[_plain(line) for line in lines] for lines in payloads])
    )
    speaker: str | None = None
    for block in timed:
        base = Cue(f"line {block.line}", block.start, block.end, "", id=block.id, confidence=confidences[block.line])
        if block.start is None:
            base.dropped = "its times cannot be read"
        if youtube and block.line in repeats:
            base.dropped = "repeats the cue before"
        if _is_json(block):
            found_start = _from_json(base, block)
            if found_start and raw.absolute_start is None and block.start is not None:
                raw.absolute_start = found_start - timedelta(seconds=block.start)
            cues.append(base)
        elif voices:
            cues += _voices(base, "\n".join(block.lines))
        elif names:
            parts = named_parts(base, [_plain(line) for line in block.lines], names, speaker)
            speaker = parts[-1].speaker
            cues += parts
        else:
            base.text = _plain("\n".join(block.lines))
            cues.append(base)
    raw.cues += cues
    raw.tool = _tool(source.text, timed, names, youtube)
    return raw


def _lost(block: Block) -> str:
    return "its times cannot be read" if any("-->" in line for line in block.lines) else "text without times"


def _plain(text: str) -> str:
    """Without WebVTT's own tags; what is escaped, or no tag of WebVTT, is text and stays."""
    if "<" in text:
        text = TAG.sub("", TIMESTAMP_TAG.sub("", text))
    return unescape(text)


def _voices(base: Cue, payload: str) -> list[Cue]:
    """One cue per voice; text before the first voice is nobody's."""
    pieces = VOICE.split(payload)  # text, name, text, name, text, …
    spoken = [(None, pieces[0]), *zip(pieces[1::2], pieces[2::2], strict=True)]
    parts = [(unescape(name or "").strip() or None, text) for name, raw in spoken if (text := _plain(raw).strip())]
    if not parts:
        return [base]
    return share_time(base, parts)


def _is_json(block: Block) -> bool:
    return (
        bool(block.lines) and block.lines[0].lstrip().startswith("{") and any('"spokenText"' in x for x in block.lines)
    )


def _from_json(cue: Cue, block: Block) -> datetime | None:
    """Teams' other payload (Graph's `metadataContent`): who and what as JSON, with the wall clock."""
    try:
        payload = json.loads("\n".join(block.lines))
    except (ValueError, RecursionError):
        cue.dropped = cue.dropped or "its JSON is broken"
        return None
    if not isinstance(payload, dict):
        return None
    speaker = payload.get("speakerName")
    cue.text, cue.speaker = str(payload.get("spokenText") or ""), speaker if isinstance(speaker, str) else None
    return moment(payload.get("startDateTime"))


def _tool(text: str, timed: Sequence[Block], names: frozenset[str], youtube: bool) -> str | None:
    if youtube:
        return "youtube"
    ids = [block.id for block in timed if block.id]
    if "NOTE Confidence" in text or 'NOTE duration:"' in text:
        return "stream"
    if any(GUID.fullmatch(name) for name in ids[:50]) or SHORT_TIMES.search(text) or any(map(_is_json, timed[:1])):
        return "teams"
    return "zoom" if names and len(ids) == len(timed) and all(name.isdigit() for name in ids) else None
