"""Whisper's family of JSON: openai-whisper, faster-whisper, WhisperX, whisper-timestamped, OpenAI's API, whisper.cpp.

Flags set here
    maybe_hallucinated : no_speech_prob above 0.6 and avg_logprob below -1, Whisper's own rule for silence
    repetitive         : compression_ratio above 2.4, Whisper's own sign of a decoder that loops
    speaker_change     : WhisperX heard several speakers in one segment, which was divided at its words
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from fusion.meeting.transcripts.clean import clean
from fusion.meeting.transcripts.clock import milliseconds, number
from fusion.meeting.transcripts.cue import Cue, Raw
from fusion.meeting.transcripts.fields import id_of, record, records, speaker_of, text_of, words_of
from fusion.meeting.transcripts.source import Source

NO_SPEECH, LOG_PROBABILITY, COMPRESSION = 0.6, -1.0, 2.4  # whisper/transcribe.py's defaults


def matches(source: Source) -> bool:
    """Whether its JSON holds segments with times and text, or whisper.cpp's `transcription`."""
    return which(source.json) is not None


def which(content: Any) -> str | None:
    """The name of the program that wrote this JSON, "whisper" where only the family shows; None for other JSON.

    >>> which({"segments": [{"start": 0.0, "end": 1.0, "text": "so", "speaker": "SPEAKER_00"}]})
    'whisperx'
    """
    if isinstance(content, dict) and isinstance(content.get("transcription"), list):
        return "whisper.cpp" if any("offsets" in entry for entry in records(content["transcription"])[:5]) else None
    segments = records(content.get("segments") if isinstance(content, dict) else content)
    if isinstance(content, dict) and isinstance(content.get("segments"), list) and not segments:
        return "whisper" if "text" in content or "language" in content else None
    keys = {key for segment in segments[:50] for key in segment}
    if "text" not in keys or not keys & {"start", "words", "end"} or keys & {"sentence_info", "session_id"}:
        return None
    top = set(content) if isinstance(content, dict) else set()
    words = [word for segment in segments[:50] for word in records(segment.get("words"))[:1]]
    if (isinstance(content, dict) and ("speaker" in keys or "word_segments" in top)) or any(
        "score" in w for w in words
    ):
        return "whisperx"
    if "language_probability" in top or ("tokens" in keys and "duration" in top and "task" not in top):
        return "faster-whisper"
    if "confidence" in keys and any("text" in word for word in words):
        return "whisper-timestamped"
    if isinstance(content, dict) or keys & {"avg_logprob", "no_speech_prob", "seek"}:
        return "whisper"
    return None


def read(source: Source) -> Raw:
    """All segments.

    >>> from pathlib import Path
    >>> text = b'{"segments": [{"start": 1, "end": 2.5, "text": " So.", "no_speech_prob": 0.9, "avg_logprob": -1.4}]}'
    >>> [(cue.start, cue.end, cue.text, cue.flags) for cue in read(Source(Path("a.json"), data=text)).cues]
    [(1.0, 2.5, ' So.', ('maybe_hallucinated',))]
    """
    content = source.json
    tool = which(content)
    if tool == "whisper.cpp":
        return _whisper_cpp(content)
    raw = Raw([], tool=tool)
    for number_, segment in enumerate(
        records(content.get("segments") if isinstance(content, dict) else content), start=1
    ):
        raw.cues += _segment(segment, f"segment {number_}")
    if isinstance(content, dict):
        raw.duration_s = number(content.get("duration"))
    return raw


def _segment(segment: dict[str, Any], place: str) -> list[Cue]:
    flags: list[str] = []
    log_probability, no_speech = number(segment.get("avg_logprob")), number(segment.get("no_speech_prob"))
    if (
        no_speech is not None
        and no_speech > NO_SPEECH
        and (log_probability is None or log_probability < LOG_PROBABILITY)
    ):
        flags.append("maybe_hallucinated")
    if (number(segment.get("compression_ratio")) or 0.0) > COMPRESSION:
        flags.append("repetitive")
    sure = number(segment.get("confidence"))
    if sure is None and log_probability is not None:
        sure = math.exp(min(log_probability, 0.0))
    cue = Cue(
        place, number(segment.get("start")), number(segment.get("end")), text_of(segment, "text"),
        speaker_of(segment.get("speaker")), id_of(segment.get("id")),
        words_of(segment.get("words"), ("word", "text"), "start", "end", ("probability", "score", "confidence")),
        sure, tuple(flags),
    )  # fmt: skip
    return _by_speaker(cue, records(segment.get("words")))


def _by_speaker(cue: Cue, words: Sequence[dict[str, Any]]) -> list[Cue]:
    """The cue, divided where its words' speaker changes. A word without a speaker goes on with the one before."""
    speakers = [speaker_of(word.get("speaker")) for word in words]
    known = [speaker for speaker in speakers if speaker is not None]
    if cue.speaker is None and known:
        cue.speaker = max(set(known), key=known.count)
    if len(set(known)) < 2:
        return [cue]
    runs: list[tuple[str, list[dict[str, Any]]]] = []
    for word, speaker in zip(words, speakers, strict=True):
        if runs and speaker in (None, runs[-1][0]):
            runs[-1][1].append(word)
        elif speaker is None:
            runs.append((known[0], [word]))
        else:
            runs.append((speaker, [word]))
    parts: list[Cue] = []
    for speaker, run in runs:
        timed = words_of(run, ("word", "text"), "start", "end", ("probability", "score", "confidence"))
        text = _join([text_of(word, "word", "text") for word in run])
        start = timed[0].start_s if timed else (parts[-1].end if parts else cue.start)
        end = timed[-1].end_s if timed else start
        flags = (*cue.flags, "speaker_change")
        parts.append(
            Cue(
                cue.place,
                start,
                end,
                text,
                speaker,
                cue.id,
                timed,
                cue.confidence,
                flags,
                bool(parts),
                dropped=cue.dropped,
            )
        )
    parts[0].start = cue.start if cue.start is not None else parts[0].start
    parts[-1].end = cue.end if cue.end is not None else parts[-1].end
    return parts


def _join(words: Sequence[str]) -> str:
    """Words to text: Whisper's bring their own leading spaces; WhisperX's do not, except Chinese, which has none."""
    if any(word[:1] == " " for word in words):
        return "".join(words)
    spaced = any(clean(word).isascii() for word in words)
    return (" " if spaced else "").join(words)


def _whisper_cpp(content: dict[str, Any]) -> Raw:
    """whisper.cpp's milliseconds. Its `timestamps` can disagree with its `offsets`: the offsets are right."""
    raw = Raw([], tool="whisper.cpp")
    for number_, segment in enumerate(records(content["transcription"]), start=1):
        offsets = record(segment.get("offsets"))
        chances = [p for token in records(segment.get("tokens")) if (p := number(token.get("p"))) is not None]
        raw.cues.append(
            Cue(
                f"segment {number_}", milliseconds(offsets.get("from")), milliseconds(offsets.get("to")),
                text_of(segment, "text"), speaker_of(segment.get("speaker")),
                confidence=sum(chances) / len(chances) if chances else None,
            )
        )  # fmt: skip
    return raw
