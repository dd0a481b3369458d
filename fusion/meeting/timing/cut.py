"""Where to cut an utterance that is too long: between words, else where the recording is quietest, else evenly."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from fusion.meeting.transcript import Utterance
from fusion.meeting.transcripts.assemble import HAN_OR_KANA

PLAY = 0.3  # of an even piece: how far a cut may move to find a pause
FRAME = 0.02  # s
PAUSE = 0.2  # s over which the recording's level is averaged: shorter silences are closures within words
LEAST_GAP = 0.05  # s between two words; less is no pause


def cut_points(
    utterance: Utterance, longest_s: float, samples: NDArray[np.floating] | None = None, sampling_rate: int = 16_000
) -> list[float]:
    """Times, in order, that divide the utterance into the fewest pieces of at most `longest_s`.

    >>> cut_points(Utterance("1", 10.0, 80.0, "…"), 30.0)
    [33.333333, 56.666667]
    """
    cuts: list[float] = []
    start, end = utterance.start_s, utterance.end_s
    pieces = math.ceil((end - start) / longest_s - 1e-9)
    for left in range(pieces, 1, -1):
        even = (end - start) / left
        earliest = max(start + (1 - PLAY) * even, end - (left - 1) * longest_s)
        latest = min(start + (1 + PLAY) * even, start + longest_s)
        found = _between_words(utterance, earliest, latest)
        if found is None and samples is not None:
            found = _quietest(samples, sampling_rate, earliest, latest)
        start = round(min(max(start + even if found is None else found, earliest), latest), 6)
        cuts.append(start)
    return cuts


def cut_text(utterance: Utterance, cuts: Sequence[float]) -> list[str]:
    """The text of each piece: by its words' times where every word has one, else by the pieces' lengths; no word is lost.

    >>> cut_text(Utterance("1", 0.0, 40.0, "one two three four"), [20.0])
    ['one two', 'three four']
    """
    units = utterance.text.split()
    space = " "
    if len(HAN_OR_KANA.findall(utterance.text)) > len(utterance.text) / 2:  # written without spaces
        units, space = [sign for sign in utterance.text if sign != " "], ""
    if len(utterance.words) == len(units):
        at = [(word.start_s + word.end_s) / 2 for word in utterance.words]
    else:
        lengths = np.array([len(unit) + len(space) for unit in units], dtype=np.float64)
        middle = (np.cumsum(lengths) - lengths / 2) / max(lengths.sum(), 1.0)
        at = list(utterance.start_s + middle * utterance.seconds)
    pieces: list[list[str]] = [[] for _ in range(len(cuts) + 1)]
    for unit, piece in zip(units, np.searchsorted(np.array(cuts), np.array(at)), strict=True):
        pieces[int(piece)].append(unit)
    return [space.join(piece) for piece in pieces]


def _between_words(utterance: Utterance, earliest: float, latest: float) -> float | None:
    """The middle of the longest gap between words that lies in this stretch."""
    best, where = LEAST_GAP, None
    for before, after in pairwise(utterance.words):
        middle, gap = (before.end_s + after.start_s) / 2, after.start_s - before.end_s
        if earliest <= middle <= latest and gap > best:
            best, where = gap, middle
    return where


def _quietest(samples: NDArray[np.floating], sampling_rate: int, earliest: float, latest: float) -> float | None:
    size = round(FRAME * sampling_rate)
    first = round(earliest * sampling_rate)
    part = np.asarray(samples[first : round(latest * sampling_rate)], dtype=np.float64)
    frames = len(part) // size
    width = round(PAUSE / FRAME)
    if frames <= width:
        return None
    power = np.mean(np.square(part[: frames * size].reshape(frames, size)), axis=1)
    averaged = np.convolve(power, np.ones(width) / width, mode="valid")
    return earliest + (int(np.argmin(averaged)) + width / 2) * FRAME
