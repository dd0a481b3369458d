"""Deepgram: seconds; `utterances` where asked for, else paragraphs, else words; a channel each may hold a speaker."""

from __future__ import annotations

from typing import Any

from fusion.meeting.transcripts.clean import clean
from fusion.meeting.transcripts.clock import number
from fusion.meeting.transcripts.cue import Cue, Raw
from fusion.meeting.transcripts.fields import id_of, record, records, speaker_of, text_of, words_of
from fusion.meeting.transcripts.source import Source
from fusion.meeting.transcripts.turns import Spoken, turns

WORD = ("punctuated_word", "word")


def matches(source: Source) -> bool:
    """Whether its JSON holds `results.channels`."""
    content = source.json
    return isinstance(content, dict) and isinstance(record(content.get("results")).get("channels"), list)


def read(source: Source) -> Raw:
    """All utterances.

    >>> from pathlib import Path
    >>> text = b'{"results": {"channels": [], "utterances": [{"start": 0.5, "end": 1.4, "transcript": "So.", "speaker": 0}]}}'
    >>> [(cue.start, cue.end, cue.speaker, cue.text) for cue in read(Source(Path("a.json"), data=text)).cues]
    [(0.5, 1.4, 'Speaker 0', 'So.')]
    """
    content = source.json
    results, metadata = record(content["results"]), record(content.get("metadata"))
    channels = records(results["channels"])
    raw = Raw([], tool="deepgram", duration_s=number(metadata.get("duration")))
    several = len(channels) > 1
    for place, entry in enumerate(records(results.get("utterances")), start=1):
        raw.cues.append(_cue(entry, f"utterance {place}", _channel(entry.get("channel"), several)))
    if not raw.cues:
        for number_, channel in enumerate(channels):
            best = next(iter(records(channel.get("alternatives"))), {})
            raw.cues += _paragraphs(best, _channel(number_, several)) or _words(best, _channel(number_, several))
    return raw


def _channel(number_: Any, several: bool) -> str | None:
    return f"Channel {number_}" if several and isinstance(number_, int) else None


def _cue(entry: dict[str, Any], place: str, channel: str | None) -> Cue:
    return Cue(
        place, number(entry.get("start")), number(entry.get("end")), text_of(entry, "transcript", "text"),
        speaker_of(entry.get("speaker")) or channel, id_of(entry.get("id")),
        words_of(entry.get("words"), WORD, "start", "end", ("confidence",)), number(entry.get("confidence")),
    )  # fmt: skip


def _paragraphs(best: dict[str, Any], channel: str | None) -> list[Cue]:
    cues: list[Cue] = []
    for paragraph in records(record(best.get("paragraphs")).get("paragraphs")):
        for sentence in records(paragraph.get("sentences")):
            cues.append(_cue({**sentence, "speaker": paragraph.get("speaker")}, f"sentence {len(cues) + 1}", channel))
    return cues


def _words(best: dict[str, Any], channel: str | None) -> list[Cue]:
    return turns(
        [
            Spoken(
                f"word {place}", clean(text_of(word, *WORD)), number(word.get("start")), number(word.get("end")),
                speaker_of(word.get("speaker")) or channel, number(word.get("confidence")),
            )
            for place, word in enumerate(records(best.get("words")), start=1)
        ]
    )  # fmt: skip
