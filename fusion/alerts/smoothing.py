"""A mean of what was said lately: exponential in time, weighted, and the same for an utterance as for its frames."""

from __future__ import annotations

import math


class Smoother:
    """Exponential mean over time: N(t) / D(t), D(t) = ∫ rate(s) · exp(-(t - s) / tau) ds over the speech until t.

    An utterance of constant score adds what its frames add together. D is the weighted speech in memory, in seconds:
    how much the mean rests on. Both fade in silence, so their ratio stays.

    >>> whole, parts = Smoother(20.0), Smoother(20.0)
    >>> whole.add(8.0, [(0.0, 1.0, 0.9)])
    >>> for frame in range(400):
    ...     parts.add((frame + 1) * 0.02, [(frame * 0.02, 1.0, 0.9)])
    >>> round(whole.evidence, 9) == round(parts.evidence, 9), round(whole.level, 9)
    (True, 0.9)
    """

    __slots__ = ("_time", "_weighted", "evidence", "tau")

    def __init__(self, tau: float) -> None:
        self.tau = tau  # s
        self.evidence = 0.0  # s, D
        self._weighted = 0.0  # N
        self._time = 0.0

    def add(self, end: float, parts: list[tuple[float, float, float]]) -> None:
        """Hear all that ends at `end` s: (start, weight of a second, value) of each. `end` never goes back."""
        tau = self.tau
        if tau > 0:
            fade = math.exp((self._time - end) / tau)
            weights = [rate * tau * -math.expm1((start - end) / tau) for start, rate, _ in parts]
        else:
            fade = 0.0
            weights = [rate * (end - start) for start, rate, _ in parts]
        # fsum: exact, so that the order of what ends together leaves no trace
        if len(parts) == 1:
            more, weighted = weights[0], weights[0] * parts[0][2]
        else:
            more = math.fsum(weights)
            weighted = math.fsum(weight * part[2] for weight, part in zip(weights, parts, strict=True))
        self.evidence = self.evidence * fade + more
        self._weighted = self._weighted * fade + weighted
        self._time = end

    @property
    def level(self) -> float:
        """N / D; NaN while nothing was heard."""
        return self._weighted / self.evidence if self.evidence > 0 else math.nan
