"""From a reader's cues to a transcript: what every format has in common, done once.

Flags set here
    no_end           : the file gives no end; the next cue and the length of the text say about where it is
    end_before_start : likewise, as the file's end lies before its start
    zero_length      : start and end are the same; kept for its words, it has no sound
    clipped_start    : began before the recording's second 0
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable

from extractors.errors import InputError
from fusion.meeting.transcript import LeftOut, Transcript, Utterance, Word
from fusion.meeting.transcripts.clean import clean
from fusion.meeting.transcripts.cue import Cue, Raw

WORDS_PER_SECOND = 2.0  # unhurried talk; an end that must be guessed had better not be too early
SIGNS_PER_SECOND = 4.0  # Chinese and Japanese, which write no spaces
SHORTEST_GUESS = 1.0  # s
LATEST = 1e9  # s; milliseconds of eleven days, taken for seconds, still pass, so that the check of times can say so
HAN_OR_KANA = re.compile("[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]")


def assemble(raw: Raw, format: str, *, offset: float = 0.0) -> Transcript:
    """A transcript of a reader's cues: `offset` seconds added, in order of time, every cue accounted for.

    Raises InputError where no cue gives an utterance.

    >>> cues = [Cue("line 4", 3.0, None, "two"), Cue("line 1", 0.0, 2.0, "one"), Cue("line 7", None, None, "lost")]
    >>> read = assemble(Raw(cues), "demo")
    >>> [(u.id, u.start_s, u.end_s, u.text, u.flags) for u in read.utterances]
    [('2', 0.0, 2.0, 'one', ()), ('1', 3.0, 4.0, 'two', ('no_end',))]
    >>> read.left_out
    (LeftOut(place='line 7', reason='no start time'),)
    """
    kept: list[tuple[Cue, float, float | None, str]] = []
    left_out: list[LeftOut] = []
    for cue in raw.cues:
        text = clean(cue.text)
        start, end = _times(cue)
        reason = cue.dropped or _reason(start, end, text, offset, raw.textless)
        if reason is None and start is not None:
            kept.append((cue, start + offset, None if end is None else end + offset, text))
        else:
            left_out.append(LeftOut(cue.place, reason or "no start time"))
    ids = _ids(raw.cues)
    starts = sorted(start for _, start, _, _ in kept)
    utterances = [_utterance(cue, start, end, text, ids[id(cue)], starts, offset) for cue, start, end, text in kept]
    utterances.sort(key=lambda u: (u.start_s, u.end_s))
    if not utterances:
        raise InputError(f"{format}: no cue gives an utterance", [f"{o.place}: {o.reason}" for o in left_out])
    parts = sum(cue.part for cue in raw.cues)
    joins = sum(cue.joined for cue in raw.cues)
    return Transcript(
        utterances=tuple(utterances),
        format=format,
        tool=raw.tool,
        duration_s=raw.duration_s,
        absolute_start=raw.absolute_start,
        offset_s=offset,
        has_end_times=not any("no_end" in u.flags for u in utterances),
        has_speakers=any(u.speaker is not None for u in utterances),
        cues=len(raw.cues) - parts + joins,
        left_out=tuple(left_out),
        splits=parts,
        joins=joins,
    )


def _times(cue: Cue) -> tuple[float | None, float | None]:
    """The cue's own times; where one is missing, its words'."""
    start, end = cue.start, cue.end
    if cue.words:
        start = min(w.start_s for w in cue.words) if start is None else start
        end = max(w.end_s for w in cue.words) if end is None else end
    return start, end


def _reason(start: float | None, end: float | None, text: str, offset: float, textless: bool) -> str | None:
    if not text and not textless:
        return "no text"
    if start is None:
        return "no start time"
    if not -LATEST < start < LATEST or (end is not None and not -LATEST < end < LATEST):
        return f"its time, {start:g} s, is no time of a recording"
    last = start if end is None else max(start, end)
    if last + offset < 0 or (last + offset == 0 and start < 0):
        return f"ends before the recording's second 0 ({last + offset:.2f} s)"
    return None


def _utterance(
    cue: Cue, start: float, end: float | None, text: str, name: str, starts: list[float], offset: float
) -> Utterance:
    flags = list(cue.flags)
    if end is not None and end < start:
        flags.append("end_before_start")
        end = None
    elif end is None:
        flags.append("no_end")
    if end is None:
        end = start + spoken_seconds(text)
        after = bisect_right(starts, start)
        if after < len(starts):
            end = min(end, starts[after])
    elif end == start:
        flags.append("zero_length")
    if start < 0:
        flags.append("clipped_start")
        start = 0.0
        end = max(end, 0.0)
    words = cue.words
    if offset and words:
        words = tuple(
            Word(w.text, max(w.start_s + offset, 0.0), max(w.end_s + offset, 0.0), w.confidence) for w in words
        )
    confidence = None if cue.confidence is None else min(max(cue.confidence, 0.0), 1.0)
    speaker = clean(cue.speaker) or None
    return Utterance(
        name, round(start, 6), round(end, 6), text, speaker, words, confidence, tuple(dict.fromkeys(flags))
    )


def spoken_seconds(text: str) -> float:
    """About how long it takes to say `text`: seconds, at least `SHORTEST_GUESS`.

    >>> spoken_seconds("one two three four"), spoken_seconds("我们先看一下预算")
    (2.0, 2.0)
    """
    signs = len(HAN_OR_KANA.findall(text))
    words = len(HAN_OR_KANA.sub(" ", text).split())
    return max(words / WORDS_PER_SECOND + signs / SIGNS_PER_SECOND, SHORTEST_GUESS)


def _ids(cues: Iterable[Cue]) -> dict[int, str]:
    """A name of its own for every cue: the file's, else its number; a part "7.2" of cue "7"."""
    cues = list(cues)
    given = Counter(clean(cue.id) for cue in cues if cue.id and not cue.part)
    names: dict[int, str] = {}
    used = {name for name, times in given.items() if times == 1}
    next_number: Counter[str] = Counter()
    whole, part, counted = "", 1, 0
    for cue in cues:
        if cue.part:
            part += 1
            name = f"{whole}.{part}"
        else:
            counted, part = counted + 1, 1
            name = clean(cue.id) or str(counted)
        own = not cue.part and bool(clean(cue.id)) and given[name] == 1
        if not own:
            wanted = name
            while name in used:
                next_number[wanted] += 1
                name = f"{wanted}-{next_number[wanted] + 1}"
        if not cue.part:
            whole = name
        used.add(name)
        names[id(cue)] = name
    return names
