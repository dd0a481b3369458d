from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fusion.data.transcripts import normalise, transcript_codes


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Okay.", "  okay "),
        ("Don't!", "don’t"),
        ("ｏｋａｙ", "okay"),  # full-width letters
        ("STRASSE", "Straße"),
        ("well,okay", "Well … okay"),
        ("„Ja“", "ja"),
        ("好的。", "好的"),
        ("a\u00a0b", "a b"),
        ("caf\u00e9", "cafe\u0301"),
    ],
)
def test_same_words(one: str, other: str) -> None:
    assert normalise(one) == normalise(other) != ""


@pytest.mark.parametrize(
    ("one", "other"),
    [("kein", "ein"), ("कि", "का"), ("5 $", "5"), ("😀", "😡"), ("?", "!"), ("can not", "cannot")],
)
def test_other_words(one: str, other: str) -> None:
    assert normalise(one) != normalise(other)


@given(st.text())
def test_normalising_twice_changes_nothing(text: str) -> None:
    assert normalise(normalise(text)) == normalise(text)


@given(st.lists(st.one_of(st.none(), st.text("aA.b ", max_size=3))))
def test_codes_agree_with_the_words(texts: list[str | None]) -> None:
    codes = transcript_codes(texts)
    words = [normalise(text) if text is not None else "" for text in texts]
    for i, one in enumerate(words):
        assert (codes[i] == -1) == (one == "")
        for j, other in enumerate(words):
            if one and other:
                assert (codes[i] == codes[j]) == (one == other)
