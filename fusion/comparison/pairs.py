"""Any two rows against each other: on the same utterances, by the bootstrap over speakers and by McNemar's test."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from itertools import combinations
from math import gcd

import numpy as np

from fusion.comparison.mcnemar import McNemar, holm, mcnemar
from fusion.comparison.resample import difference_p, seed_means
from fusion.comparison.rows import Row
from fusion.comparison.run import METRICS, Key, Replicate
from fusion.evaluation.bootstrap import Bootstrap, Units
from fusion.evaluation.scored import Ints, Scored

SHOWN = 3  # utterances named in a refusal


@dataclass(frozen=True)
class Match:
    """What two rows have in common.

    a, b    : the judgements of each seed, cut down to what is shared
    seeds   : the seeds that were paired with each other; None where every seed tested the same rows, so that none is
    common  : utterances shared, `of` so many; for paired seeds the sum over them
    refused : why the two cannot be paired, else None
    """

    a: tuple[Scored, ...]
    b: tuple[Scored, ...]
    seeds: tuple[int, ...] | None
    common: int
    of: int
    refused: str | None = None


@dataclass(frozen=True)
class Difference:
    """a minus b in one metric: interval over speakers, p-value of the same bootstrap, and that corrected by Holm."""

    value: float
    low: float | None
    high: float | None
    p: float | None
    p_holm: float | None = None


@dataclass(frozen=True)
class Pair:
    """Two rows by name; `differences`, `units` and `mcnemar` are there unless the match was refused."""

    a: str
    b: str
    match: Match
    units: Units | None = None
    differences: dict[str, Difference] = field(default_factory=dict)
    mcnemar: McNemar | None = None
    mcnemar_holm: float | None = None


def compare_pairs(rows: Sequence[Row], *, draws: int, seed: int, level: float, min_common: float) -> list[Pair]:
    """Every two rows. P-values of a metric, and those of McNemar's test, are each corrected over all pairs tested."""

    def drawn(systems: Mapping[str, Sequence[Scored]]) -> Bootstrap:
        return seed_means(systems, draws=draws, seed=seed, level=level)

    together = {name: found for own in _alike(rows) for found in [drawn(own)] for name in own}
    pairs = []
    for a, b in combinations(rows, 2):
        found = match(a, b, min_common=min_common)
        if found.refused:
            pairs.append(Pair(a.name, b.name, found))
            continue
        shared = together.get(a.name)
        if shared is None or shared is not together.get(b.name):
            shared = drawn({a.name: found.a, b.name: found.b})
        differences = _differences(shared, a.name, b.name)
        pairs.append(Pair(a.name, b.name, found, shared.units, differences, mcnemar(balance(found))))
    for metric in METRICS:
        corrected = holm([pair.differences[metric].p if pair.differences else None for pair in pairs])
        for pair, p in zip(pairs, corrected, strict=True):
            if pair.differences:
                pair.differences[metric] = replace(pair.differences[metric], p_holm=p)
    corrected = holm([pair.mcnemar.p if pair.mcnemar else None for pair in pairs])
    return [replace(pair, mcnemar_holm=p) for pair, p in zip(pairs, corrected, strict=True)]


def _alike(rows: Sequence[Row]) -> list[dict[str, list[Scored]]]:
    """Rows by name whose every seed tested the same utterances of the same speakers: one set of draws does for all."""
    found: dict[object, dict[str, list[Scored]]] = {}
    for row in rows:
        if row.same_rows_each_seed:
            first = row.replicates[0]
            tested = (first.tested, frozenset(zip(first.scored.ids, first.scored.groups or (), strict=True)))
            found.setdefault(tested, {})[row.name] = [part.scored for part in row.replicates]
    return [own for own in found.values() if len(own) > 1]


def _differences(found: Bootstrap, a: str, b: str) -> dict[str, Difference]:
    intervals = found.difference(a, b)
    return {
        metric: Difference(
            value=float(intervals[metric]["value"] or 0.0),
            low=intervals[metric]["low"],
            high=intervals[metric]["high"],
            p=difference_p(found, a, b, metric),
        )
        for metric in METRICS
    }


def match(a: Row, b: Row, *, min_common: float) -> Match:
    """The judgements that two rows can be paired on.

    Where every seed of both tested the same utterances, all judgements take part; there may be more seeds, or more
    repeats, in one row. Where the test rows follow the seed (a split drawn by it), each seed is paired with the same
    seed of the other row. Failing that, what every seed of both tested. Below a share of `min_common` nothing is
    paired: what is left is another test set than the table tells of.
    """
    contradiction = _contradiction(a, b)
    if contradiction:
        return Match((), (), None, 0, 0, contradiction)
    parts = (*a.replicates, *b.replicates)
    by_utterance = all(part.evenly for part in parts)
    tested = {part: set(_names(part, by_utterance)) for part in parts}
    shared = set.intersection(*tested.values())
    most = max(map(len, tested.values()))
    together = Match(
        tuple(_only(part, shared, by_utterance) for part in a.replicates) if shared else (),
        tuple(_only(part, shared, by_utterance) for part in b.replicates) if shared else (),
        None,
        len(shared),
        most,
    )
    if len(shared) == most:
        return together
    mine, theirs = ({part.seed: part for part in row.replicates} for row in (a, b))
    cut = {seed: set(mine[seed].keys) & set(theirs[seed].keys) for seed in sorted(mine.keys() & theirs.keys())}
    common = sum(map(len, cut.values()))
    of = sum(max(len(mine[seed].keys), len(theirs[seed].keys)) for seed in cut)
    if common and all(cut.values()) and common / of >= max(min_common, len(shared) / most):
        return Match(
            tuple(_only(mine[seed], cut[seed], by_utterance=False) for seed in cut),
            tuple(_only(theirs[seed], cut[seed], by_utterance=False) for seed in cut),
            tuple(cut),
            common,
            of,
        )
    if shared and len(shared) / most >= min_common:
        return together
    if of and common / of > len(shared) / most:
        return Match((), (), None, common, of, f"only {common:,} of {of:,} test rows in common")
    return Match((), (), None, len(shared), most, f"only {len(shared):,} of {most:,} test rows in common")


def balance(found: Match) -> Ints:
    """(utterances,) how much oftener a was right than b, over all its judgements; see `mcnemar`.

    Each side is weighted by the other's number of judgements, so that with unequal numbers the shares count.
    """
    judged = [sum(map(len, parts)) for parts in (found.a, found.b)]
    common = gcd(*judged)
    sums: defaultdict[str, int] = defaultdict(int)
    for parts, weight in ((found.a, judged[1] // common), (found.b, -judged[0] // common)):
        for part in parts:
            for id, right in zip(part.ids, part.correct.tolist(), strict=True):
                sums[id] += weight * int(right)
    return np.fromiter(sums.values(), dtype=np.int64)


def _names(part: Replicate, by_utterance: bool) -> Sequence[str] | Sequence[Key]:
    return part.scored.ids if by_utterance else part.keys


def _only(part: Replicate, kept: Set[object], by_utterance: bool) -> Scored:
    index = np.flatnonzero([name in kept for name in _names(part, by_utterance)])
    return part.scored if len(index) == len(part.scored) else part.take(index)


def _contradiction(a: Row, b: Row) -> str | None:
    """The same id with another label or speaker is not the same utterance."""
    mine, theirs = _truth(a), _truth(b)
    shared = mine.keys() & theirs.keys()
    for place, what in enumerate(("label", "speaker")):
        wrong = [id for id in mine if id in shared and _differ(mine[id][place], theirs[id][place])]
        if wrong:
            named = ", ".join(wrong[:SHOWN]) + (", …" if len(wrong) > SHOWN else "")
            return f"other data: {len(wrong):,} ids have another {what} ({named})"
    return None


def _truth(row: Row) -> dict[str, tuple[str, str | None]]:
    return {
        id: (label, speaker)
        for part in row.replicates
        for id, label, speaker in zip(part.scored.ids, part.frame["label"], part.scored.groups or (), strict=True)
    }


def _differ(one: str | None, two: str | None) -> bool:
    return one is not None and two is not None and one != two
