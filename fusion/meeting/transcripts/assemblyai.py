"""AssemblyAI: milliseconds; `utterances` where speakers were asked for, else `sentences`, else words."""

from __future__ import annotations

from fusion.meeting.transcripts.clean import clean
from fusion.meeting.transcripts.clock import milliseconds, number
from fusion.meeting.transcripts.cue import Cue, Raw
from fusion.meeting.transcripts.fields import id_of, records, speaker_of, text_of, words_of
from fusion.meeting.transcripts.source import Source
from fusion.meeting.transcripts.turns import Spoken, turns

OWN_KEYS = {
    "audio_duration",
    "audio_url",
    "language_model",
    "acoustic_model",
    "speech_model",
    "status",
    "speaker_labels",
}


def matches(source: Source) -> bool:
    """Whether its JSON is one of AssemblyAI's transcripts."""
    content = source.json
    if not isinstance(content, dict) or isinstance(content.get("results"), dict):
        return False
    if any(isinstance(content.get(key), list) for key in ("utterances", "sentences")):
        return True
    return isinstance(content.get("words"), list) and bool(OWN_KEYS & set(content))


def read(source: Source) -> Raw:
    """All utterances.

    >>> from pathlib import Path
    >>> text = b'{"utterances": [{"start": 2100, "end": 5400, "text": "So?", "speaker": "A", "confidence": 0.97}]}'
    >>> [(cue.start, cue.end, cue.speaker, cue.confidence) for cue in read(Source(Path("a.json"), data=text)).cues]
    [(2.1, 5.4, 'Speaker A', 0.97)]
    """
    content = source.json
    raw = Raw([], tool="assemblyai", duration_s=number(content.get("audio_duration")))
    spoken = records(content.get("utterances")) or records(content.get("sentences"))
    for place, entry in enumerate(spoken, start=1):
        raw.cues.append(
            Cue(
                f"utterance {place}", milliseconds(entry.get("start")), milliseconds(entry.get("end")),
                text_of(entry, "text"), speaker_of(entry.get("speaker")), id_of(entry.get("id")),
                words_of(entry.get("words"), ("text",), "start", "end", ("confidence",), seconds=milliseconds),
                number(entry.get("confidence")),
            )
        )  # fmt: skip
    if not spoken:
        raw.cues = turns(
            [
                Spoken(
                    f"word {place}", clean(word.get("text")), milliseconds(word.get("start")), milliseconds(word.get("end")),
                    speaker_of(word.get("speaker")), number(word.get("confidence")),
                )
                for place, word in enumerate(records(content.get("words")), start=1)
            ]
        )  # fmt: skip
    return raw
