"""The signal that a rule watches: a weighted sum of labels and of `valence`, read by a grammar of its own.

signal = ["+" | "-"] term { ("+" | "-") term }
term   = [number "*"] name | name "*" number
name   = a word, or anything in single or double quotes; the bare word `valence` is the valence
when   = signal (">" | ">=" | "<" | "<=") number ["for" number ("s" | "min") ["of speech"]]
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from extractors.errors import InputError

VALENCE = "valence"

Direction = Literal["above", "below"]

_NUMBER = r"(?:\d+\.?\d*|\.\d+)"
_TOKEN = re.compile(
    rf"\s*(?:(?P<number>{_NUMBER})(?![\w.])|(?P<quoted>'[^']+'|\"[^\"]+\")|(?P<word>\w+)|(?P<sign>[-+*−]))"
)
_WHEN = re.compile(
    rf"(?P<signal>.*?[^<>=\s])\s*(?P<compare>>=|<=|>|<)\s*(?P<on>[-+−]?{_NUMBER})"
    rf"(?:\s+for\s+(?P<length>{_NUMBER})\s*(?P<unit>s|sec|seconds|min|minutes)(?:\s+of\s+speech)?)?",
    re.DOTALL,
)


@dataclass(frozen=True)
class Signal:
    """Σ weight · probability of a label, and `valence` · the valence of all.

    text : as it was written
    weights : label -> weight
    valence : weight of the valence; 0 where the signal has none
    """

    text: str
    weights: Mapping[str, float]
    valence: float = 0.0

    def value(self, scores: Mapping[str, float], valence: float | None) -> float | None:
        """The signal's value, of scores with that valence; None where it needs one and there is none. KeyError where a
        label is missing."""
        total = 0.0
        for label, weight in self.weights.items():
            total += weight * scores[label]
        if self.valence:
            if valence is None:
                return None
            total += self.valence * valence
        return total

    def on(self, labels: Collection[str]) -> Signal:
        """The same, with labels that there are not counting as 0."""
        return replace(self, weights={label: weight for label, weight in self.weights.items() if label in labels})

    def reach(self) -> tuple[float, float]:
        """The least and the largest value that probabilities, which sum to 1 at most, can give.

        >>> read_signal("angry + 0.5 * fearful - happy").reach()
        (-1.0, 1.0)
        """
        low, high = min(0.0, *self.weights.values(), 0.0), max(0.0, *self.weights.values(), 0.0)
        return low - abs(self.valence), high + abs(self.valence)


def read_signal(text: str) -> Signal:
    """A signal as it is written in a rule.

    >>> read_signal("angry + 2 * 'very sad' - valence")
    Signal(text="angry + 2 * 'very sad' - valence", weights={'angry': 1.0, 'very sad': 2.0}, valence=-1.0)
    >>> read_signal("angry fearful")
    Traceback (most recent call last):
    extractors.errors.InputError: signal 'angry fearful': expected + or - before 'fearful'
    """
    tokens = _tokens(text)
    weights: dict[str, float] = {}
    valence = 0.0
    position, first = 0, True
    while position < len(tokens) or first:
        sign = 1.0
        if position < len(tokens) and tokens[position] in (("sign", "+"), ("sign", "-")):
            sign = -1.0 if tokens[position][1] == "-" else 1.0
            position += 1
        elif not first:
            raise InputError(f"signal {text!r}: expected + or - before {tokens[position][1]!r}")
        first = False
        taken, weight, (kind, name) = _term(tokens[position:], text)
        position += taken
        if kind == "word" and name == VALENCE:
            valence += sign * weight
        else:
            weights[name] = weights.get(name, 0.0) + sign * weight
    if not valence and not any(weights.values()):
        raise InputError(f"signal {text!r}: nothing is left of it")
    return Signal(text, {label: weight for label, weight in weights.items() if weight}, valence)


def read_when(text: str) -> tuple[Signal, Direction, float, float | None]:
    """A rule in one line: its signal, direction, threshold, and seconds of speech where it says so.

    >>> read_when("angry + fearful > 0.7 for 5 s of speech")[1:]
    ('above', 0.7, 5.0)
    """
    found = _WHEN.fullmatch(text.strip())
    if found is None:
        raise InputError(
            f"when {text!r}: expected a signal, > or <, a number, and perhaps a length",
            hint='Such as "angry + fearful > 0.7 for 5 s of speech", or "valence < -0.5".',
        )
    seconds = None
    if found["length"]:
        seconds = float(found["length"]) * (60.0 if found["unit"].startswith("min") else 1.0)
    direction: Direction = "above" if found["compare"].startswith(">") else "below"
    return read_signal(found["signal"]), direction, float(found["on"].replace("−", "-")), seconds


def _tokens(text: str) -> list[tuple[str, str]]:
    tokens: list[tuple[str, str]] = []
    position = 0
    while position < len(text.rstrip()):
        found = _TOKEN.match(text, position)
        if found is None:
            raise InputError(f"signal {text!r}: {text[position:].strip()[:12]!r} is not understood")
        kind = str(found.lastgroup)
        token = found[kind]
        tokens.append((kind, token[1:-1] if kind == "quoted" else "-" if token == "−" else token))
        position = found.end()
    return tokens


def _term(tokens: list[tuple[str, str]], text: str) -> tuple[int, float, tuple[str, str]]:
    """How many tokens the term takes, its weight, its name."""
    kinds = [kind for kind, _ in tokens[:3]]
    times = len(tokens) > 1 and tokens[1] == ("sign", "*")
    if kinds[:1] == ["number"]:
        if times and kinds[2:] and kinds[2] in ("word", "quoted"):
            return 3, float(tokens[0][1]), tokens[2]
        raise InputError(f"signal {text!r}: expected '* label' after {tokens[0][1]}")
    if kinds[:1] and kinds[0] in ("word", "quoted"):
        if times and kinds[2:] != ["number"]:
            raise InputError(f"signal {text!r}: expected a number after '{tokens[0][1]} *'")
        return (3, float(tokens[2][1]), tokens[0]) if times else (1, 1.0, tokens[0])
    came = f"{tokens[0][1]!r}" if tokens else "the end"
    raise InputError(f"signal {text!r}: expected a label, got {came}")
