"""One colour and one mark a label, everywhere: Okabe and Ito's, told apart by the colour-blind. Never colour alone."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b

COLOURS = {
    "angry": "#D55E00",
    "disgusted": "#CC79A7",
    "fearful": "#009E73",
    "happy": "#F0E442",
    "neutral": "#999999",
    "other": "#E69F00",
    "sad": "#0072B2",
    "surprised": "#56B4E9",
    "unknown": "#000000",
}
CYCLE = ("#882255", "#44AA99", "#117733", "#AA4499", "#332288", "#DDCC77", "#88CCEE", "#661100")  # Tol's muted
HATCHES = {
    "angry": "//",
    "disgusted": "xx",
    "fearful": "..",
    "happy": "",
    "neutral": "--",
    "other": "++",
    "sad": "\\\\",
    "surprised": "oo",
    "unknown": "**",
}
HATCH_CYCLE = ("||", "//", "..", "xx", "\\\\", "--", "oo", "++")
_SAME = {  # what corpora call the same
    "anger": "angry",
    "disgust": "disgusted",
    "fear": "fearful",
    "happiness": "happy",
    "joy": "happy",
    "sadness": "sad",
    "surprise": "surprised",
    "<unk>": "unknown",
}


def colour_of(label: str) -> str:
    """#rrggbb of a label; one that is not known gets its own from a fixed cycle, by its name alone.

    >>> colour_of("angry"), colour_of("Anger"), colour_of("frustrated") == colour_of("frustrated")
    ('#D55E00', '#D55E00', True)
    """
    name = _plain(label)
    return COLOURS.get(name) or CYCLE[_place(name, len(CYCLE))]


def colours_of(labels: Sequence[str]) -> dict[str, str]:
    """label -> #rrggbb for labels that are shown together: two unknown ones get the same only if there are more than eight.

    >>> colours_of(["sad", "bored", "tense"])["sad"], len(set(colours_of(["bored", "tense", "flat"]).values()))
    ('#0072B2', 3)
    """
    return _spread(labels, COLOURS, CYCLE)


def hatches_of(labels: Sequence[str]) -> dict[str, str]:
    """label -> matplotlib's hatch, so that areas are told apart without colour."""
    return _spread(labels, HATCHES, HATCH_CYCLE)


def _spread(labels: Sequence[str], known: dict[str, str], cycle: Sequence[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for label in labels:
        name = _plain(label)
        if name in known:
            found[label] = known[name]
            continue
        place = _place(name, len(cycle))
        order = [*cycle[place:], *cycle[:place]]
        found[label] = next((entry for entry in order if entry not in found.values()), order[0])
    return found


def _plain(label: str) -> str:
    name = label.strip().casefold()
    return _SAME.get(name, name)


def _place(name: str, many: int) -> int:
    """The same on every machine and in every run, unlike `hash`."""
    return int.from_bytes(blake2b(name.encode(), digest_size=4).digest()) % many
