"""The one way in: any transcript's file to a `Transcript`."""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path

from extractors.errors import InputError
from fusion.meeting.transcript import Transcript
from fusion.meeting.transcripts import rttm as rttm_format
from fusion.meeting.transcripts.assemble import assemble
from fusion.meeting.transcripts.formats import BY_NAME, FORMATS, WHISPERS, Format
from fusion.meeting.transcripts.source import Source
from fusion.meeting.transcripts.speakers import rename

log = logging.getLogger(__name__)


def read_transcript(
    path: str | os.PathLike[str],
    *,
    format: str | None = None,
    speaker_map: Mapping[str, str] | None = None,
    exclude_speakers: Sequence[str] = (),
    offset: float = 0.0,
    rttm: str | os.PathLike[str] | None = None,
    columns: Mapping[str, str] | None = None,
    recording: str | None = None,
    encoding: str | None = None,
) -> Transcript:
    """The utterances of a transcript, in order of time, with every cue of the file accounted for.

    path             : a file (also gzipped), or a Kaldi data folder
    format           : one of `formats.BY_NAME`; None: told by the content, never by the file's name
    speaker_map      : names for speakers, by the file's own: {"SPEAKER_00": "Ann"}
    exclude_speakers : people who are left out before anything looks at them
    offset           : seconds added to all times of the transcript (not of the RTTM, which was made from the recording)
    rttm             : who speaks when; it replaces the transcript's own speakers
    columns          : of a CSV or JSON Lines, which column is what, and the unit of time; see `table`
    recording        : which one, of a file that holds several (RTTM, STM, CTM, SegLST, Kaldi)
    encoding         : of the file; None: by byte-order mark, else UTF-8, else by what the bytes look like

    Raises InputError for a file that is missing, broken, hostile, of no known format, or without one utterance.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "call.vtt")
    ...     _ = path.write_text("WEBVTT\\n\\n00:01.000 --> 00:03.500\\n<v Ann Lee>So it is.</v>\\n")
    ...     read = read_transcript(path, speaker_map={"Ann Lee": "Ann"})
    >>> read.utterances[0].speaker, read.utterances[0].start_s, read.format, read.cues
    ('Ann', 1.0, 'webvtt', 1)
    """
    if isinstance(offset, bool) or not isinstance(offset, int | float) or not math.isfinite(offset):
        raise InputError(f"offset is a number of seconds; got {offset!r}")
    source = Source(Path(path), encoding=encoding, columns=columns, recording=recording)
    chosen = _chosen(source, format)
    raw = chosen.read(source)
    name = raw.tool if raw.tool in WHISPERS else chosen.name
    transcript = assemble(raw, name or chosen.name, offset=float(offset))
    turns: list[rttm_format.Turn] = []
    if rttm is not None:
        turns = rttm_format.read_turns(Source(Path(rttm), recording=recording if chosen.name != "rttm" else None))
        transcript = rttm_format.name_speakers(transcript, turns)
    transcript = rename(
        transcript, speaker_map=speaker_map, own_names=raw.speakers, exclude=exclude_speakers, turns=turns
    )
    return _accounted(replace(transcript, tool=raw.tool))


def _chosen(source: Source, name: str | None) -> Format:
    if name is not None:
        if name not in BY_NAME:
            near = get_close_matches(name, BY_NAME, 1)
            raise InputError(
                f"format: {name!r} is none that can be read" + (f"; is it {near[0]!r}?" if near else ""),
                hint=f"Those are {', '.join(BY_NAME)}. Leave it out and the content says.",
            )
        said = BY_NAME[name]
        if (said.strict or source.folder) and not said.matches(source):
            raise InputError(
                f"{source.name}: said to be {name}, and is not", hint="Leave the format out: the content says."
            )
        return said
    if source.folder:
        if BY_NAME["kaldi"].matches(source):
            return BY_NAME["kaldi"]
        raise InputError(f"{source.path}: a folder, without Kaldi's `segments`", hint="Give the transcript's file.")
    for known in FORMATS:
        if known.matches(source):
            return known
    first = source.text.strip().partition("\n")[0][:60]
    raise InputError(
        f"{source.name}: no format is known that begins with {first!r}",
        hint="Say its `format`, or turn it into a CSV with columns start, end, text and speaker. Known are "
        + ", ".join(BY_NAME),
    )


def _accounted(transcript: Transcript) -> Transcript:
    """The transcript, whose cues must all be in it or left out for a reason: a reader that loses one is wrong."""
    total = len(transcript.utterances) + len(transcript.left_out)
    if transcript.cues + transcript.splits - transcript.joins != total:
        raise AssertionError(
            f"{transcript.format}: {transcript.cues} cues + {transcript.splits} splits - {transcript.joins} joins, but "
            f"{len(transcript.utterances)} utterances and {len(transcript.left_out)} left out"
        )
    return transcript
