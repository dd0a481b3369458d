"""The formats there are, in the order in which a file's content is held against them."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from fusion.meeting.transcripts import (
    assemblyai,
    aws,
    azure,
    deepgram,
    elan,
    funasr,
    google,
    kaldi,
    meet,
    nist,
    plain,
    rev,
    rttm,
    seglst,
    srt,
    table,
    textgrid,
    webvtt,
    wecom,
    whisper,
)
from fusion.meeting.transcripts.cue import Raw
from fusion.meeting.transcripts.source import Source


class Format(NamedTuple):
    """A format: what it is called, whether a file is of it, its reader, and whether that reads nothing else.

    Formats of lines read what they are told to; each bad line is left out. JSON of another shape has nothing to read.
    """

    name: str
    matches: Callable[[Source], bool]
    read: Callable[[Source], Raw]
    strict: bool = False


FORMATS = (
    Format("kaldi", kaldi.matches, kaldi.read, strict=True),  # a folder: has no text to look at
    Format("webvtt", webvtt.matches, webvtt.read),
    Format("funasr", funasr.matches, funasr.read, strict=True),
    Format("deepgram", deepgram.matches, deepgram.read, strict=True),
    Format("aws", aws.matches, aws.read, strict=True),
    Format("google", google.matches, google.read, strict=True),
    Format("azure", azure.matches, azure.read, strict=True),
    Format("rev", rev.matches, rev.read, strict=True),
    Format("meet", meet.matches, meet.read, strict=True),
    Format("wecom", wecom.matches, wecom.read, strict=True),
    Format("seglst", seglst.matches, seglst.read, strict=True),
    Format("whisper", whisper.matches, whisper.read, strict=True),
    Format("assemblyai", assemblyai.matches, assemblyai.read, strict=True),
    Format("textgrid", textgrid.matches, textgrid.read),
    Format("elan", elan.matches, elan.read),
    Format("rttm", rttm.matches, rttm.read),  # before STM, whose lines it resembles
    Format("srt", srt.matches, srt.read),
    Format("ctm", nist.matches_ctm, nist.read_ctm),
    Format("stm", nist.matches_stm, nist.read_stm),
    Format("jsonl", table.matches_lines, table.read_lines),
    Format("bracketed", plain.matches_bracketed, plain.read_bracketed),
    Format("otter", plain.matches_otter, plain.read_otter),
    Format("csv", table.matches_csv, table.read_csv),
    Format("meet-document", plain.matches_meet, plain.read_meet),
)
BY_NAME = {format.name: format for format in FORMATS}
WHISPERS = (
    "whisperx",
    "faster-whisper",
    "whisper-timestamped",
    "whisper.cpp",
)  # which of them wrote it, the reader sees
BY_NAME |= dict.fromkeys(WHISPERS, BY_NAME["whisper"])
