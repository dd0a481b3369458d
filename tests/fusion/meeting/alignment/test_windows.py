"""Windows: every word is in one, none is longer than it must be, long utterances are cut at their words' times."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from fusion.meeting.alignment.windows import make_pieces, make_windows
from fusion.meeting.minutes.tokens import count_words
from fusion.meeting.transcript import Transcript, Utterance, Word


def _transcript(lengths: list[int]) -> Transcript:
    return Transcript(
        tuple(Utterance(str(n), n, n + 1.0, " ".join(["word"] * k), "AB"[n % 2]) for n, k in enumerate(lengths)), "csv"
    )


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(0, 200), max_size=30), st.integers(5, 120))
def test_windows_cover_every_piece_and_have_enough_words(lengths: list[int], words: int) -> None:
    pieces = make_pieces(_transcript(lengths), most=60)
    assert sum(piece.words for piece in pieces) == sum(lengths)
    assert all(0 < piece.words <= 61 for piece in pieces)
    windows = make_windows(pieces, words=words)
    assert {n for window in windows for n in range(window.first, window.last + 1)} == set(range(len(pieces)))
    enough = min(words, sum(lengths))
    assert all(enough <= count_words(window.said) < words + 61 or len(windows) == 1 for window in windows[:-1])
    assert all(count_words(window.said) >= enough for window in windows)
    assert [window.first for window in windows] == sorted({window.first for window in windows})


def test_a_monologue_is_cut_at_the_times_of_its_words() -> None:
    words = tuple(Word(f"w{n}", 10 + n * n, 10 + n * n + 0.5) for n in range(100))
    said = Utterance("1", 10.0, 9_900.0, " ".join(word.text for word in words), words=words)
    first, second = make_pieces(Transcript((said,), "whisperx"), most=60)
    assert (first.start_s, first.end_s, second.start_s) == (10.0, 10 + 49 * 49 + 0.5, 10 + 50 * 50)


def test_a_script_without_spaces_is_cut_by_characters() -> None:
    said = Utterance("1", 0.0, 100.0, "预算太高了，" * 20)
    pieces = make_pieces(Transcript((said,), "funasr"), most=60)
    assert len(pieces) == 2
    assert "".join(piece.text for piece in pieces) == said.text
    assert (pieces[0].end_s, pieces[1].start_s) == (50.0, 50.0)


def test_names_are_said_once_a_turn() -> None:
    said = (
        Utterance("1", 0, 1, "hello there", "Ann"),
        Utterance("2", 1, 2, "again", "Ann"),
        Utterance("3", 2, 3, "hi", "Bo"),
    )
    [window] = make_windows(make_pieces(Transcript(said, "csv")), words=60)
    assert window.named == "Ann: hello there again Bo: hi"
    assert window.said == "hello there again hi"
