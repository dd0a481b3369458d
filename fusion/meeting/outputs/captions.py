"""captions.vtt: the words with what they were estimated to express, for any player."""

from __future__ import annotations

import html
from pathlib import Path

from extractors.files import write_text
from fusion.meeting.estimate import Estimate
from fusion.meeting.manners import BANNER
from fusion.meeting.meeting import Meeting

SHORTEST = 0.001  # s; a cue must last


def write_captions(meeting: Meeting, path: Path) -> Path:
    """WebVTT with a voice and, where it may be shown, "[happy, 0.81 (estimated)]" after the words."""
    blocks = [f"WEBVTT\n\nNOTE {BANNER} Purpose: {_one_line(meeting.manners.purpose.name)}."]
    blocks += [_cue(estimate) for estimate in meeting.estimates]
    return write_text(path, "\n\n".join(blocks) + "\n")


def _cue(estimate: Estimate) -> str:
    said = estimate.utterance
    voice = "" if said.speaker is None else f"<v {html.escape(_one_line(said.speaker), quote=False)}>"
    shown = "" if estimate.label is None else f" [{estimate.label}, {estimate.confidence:.2f} (estimated)]"
    end = max(said.end_s, said.start_s + SHORTEST)
    words = html.escape(_one_line(said.text) + shown, quote=False)  # "-->" in it would end the cue
    return f"{clock(said.start_s)} --> {clock(end)}\n{voice}{words}"


def clock(seconds: float) -> str:
    """HH:MM:SS.mmm

    >>> clock(3725.0416)
    '01:02:05.042'
    """
    milliseconds = max(0, round(seconds * 1000))
    minutes, rest = divmod(milliseconds, 60_000)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{rest // 1000:02}.{rest % 1000:03}"


def _one_line(text: str) -> str:
    return " ".join(text.split())
