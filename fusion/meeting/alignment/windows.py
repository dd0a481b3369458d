"""A transcript as overlapping windows of some words: what an item of the minutes is compared with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from fusion.meeting.minutes.tokens import count_words
from fusion.meeting.transcript import Transcript, Utterance


@dataclass(frozen=True, slots=True)
class Piece:
    """An utterance, or a part of a long one. `number` is the utterance's in the transcript."""

    number: int
    speaker: str | None
    text: str
    words: int
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class Window:
    """Neighbouring pieces, `first` to `last` of them, both included.

    said  : their words
    named : the same, with each turn's speaker's name before it
    """

    first: int
    last: int
    said: str
    named: str
    start_s: float
    end_s: float


def make_pieces(transcript: Transcript, *, most: int = 60) -> list[Piece]:
    """Utterances that have words, in order of time; one of more than `most` words is cut into even parts, at the times
    of its words where it has them, else in proportion to them."""
    found = [piece for number, said in enumerate(transcript.utterances) for piece in _cut(number, said, most)]
    return sorted(found, key=lambda piece: (piece.start_s, piece.number))


def make_windows(pieces: Sequence[Piece], *, words: int) -> list[Window]:
    """Windows of at least `words` words over all the pieces, each half a window after the one before.

    The last one reaches back far enough to be as long as the others.

    >>> from fusion.meeting.transcript import Transcript, Utterance
    >>> said = [Utterance(str(n), n, n + 1.0, "one two three", speaker="Ann") for n in range(4)]
    >>> windows = make_windows(make_pieces(Transcript(tuple(said), "csv")), words=6)
    >>> [(window.first, window.last) for window in windows], windows[0].named
    ([(0, 1), (1, 2), (2, 3)], 'Ann: one two three one two three')
    """
    windows: list[Window] = []
    start = 0
    while start < len(pieces):
        end, total = start, 0
        while end < len(pieces) and total < words:
            total += pieces[end].words
            end += 1
        while end == len(pieces) and start and total < words:
            start -= 1
            total += pieces[start].words
        if windows and windows[-1].first == start:  # a rest too small to be told from the window before
            windows.pop()
        windows.append(_window(pieces, start, end))
        if end == len(pieces):
            break
        start = _middle(pieces, start, total)
    return windows


def _middle(pieces: Sequence[Piece], start: int, total: int) -> int:
    """The first piece that begins in the second half of a window."""
    passed, position = 0, start
    while passed < total / 2:
        passed += pieces[position].words
        position += 1
    return position


def _window(pieces: Sequence[Piece], start: int, end: int) -> Window:
    named: list[str] = []
    speaker = None
    for piece in pieces[start:end]:
        named.append(f"{piece.speaker}: {piece.text}" if piece.speaker and piece.speaker != speaker else piece.text)
        speaker = piece.speaker
    said = " ".join(piece.text for piece in pieces[start:end])
    start_s, end_s = pieces[start].start_s, max(piece.end_s for piece in pieces[start:end])
    return Window(start, end - 1, said, " ".join(named), start_s, end_s)


def _cut(number: int, said: Utterance, most: int) -> Iterator[Piece]:
    words = count_words(said.text)
    if not words:
        return
    between = " "
    units: Sequence[str] = said.text.split()
    if len(units) < words / 2:  # a script without spaces
        between, units = "", said.text.strip()
    parts = min(-(-words // most), len(units))
    bounds = [round(part * len(units) / parts) for part in range(parts + 1)]
    timed = said.words if len(said.words) == len(units) else ()
    for first, last in pairwise(bounds):
        text = between.join(units[first:last])
        start_s, end_s = (said.start_s + said.seconds * bound / len(units) for bound in (first, last))
        if timed and parts > 1:
            start_s, end_s = timed[first].start_s, timed[last - 1].end_s
        yield Piece(number, said.speaker, text, count_words(text), start_s, end_s)
