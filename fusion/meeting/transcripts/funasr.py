"""FunASR's `sentence_info`: milliseconds, speakers from 0, the text under `text` or `sentence`.

Flags set here
    fallback_speaker : FunASR calls whom it cannot tell 0 too, and nobody but 0 speaks in this file
"""

from __future__ import annotations

import re
from typing import Any

from fusion.meeting.transcript import Word
from fusion.meeting.transcripts.clock import milliseconds
from fusion.meeting.transcripts.cue import Cue, Raw
from fusion.meeting.transcripts.fields import records, speaker_of, text_of
from fusion.meeting.transcripts.source import Source

SENSEVOICE_TAG = re.compile(
    r"<\|[^<>|]{0,40}\|>"
)  # <|zh|><|ANGRY|><|Speech|><|withitn|>: what SenseVoice guessed, no words


def matches(source: Source) -> bool:
    """Whether its JSON holds `sentence_info`."""
    return bool(_results(source.json))


def read(source: Source) -> Raw:
    """All sentences.

    >>> from pathlib import Path
    >>> text = b'[{"sentence_info": [{"sentence": "<|en|>So.", "start": 380, "end": 2150, "spk": 1}]}]'
    >>> [(cue.start, cue.end, cue.speaker, cue.text) for cue in read(Source(Path("a.json"), data=text)).cues]
    [(0.38, 2.15, 'Speaker 1', 'So.')]
    """
    cues: list[Cue] = []
    for result in _results(source.json):
        for sentence in records(result["sentence_info"]):
            text = SENSEVOICE_TAG.sub("", text_of(sentence, "text", "sentence"))
            cues.append(
                Cue(
                    f"sentence {len(cues) + 1}", milliseconds(sentence.get("start")), milliseconds(sentence.get("end")),
                    text, speaker_of(sentence.get("spk")), words=_words(text, sentence.get("timestamp")),
                )
            )  # fmt: skip
    if {cue.speaker for cue in cues} == {"Speaker 0"}:
        for cue in cues:
            cue.flags = (*cue.flags, "fallback_speaker")
    return Raw(cues, tool="funasr")


def _results(content: Any) -> list[dict[str, Any]]:
    results = records(content if isinstance(content, list) else [content])
    return [result for result in results if isinstance(result.get("sentence_info"), list)]


def _words(text: str, times: Any) -> tuple[Word, ...]:
    """A time for each word or Chinese sign, where there are as many times as that; else none."""
    units = re.findall(r"[\u3400-\u9fff]|[^\W\u3400-\u9fff]+(?:['’][^\W\u3400-\u9fff]+)?", text)
    if not isinstance(times, list) or len(times) != len(units):
        return ()
    words = []
    for unit, pair in zip(units, times, strict=True):
        if not isinstance(pair, list) or len(pair) != 2:
            return ()
        start, end = map(milliseconds, pair)
        if start is None or end is None or end < start:
            return ()
        words.append(Word(unit, start, end))
    return tuple(words)
