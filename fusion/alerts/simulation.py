"""Made-up scores on the timing of a real meeting: what would a rule do if the model were only noisy?

How scores are drawn, for each utterance on its own:
- a *false* one, P ~ U(0.5, 1), with a probability that falls with its length: 10 % up to 0.5 s, 5 % from 2 s on, straight
  between. On AMI ES2011a that is 6.5 % of the utterances;
- in an episode, by its speaker, a *hit*, P ~ U(0.5, 1), with probability 0.7;
- all others are low, P ~ 0.5 · Beta(1.2, 3): 0.14 in the mean.
P is the probability of one label; the rest is `neutral`. An utterance is in an episode where they overlap at all.

Errors of real models are not independent: a voice may sound angry all day. `voices` multiplies the chance of a false
score by a speaker, to see what that does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from extractors.errors import InputError
from fusion.alerts.labelled import LabelledEpisode
from fusion.alerts.observation import Observation

LABEL = "angry"
HIT = 0.7  # chance that an utterance of an episode is heard as such
FALSE = (0.10, 0.05)  # chance of a false score: short, long utterances
LENGTHS = (0.5, 2.0)  # s; what is short, what is long
LOW = (1.2, 3.0)  # of the Beta distribution of all other scores, times 0.5


class Turn(NamedTuple):
    """Who speaks when."""

    start_s: float
    end_s: float
    speaker: str


def read_turns(path: str | Path) -> list[Turn]:
    """The turns of an RTTM file, in order of time."""
    turns = []
    for number, line in enumerate(Path(path).read_text(encoding="utf-8").splitlines(), 1):
        fields = line.split()
        if fields[:1] != ["SPEAKER"]:
            continue
        try:
            start, length = float(fields[3]), float(fields[4])
            turns.append(Turn(start, start + length, fields[7]))
        except (ValueError, IndexError) as error:
            raise InputError(f"{path}: line {number} is no turn of RTTM: {line[:60]!r}") from error
    return sorted(turns)


def place_episode(
    turns: Sequence[Turn], random: np.random.Generator, *, seconds: float = 60.0, least_speech_s: float = 10.0
) -> LabelledEpisode:
    """An episode anywhere in the meeting, of any speaker who speaks at least that long in it."""
    speakers = sorted({turn.speaker for turn in turns})
    first, last = turns[0].start_s, max(turn.end_s for turn in turns)
    for _ in range(10_000):
        start, speaker = random.uniform(first, last - seconds), speakers[random.integers(len(speakers))]
        spoken = sum(
            max(0.0, min(turn.end_s, start + seconds) - max(turn.start_s, start))
            for turn in turns
            if turn.speaker == speaker
        )
        if spoken >= least_speech_s:
            return LabelledEpisode(start, start + seconds, LABEL, speaker)
    raise InputError(f"nobody speaks {least_speech_s:g} s within {seconds:g} s")


def simulate(
    turns: Sequence[Turn],
    random: np.random.Generator,
    *,
    episodes: Sequence[LabelledEpisode] = (),
    hit: float = HIT,
    voices: Mapping[str, float] | None = None,
) -> list[Observation]:
    """Observations of the turns, with scores drawn as the module says.

    >>> turns = [Turn(0.0, 3.0, "a"), Turn(3.5, 5.0, "b")]
    >>> [round(one.scores["angry"], 2) for one in simulate(turns, np.random.default_rng(0))]
    [0.04, 0.08]
    """
    lengths = np.array([turn.end_s - turn.start_s for turn in turns])
    chance = np.interp(lengths, LENGTHS, FALSE) * [(voices or {}).get(turn.speaker, 1.0) for turn in turns]
    inside = [
        any(one.start_s < turn.end_s and turn.start_s < one.end_s and one.speaker == turn.speaker for one in episodes)
        for turn in turns
    ]
    high = random.random(len(turns)) < np.where(inside, hit, np.minimum(chance, 1.0))
    scores = np.where(high, random.uniform(0.5, 1.0, len(turns)), 0.5 * random.beta(*LOW, len(turns)))
    return [
        Observation(turn.start_s, turn.end_s, {LABEL: p, "neutral": 1.0 - p}, speaker=turn.speaker, id=str(number))
        for number, (turn, p) in enumerate(zip(turns, scores.tolist(), strict=True))
    ]
