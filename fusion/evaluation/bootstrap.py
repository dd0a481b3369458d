"""Intervals: what another draw of speakers might have given.

Utterances of one speaker resemble each other, so speakers are resampled, not utterances: the cluster bootstrap
(Davison & Hinkley 1997, section 3.8; Field & Welsh, JRSS B 2007). Every system sees the same draws, so differences are paired.

Plain percentile intervals are too short for few speakers, and wrong for ECE, whose draws lie above its value because
resampling adds noise and noise adds calibration error. Hence two corrections:
- the percentiles are moved outwards so that a mean over few units gets Student's t coverage: the expanded percentile
  interval (Hesterberg, "What Teachers Should Know About the Bootstrap", The American Statistician 2015);
- the draws are shifted by twice their bias, mean(draws) - value, once to centre them on the value and once to take
  the same bias off the value (Efron & Tibshirani 1993, chapter 10). An ECE within the 95 % of noise that a perfectly
  calibrated system would show gets 0 as its lower end.
Coverage of nominal 95 % intervals in simulation, 6 to 24 speakers: WA 0.85-0.94 plain, 0.94-0.96 corrected; ECE
0.00-0.93 plain, 0.91-0.96 corrected. Paired differences, corrected: 0.91-0.97, but those of ECE 0.84-0.92 only.

An interval speaks of new speakers for the models as they were trained; it does not cover another training seed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Literal

import numpy as np
from scipy.stats import norm, t

from fusion.evaluation.metrics import GREATEST, METRICS, Sums, total_sums, unflatten, unit_sums
from fusion.evaluation.scored import Floats, Ints, Scored

DRAWS = 5_000
LEVEL = 0.95
MIN_SPEAKERS = 5  # below, resampling speakers says next to nothing: 3 of them have 10 different draws
MAX_UNITS = 2_000  # more are put into this many random lots, which leaves the spread of sums as it is
CHUNK = 500  # draws at a time; keeps memory flat

Interval = dict[str, float | None]  # value, low, high


@dataclass(frozen=True)
class Units:
    """What is resampled: `index` (rows,) int64 in 0..count-1, `total` units in `count` lots, and a note for the reader."""

    index: Ints
    count: int
    total: int
    kind: Literal["speaker", "utterance"]
    note: str | None = None


def units_of(groups: Sequence[str | None], *, ids: Sequence[str] | None = None, seed: int = 0) -> Units:
    """Speakers where there are at least MIN_SPEAKERS, else utterances; `note` says why.

    `ids`, (rows,), tell utterances apart: one that several folds or seeds judged is one utterance still.

    >>> units_of(["a", "a", "b", "c", "d", "e"]).kind, units_of(["a", "a", "b", None]).kind
    ('speaker', 'utterance')
    >>> units_of([None] * 4, ids=["x", "y", "x", "y"]).total
    2
    """
    names = list(range(len(groups))) if ids is None else list(ids)
    known = len(set(groups) - {None})
    if known < MIN_SPEAKERS:
        reason = "no speakers are known" if not known else f"only {known} speaker{'s' * (known > 1)} tested"
        why = f"{reason}: utterances were resampled, so the intervals say nothing of new speakers and are too short"
        number = {name: count for count, name in enumerate(dict.fromkeys(names))}
        return _lots(np.array([number[name] for name in names]), len(number), "utterance", why, seed)
    # an utterance of no known speaker is a unit of its own
    keys = [group if group is not None else (name,) for name, group in zip(names, groups, strict=True)]
    number = {key: count for count, key in enumerate(dict.fromkeys(keys))}
    lonely = sum(isinstance(key, tuple) for key in number)
    note = f"{lonely:,} rows of no known speaker each counted as a speaker of their own" if lonely else None
    return _lots(np.array([number[key] for key in keys]), len(number), "speaker", note, seed)


def _lots(index: Ints, count: int, kind: Literal["speaker", "utterance"], note: str | None, seed: int) -> Units:
    total = count
    if total > MAX_UNITS:
        lot = np.random.default_rng(seed).permutation(total) % MAX_UNITS
        index, count = lot[index], MAX_UNITS
    return Units(index.astype(np.int64), count, total, kind, note)


@dataclass(frozen=True)
class Draws:
    """One system: `value[metric]` float, `draws[metric]` (draws,), and for each ECE the `noise` of a calibrated one."""

    value: dict[str, float]
    draws: dict[str, Floats]
    noise: dict[str, Floats]


@dataclass(frozen=True)
class Bootstrap:
    """Every system's metrics under the same draws."""

    units: Units
    level: float
    systems: dict[str, Draws]

    def intervals(self, system: str) -> dict[str, Interval]:
        """{metric: {"value", "low", "high"}} of one system."""
        own = self.systems[system]
        found = {}
        for name, value in own.value.items():
            interval = self._interval(value, own.draws[name], 0.0, GREATEST.get(name, 1.0))
            if name in own.noise and interval["low"] is not None and value <= np.quantile(own.noise[name], self.level):
                interval["low"] = 0.0
            found[name] = interval
        return found

    def difference(self, a: str, b: str) -> dict[str, Interval]:
        """{metric: {"value", "low", "high"}} of `a` minus `b`, draw by draw. For ECE, NLL and Brier, less is better."""
        first, second = self.systems[a], self.systems[b]
        return {
            name: self._interval(
                first.value[name] - second.value[name],
                first.draws[name] - second.draws[name],
                -GREATEST.get(name, 1.0),
                GREATEST.get(name, 1.0),
            )
            for name in METRICS
        }

    def _interval(self, value: float, draws: Floats, least: float, greatest: float) -> Interval:
        if self.units.count < 2:
            return {"value": value, "low": None, "high": None}
        tail = expanded_tail(self.units.count, self.level)
        low, high = np.quantile(draws, [tail, 1 - tail]) - 2 * (draws.mean() - value)
        return {
            "value": value,
            "low": float(np.clip(min(low, value), least, greatest)),
            "high": float(np.clip(max(high, value), least, greatest)),
        }


def expanded_tail(units: int, level: float = LEVEL) -> float:
    """The share to cut off at each end so that the mean of `units` values is covered at `level`.

    Φ(-√(n / (n - 1)) · t), t the upper quantile of Student's distribution with n - 1 degrees of freedom:
    √(n / (n - 1)) because draws spread like the uncorrected standard deviation.

    >>> round(expanded_tail(10), 4), round(expanded_tail(2_000), 3)
    (0.0086, 0.025)
    """
    return float(norm.cdf(-sqrt(units / (units - 1)) * t.ppf((1 + level) / 2, units - 1)))


def bootstrap(systems: Mapping[str, Scored], *, draws: int = DRAWS, seed: int = 0, level: float = LEVEL) -> Bootstrap:
    """Resample the units of the test rows, the same draws for every system.

    Args:
        systems: name -> its outputs; all on the same rows in the same order, else ValueError.
        draws: how many; at 5 speakers the 95 % interval is cut at the 0.001 and 0.999 quantiles.
        seed: of the draws.
        level: of the intervals.

    >>> rng = np.random.default_rng(0)
    >>> p = rng.dirichlet([1, 1, 1], 60)
    >>> system = Scored(ids=list(map(str, range(60))), targets=rng.integers(3, size=60), probabilities=p, uncalibrated=p,
    ...                 groups=[str(row % 6) for row in range(60)])
    >>> sorted(bootstrap({"text": system}, draws=200).intervals("text")["ua"])
    ['high', 'low', 'value']
    """
    first = next(iter(systems.values()))
    for name, scored in systems.items():
        same = (scored.ids, scored.seeds, scored.groups) == (first.ids, first.seeds, first.groups)
        if not same or (scored.targets != first.targets).any():
            raise ValueError(f"expected every system to score the same rows in the same order; {name!r} does not")
    units = units_of(first.groups or (), ids=first.ids, seed=seed)
    tables = {name: unit_sums(scored, units.index, units.count) for name, scored in systems.items()}
    totals = {name: total_sums(scored) for name, scored in systems.items()}
    parts: dict[str, list[dict[str, Floats]]] = {name: [] for name in systems}
    for weights in draw_weights(units.count, draws, seed):  # (chunk, units)
        for name, table in tables.items():
            sums = unflatten(weights @ table, first.classes)
            parts[name].append(
                {key: metric(sums) for key, metric in METRICS.items()} | calibration_noise(sums, totals[name])
            )
    found = {}
    for name in systems:
        joined = {key: np.concatenate([part[key] for part in parts[name]]) for key in parts[name][0]}
        found[name] = Draws(
            value={key: float(metric(totals[name])) for key, metric in METRICS.items()},
            draws={key: joined[key] for key in METRICS},
            noise={key: joined[f"noise {key}"] for key in ("ece", "ece_uncalibrated")},
        )
    return Bootstrap(units, level, found)


def paired_difference(
    a: Scored, b: Scored, *, draws: int = DRAWS, seed: int = 0, level: float = LEVEL
) -> dict[str, Interval]:
    """{metric: {"value", "low", "high"}} of system `a` minus system `b` on the same rows, under the same draws."""
    return bootstrap({"a": a, "b": b}, draws=draws, seed=seed, level=level).difference("a", "b")


def draw_weights(units: int, draws: int, seed: int) -> Iterator[Floats]:
    """(chunk, units) how often each unit came up: sampling with replacement, counted."""
    rng = np.random.default_rng(seed)
    for start in range(0, draws, CHUNK):
        size = min(CHUNK, draws - start)
        drawn = rng.integers(units, size=(size, units)) + np.arange(size)[:, None] * units
        yield np.bincount(drawn.ravel(), minlength=size * units).reshape(size, units).astype(np.float64)


def calibration_noise(sums: Sums, total: Sums) -> dict[str, Floats]:
    """ECE that resampling alone makes: the gap of each bin against that bin's own gap in the whole."""

    def noise(drawn: Floats, whole: Floats) -> Floats:
        return np.abs(drawn / sums.rows[..., None] - whole / total.rows).sum(axis=-1)

    return {
        "noise ece": noise(sums.gaps, total.gaps),
        "noise ece_uncalibrated": noise(sums.gaps_uncalibrated, total.gaps_uncalibrated),
    }
