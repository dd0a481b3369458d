"""Many utterances as one estimate: per speaker, topic, item, window and meeting.

Probabilities are pooled, never labels, and every pool says how much it rests on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np

from fusion.meeting.estimate import Estimate
from fusion.valence import ValenceMap

LEAST_UTTERANCES = 5  # fewer carry no estimate: "too little speech"
DRAWS = 2_000
LEVEL = 0.95

TOO_LITTLE = "too little speech"
NOT_FOUND = "not found in what was said"


@dataclass(frozen=True, slots=True)
class Pooled:
    """The expressed emotion of several utterances together.

    scope, name   : what they have in common: "speaker" and who, "topic", "item", "window" or "meeting"
    utterances    : how many there are; `counted` of them count: estimated, and a second or longer
    seconds       : of speech in all of them; `coverage` is the share of it in utterances that count and have a valence
    speakers      : of how many different people those that count are
    probabilities : label -> pooled probability, weighted as `weight_of` says; empty where `withheld` says why
    valence       : of the pooled probabilities, with `interval` = (low, high), a 95 % percentile bootstrap over utterances;
                    None where less than half of the probability has one, in the pool or in many of the draws
    disagreements : utterances whose tone and words disagree
    withheld      : why there are no numbers: too little speech, too few people to hide among, or nothing like it was said
    """

    scope: str
    name: str
    utterances: int = 0
    counted: int = 0
    seconds: float = 0.0
    coverage: float = 0.0
    speakers: int = 0
    probabilities: dict[str, float] = field(default_factory=dict)
    valence: float | None = None
    interval: tuple[float, float] | None = None
    disagreements: int = 0
    withheld: str | None = None

    @property
    def label(self) -> str | None:
        """The label with the largest pooled probability."""
        return max(self.probabilities, key=lambda label: self.probabilities[label]) if self.probabilities else None

    def hidden(self, reason: str) -> Pooled:
        """The same without its numbers."""
        return replace(
            self, probabilities={}, valence=None, interval=None, disagreements=0, coverage=0.0, withheld=reason
        )


def pool(
    estimates: Sequence[Estimate],
    valence: ValenceMap,
    *,
    scope: str,
    name: str,
    least: int = LEAST_UTTERANCES,
    seed: int = 0,
) -> Pooled:
    """Pool utterances, by the weights that they carry. With fewer than `least` that count, there are no numbers.

    >>> from fusion.meeting.transcript import Utterance
    >>> values = ValenceMap("mine", {"angry": -1.0, "happy": 1.0})
    >>> said = Utterance("1", 0.0, 4.0, "well", "anna")
    >>> angry = Estimate(said, {"angry": 0.75, "happy": 0.25}, valence=-0.5, confidence=0.75, weight=3.0)
    >>> together = pool([angry] * 6, values, scope="speaker", name="anna")
    >>> together.valence, together.interval, together.seconds
    (-0.5, (-0.5, -0.5), 24.0)
    >>> pool([angry] * 2, values, scope="speaker", name="anna").withheld
    'too little speech'
    """
    counting = [estimate for estimate in estimates if estimate.weight > 0 and estimate.probabilities]
    seconds = sum(estimate.utterance.seconds for estimate in estimates)
    valued = sum(estimate.utterance.seconds for estimate in counting if estimate.valence is not None)
    # of those who count: a "yes" of half a second beside one person's words makes no two people of them
    people = {estimate.utterance.speaker for estimate in counting} - {None}
    found = Pooled(
        scope=scope,
        name=name,
        utterances=len(estimates),
        counted=len(counting),
        seconds=seconds,
        coverage=valued / seconds if seconds > 0 else 0.0,
        speakers=len(people),
        disagreements=sum(estimate.disagrees for estimate in counting),
    )
    if len(counting) < least:
        return found.hidden(TOO_LITTLE)
    labels = list(counting[0].probabilities)
    weights = np.array([estimate.weight for estimate in counting])
    rows = np.array([[estimate.probabilities.get(label, 0.0) for label in labels] for estimate in counting])
    mean = weights @ rows / weights.sum()
    pooled = dict(zip(labels, map(float, mean), strict=True))
    draws = np.random.default_rng(seed).multinomial(len(counting), np.full(len(counting), 1 / len(counting)), DRAWS)
    drawn = draws * weights @ rows
    values = valence.of_rows(drawn / drawn.sum(axis=1, keepdims=True), labels)
    values = values[~np.isnan(values)]
    tail = 100 * (1 - LEVEL) / 2
    middle = valence(pooled)
    # where many draws have no valence, neither has their spread a meaning
    certain = middle is not None and len(values) >= LEVEL * DRAWS
    low, high = np.percentile(values, [tail, 100 - tail]) if certain else (0.0, 0.0)
    return replace(found, probabilities=pooled, valence=middle, interval=(float(low), float(high)) if certain else None)


def window_spans(duration: float, seconds: float) -> list[tuple[float, float]]:
    """Equal windows over a recording; a rest of less than half a window is joined to the last.

    >>> window_spans(130, 60)
    [(0.0, 60.0), (60.0, 130.0)]
    """
    count = max(1, int(duration / seconds + 0.5))
    edges = [index * seconds for index in range(count)] + [duration]
    return [(float(a), float(b)) for a, b in pairwise(edges)]
