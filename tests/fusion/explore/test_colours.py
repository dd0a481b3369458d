from __future__ import annotations

import re

from fusion.explore.colours import COLOURS, CYCLE, HATCHES, colour_of, colours_of, hatches_of


def test_the_nine_are_those_of_the_house_and_all_different():
    assert colour_of("angry") == "#D55E00"
    assert colour_of("Sadness") == colour_of("sad") == "#0072B2"
    assert len(set(COLOURS.values())) == len(COLOURS) == len(set(HATCHES.values())) == 9


def test_unknown_labels_have_a_colour_of_their_own():
    names = [f"mood {i}" for i in range(8)]
    assert len(set(colours_of(names).values())) == 8
    assert not set(colours_of(names).values()) & set(COLOURS.values())
    assert colour_of("flat") in CYCLE
    assert all(re.fullmatch("#[0-9A-F]{6}", colour) for colour in colours_of(["", "x", "怒り"]).values())
    assert list(hatches_of(["a", "angry"])) == ["a", "angry"]
