"""A transcript from a list of turns."""

from __future__ import annotations

from collections.abc import Sequence

from fusion.meeting.transcript import Transcript, Utterance, Word


def transcript(*turns: tuple[float, float, str | None] | tuple[float, float, str | None, str]) -> Transcript:
    """(start, end, speaker[, text]) each."""
    said = tuple(
        Utterance(str(n), turn[0], turn[1], turn[3] if len(turn) > 3 else "so be it", turn[2])
        for n, turn in enumerate(turns, start=1)
    )
    return Transcript(said, "demo", cues=len(said), has_speakers=any(turn[2] for turn in turns))


def words(text: str, times: Sequence[tuple[float, float]]) -> tuple[Word, ...]:
    """The words of `text` with these times."""
    return tuple(Word(word, start, end) for word, (start, end) in zip(text.split(), times, strict=True))
