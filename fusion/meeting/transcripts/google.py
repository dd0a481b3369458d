"""Google Cloud Speech-to-Text, version 1 and 2: "1.5s"; with speakers, the last result repeats all the words before it."""

from __future__ import annotations

from typing import Any

from fusion.meeting.transcripts.clean import clean
from fusion.meeting.transcripts.clock import number
from fusion.meeting.transcripts.cue import Cue, Raw
from fusion.meeting.transcripts.fields import record, records, speaker_of, text_of
from fusion.meeting.transcripts.source import Source
from fusion.meeting.transcripts.turns import Spoken, turns

START, END = (
    ("startTime", "startOffset", "start_time", "start_offset"),
    ("endTime", "endOffset", "end_time", "end_offset"),
)
RESULT_END = ("resultEndTime", "resultEndOffset", "result_end_time", "result_end_offset")
SPEAKER = ("speakerLabel", "speakerTag", "speaker_label", "speaker_tag")


def matches(source: Source) -> bool:
    """Whether its JSON holds `results`, a list of `alternatives`."""
    return any("alternatives" in result for result in _results(source.json)[:5])


def read(source: Source) -> Raw:
    """All results, their words joined to turns.

    >>> from pathlib import Path
    >>> word = b'{"startTime": "0.500s", "endTime": "0.900s", "word": "So", "speakerTag": 1}'
    >>> text = b'{"results": [{"alternatives": [{"transcript": "So", "words": [' + word + b']}]}]}'
    >>> [(cue.start, cue.end, cue.speaker) for cue in read(Source(Path("a.json"), data=text)).cues]
    [(0.5, 0.9, 'Speaker 1')]
    """
    results = _results(source.json)
    raw = Raw([], tool="google")
    best = [next(iter(records(result.get("alternatives"))), {}) for result in results]
    words = [records(alternative.get("words")) for alternative in best]
    repeated = _repeated(results, words)
    before = 0.0
    for place, (result, alternative, said) in enumerate(zip(results, best, words, strict=True), start=1):
        where = f"result {place}"
        channel = result.get("channelTag")
        several = channel if isinstance(channel, int) and channel > 0 else None
        ends = _seconds(result, RESULT_END)
        if repeated and place < len(results):
            raw.cues.append(Cue(where, None, None, "", dropped="said again in the last result, with its speakers"))
        elif said:
            raw.cues += turns(
                [_word(word, f"{where}, word {n}", several, place) for n, word in enumerate(said, start=1)]
            )
        else:
            start = before if ends is not None else None
            raw.cues.append(
                Cue(
                    where,
                    start,
                    ends,
                    text_of(alternative, "transcript"),
                    confidence=number(alternative.get("confidence")),
                )
            )
        before = ends if ends is not None else before
    return raw


def _results(content: Any) -> list[dict[str, Any]]:
    content = record(content)
    return records(record(content.get("response")).get("results", content.get("results")))


def _repeated(results: list[dict[str, Any]], words: list[list[dict[str, Any]]]) -> bool:
    """Whether the last result says all before it again: it alone knows speakers, and begins before the others end."""
    if len(words) < 2 or not _tagged(words[-1]) or any(map(_tagged, words[:-1])):
        return False
    ends = [_seconds(result, RESULT_END) for result in results[:-1]]
    ends += [_seconds(word, END) for said in words[:-1] for word in said]
    known = [end for end in ends if end is not None]
    return not known or (_seconds(words[-1][0], START) or 0.0) < max(known)


def _tagged(words: list[dict[str, Any]]) -> bool:
    return any(_speaker(word) is not None for word in words)


def _speaker(word: dict[str, Any]) -> str | None:
    value = next((word[key] for key in SPEAKER if key in word), None)
    return None if value in (0, "0") else speaker_of(value)  # speakers count from 1; 0 is protobuf's "not set"


def _seconds(entry: dict[str, Any], keys: tuple[str, ...]) -> float | None:
    value = next((entry[key] for key in keys if key in entry), None)
    if isinstance(value, dict):  # protobuf's own form
        return (number(value.get("seconds")) or 0.0) + (number(value.get("nanos")) or 0.0) / 1e9
    return number(value)


def _word(word: dict[str, Any], place: str, channel: int | None, result: int) -> Spoken:
    start, end = _seconds(word, START), _seconds(word, END)
    if start is None and end is not None:
        start = 0.0  # JSON of protobuf leaves out what is 0
    speaker = _speaker(word) or (f"Channel {channel}" if channel else None)
    return Spoken(place, clean(word.get("word")), start, end, speaker, number(word.get("confidence")), result)
