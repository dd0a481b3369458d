"""Tencent Meeting and WeCom: milliseconds, paragraphs of one speaker, sentences, words."""

from __future__ import annotations

from typing import Any

from fusion.meeting.transcripts.clean import clean
from fusion.meeting.transcripts.clock import milliseconds
from fusion.meeting.transcripts.cue import Cue, Raw
from fusion.meeting.transcripts.fields import id_of, record, records, speaker_of, words_of
from fusion.meeting.transcripts.source import Source
from fusion.meeting.transcripts.turns import HAN_OR_KANA


def matches(source: Source) -> bool:
    """Whether its JSON holds `paragraphs` of `sentences`."""
    return any("sentences" in paragraph for paragraph in _paragraphs(source.json)[:5])


def read(source: Source) -> Raw:
    """All sentences, with their paragraph's speaker.

    >>> from pathlib import Path
    >>> said = '[{"start_time": 1200, "end_time": 1500, "words": [{"text": "我们"}]}]'
    >>> text = '{"paragraphs": [{"speaker_info": {"userid": "zhangsan"}, "sentences": %s}]}' % said
    >>> [(c.start, c.end, c.speaker, c.text) for c in read(Source(Path("a.json"), data=text.encode())).cues]
    [(1.2, 1.5, 'zhangsan', '我们')]
    """
    cues: list[Cue] = []
    for paragraph in _paragraphs(source.json):
        who = record(paragraph.get("speaker_info"))
        speaker = next(
            (
                name
                for key in ("username", "user_name", "nick_name", "userid", "ms_open_id")
                if (name := speaker_of(who.get(key)))
            ),
            None,
        )
        for sentence in records(paragraph.get("sentences")):
            said = [clean(word.get("text")) for word in records(sentence.get("words"))]
            spaced = not any(HAN_OR_KANA.search(word) for word in said)
            text = clean(sentence.get("text")) or (" " if spaced else "").join(said)
            cues.append(
                Cue(
                    f"sentence {len(cues) + 1}", milliseconds(sentence.get("start_time")),
                    milliseconds(sentence.get("end_time")), text, speaker, id_of(sentence.get("sid")),
                    words_of(sentence.get("words"), ("text",), "start_time", "end_time", seconds=milliseconds),
                )
            )  # fmt: skip
    return Raw(cues, tool="wecom")


def _paragraphs(content: Any) -> list[dict[str, Any]]:
    content = record(content)
    for key in ("transcripts", "minutes"):
        if isinstance(content.get(key), dict):
            content = content[key]
    return records(content.get("paragraphs"))
