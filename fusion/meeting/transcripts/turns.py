"""Single words joined to turns, for files that hold nothing larger."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from fusion.meeting.transcript import Word
from fusion.meeting.transcripts.assemble import HAN_OR_KANA
from fusion.meeting.transcripts.cue import Cue

PAUSE = 1.0  # s between two words of different turns
LONGEST = 20.0  # s; then a turn ends with its sentence, if it has one
SENTENCE_END = re.compile(r"[.?!。？！…][\"”’)]*$")
PUNCTUATION = re.compile(r"[^\w\s]{1,3}$")


class Spoken(NamedTuple):
    """One word or mark of the file. `start` is None for marks, which have no time. `turn`: a known boundary's name."""

    place: str
    text: str
    start: float | None
    end: float | None
    speaker: str | None = None
    confidence: float | None = None
    turn: object = None


def turns(spoken: Sequence[Spoken], *, pause: float = PAUSE) -> list[Cue]:
    """Cues of words that follow each other: same speaker, same `turn`, no pause, not endless.

    A word of its own without a time is left out; a mark (",", ".") belongs to the word before it.

    >>> words = [Spoken("item 1", "Yes", 0.5, 0.9, "A"), Spoken("item 2", ".", None, None), Spoken("item 3", "No", 1, 2, "B")]
    >>> [(cue.text, cue.speaker, cue.joined) for cue in turns(words)]
    [('Yes.', 'A', 1), ('No', 'B', 0)]
    """
    cues: list[Cue] = []
    said: list[Spoken] = []
    for word in spoken:
        if word.start is None and said and PUNCTUATION.match(word.text):
            said.append(word)
        elif word.start is None:
            cues.append(
                Cue(word.place, None, None, word.text, dropped="no start time" if word.text.strip() else "no text")
            )
        else:
            if said and _ends(said, word, pause):
                cues.append(_cue(said))
                said = []
            said.append(word)
    return [*cues, _cue(said)] if said else cues


def _ends(said: Sequence[Spoken], word: Spoken, pause: float) -> bool:
    first, last = said[0], next(w for w in reversed(said) if w.start is not None)
    if (word.speaker, word.turn) != (last.speaker, last.turn):
        return True
    start, begun = word.start or 0.0, first.start or 0.0
    before = last.end if last.end is not None else (last.start or 0.0)
    if start - before > pause or start < begun:
        return True
    return start - begun > LONGEST and (bool(SENTENCE_END.search(said[-1].text)) or start - begun > 1.5 * LONGEST)


def _cue(said: Sequence[Spoken]) -> Cue:
    text = ""
    for word in said:
        glued = word.start is None or not text or bool(HAN_OR_KANA.match(text[-1]) and HAN_OR_KANA.match(word.text[:1]))
        text += word.text if glued else f" {word.text}"
    timed = [w for w in said if w.start is not None]
    words = tuple(
        Word(w.text, w.start, w.end, w.confidence)
        for w in timed
        if w.start is not None and w.end is not None and w.end >= w.start
    )
    known = [w.confidence for w in timed if w.confidence is not None]
    ends = [w.end for w in timed if w.end is not None]
    return Cue(
        said[0].place, timed[0].start, max(ends) if ends else None, text, timed[0].speaker, None, words,
        sum(known) / len(known) if known else None, joined=len(said) - 1,
    )  # fmt: skip
