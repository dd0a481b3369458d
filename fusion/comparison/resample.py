"""The cluster bootstrap of `fusion.evaluation.bootstrap`, of means over seeds; and the p-value that its interval implies.

Several seeds are several models, and each judged the utterances. What is estimated is the mean over seeds of a metric,
as printed in the table: in every draw of speakers the metric is computed for each seed and then averaged. All
judgements of a speaker, of whatever seed, are drawn together, because the speaker is what varies; seeds are not
resampled. Averaging probabilities over seeds would measure an ensemble instead, which is another and better system;
pooling the rows of all seeds would treat the same utterance, judged thrice, as three.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import sqrt

import numpy as np
from scipy.stats import norm, t

from fusion.evaluation.bootstrap import DRAWS, LEVEL, Bootstrap, Draws, calibration_noise, draw_weights, units_of
from fusion.evaluation.metrics import METRICS, total_sums, unflatten, unit_sums
from fusion.evaluation.scored import Floats, Scored

NOTHING = 1e-12  # a difference below it is rounding


def seed_means(
    systems: Mapping[str, Sequence[Scored]], *, draws: int = DRAWS, seed: int = 0, level: float = LEVEL
) -> Bootstrap:
    """Every system's metrics, averaged over its seeds, under the same draws of speakers.

    Args:
        systems: name -> what each of its seeds said. The seeds need not have tested the same rows: a split may follow
            the seed. Names of speakers and ids of utterances mean the same throughout.
        draws, seed, level: as for `bootstrap`, which this equals for a single seed.

    >>> rng = np.random.default_rng(0)
    >>> def system(seed):
    ...     p = np.random.default_rng(seed).dirichlet([1, 1], 60)
    ...     return Scored(ids=list(map(str, range(60))), targets=np.arange(60) % 2, probabilities=p, uncalibrated=p,
    ...                   groups=[str(row % 6) for row in range(60)])
    >>> found = seed_means({"a": [system(1), system(2)], "b": [system(3)]}, draws=200)
    >>> sorted(found.difference("a", "b")["ua"])
    ['high', 'low', 'value']
    """
    speakers: dict[str, str | None] = {}
    for part in (part for parts in systems.values() for part in parts):
        for id, group in zip(part.ids, part.groups or (), strict=True):
            if speakers.get(id) is None:
                speakers[id] = group
    units = units_of(list(speakers.values()), seed=seed)
    place = {id: int(unit) for id, unit in zip(speakers, units.index, strict=True)}
    tables = {
        name: [unit_sums(part, np.array([place[id] for id in part.ids]), units.count) for part in parts]
        for name, parts in systems.items()
    }
    totals = {name: [total_sums(part) for part in parts] for name, parts in systems.items()}
    drawn: dict[str, list[dict[str, Floats]]] = {name: [] for name in systems}
    for weights in draw_weights(units.count, draws, seed):  # (chunk, units)
        for name, parts in systems.items():
            each = []
            with np.errstate(invalid="ignore", divide="ignore"):  # a draw may hold none of the speakers of a seed
                for table, total, part in zip(tables[name], totals[name], parts, strict=True):
                    sums = unflatten(weights @ table, part.classes)
                    each.append({key: metric(sums) for key, metric in METRICS.items()} | calibration_noise(sums, total))
            drawn[name].append({key: np.nanmean([found[key] for found in each], axis=0) for key in each[0]})
    found = {}
    for name in systems:
        joined = {key: np.concatenate([part[key] for part in drawn[name]]) for key in drawn[name][0]}
        found[name] = Draws(
            value={key: float(np.mean([metric(total) for total in totals[name]])) for key, metric in METRICS.items()},
            draws={key: joined[key] for key in METRICS},
            noise={key: joined[f"noise {key}"] for key in ("ece", "ece_uncalibrated")},
        )
    return Bootstrap(units, level, found)


def difference_p(found: Bootstrap, a: str, b: str, metric: str) -> float | None:
    """Two-sided p-value of `a` against `b` in one metric; None where nothing could be resampled."""
    first, second = found.systems[a], found.systems[b]
    value = first.value[metric] - second.value[metric]
    return two_sided_p(value, first.draws[metric] - second.draws[metric], found.units.count)


def two_sided_p(value: float, draws: Floats, units: int) -> float | None:
    """The p-value that belongs to the interval of `Bootstrap`: below α exactly where the 1 - α interval excludes zero.

    Test inversion (Efron & Tibshirani 1993, section 15.4; Davison & Hinkley 1997, section 5.4.1). The interval is cut at
    the share Φ(-√(n / (n - 1)) · t) of the draws (`expanded_tail`); here the share at which it meets zero is known, and
    solved for α. A share is never taken to be less than one in draws + 1, so there is a least p: see `least_p`.

    Args:
        value: the difference.
        draws: (draws,) of it.
        units: how many speakers, or utterances, were resampled.

    >>> rng = np.random.default_rng(0)
    >>> two_sided_p(0.0, rng.normal(size=999), 20), round(two_sided_p(2.0, 2 + rng.normal(size=99_999), 2_000), 2)
    (1.0, 0.05)
    """
    if units < 2:
        return None
    if abs(value) < NOTHING:
        return 1.0
    sign = 1.0 if value > 0 else -1.0
    shifted = np.sort(sign * (draws - 2 * (draws.mean() - value)))  # as the interval is
    beyond = int((shifted <= NOTHING).sum())
    if beyond == len(shifted):
        return 1.0
    position = 0.0
    if beyond:  # between these two of the sorted draws, as np.quantile draws its line
        before, after = float(shifted[beyond - 1]), float(shifted[beyond])
        position = beyond - 1 + max(0.0, -before) / (after - before)
    return _alpha(max(position / (len(shifted) - 1), 1 / (len(shifted) + 1)), units)


def least_p(draws: int, units: int) -> float:
    """The least that `two_sided_p` can be.

    >>> round(least_p(5_000, 5), 3), round(least_p(5_000, 100), 4)
    (0.034, 0.0006)
    """
    return _alpha(1 / (draws + 1), units)


def _alpha(share: float, units: int) -> float:
    """The α whose interval over `units` units is cut at `share`: the inverse of `expanded_tail`."""
    return float(min(1.0, 2 * t.sf(-norm.ppf(share) * sqrt((units - 1) / units), units - 1)))
