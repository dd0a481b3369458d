"""All fits of a run together where that can be, one after the other where not."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from fusion.data.table import FeatureTable
from fusion.engines.base import Job
from fusion.engines.sequential import SequentialEngine
from fusion.training import FittedFold

log = logging.getLogger(__name__)

WORTH_BATCHING = 3  # fits of the same modalities; fewer are done before the stack is built


class AutoEngine:
    """Chooses between `BatchedEngine` and `SequentialEngine` for each set of modalities; see `Engine`."""

    def fit(
        self,
        table: FeatureTable,
        jobs: Sequence[Job],
        recipe: Mapping[str, Any],
        *,
        done: Callable[[Job, FittedFold], None],
    ) -> list[FittedFold]:
        from fusion.engines.batched import BatchedEngine, reasons_against

        fits: dict[int, FittedFold] = {}
        for modalities in dict.fromkeys(job.modalities for job in jobs):
            places = [place for place, job in enumerate(jobs) if job.modalities == modalities]
            together = [jobs[place] for place in places]
            reasons = reasons_against(recipe, table, together) if len(together) >= WORTH_BATCHING else ["few"]
            engine = SequentialEngine() if reasons else BatchedEngine()
            log.debug("%s: %s", ", ".join(modalities), f"one after the other: {reasons}" if reasons else "together")
            fits |= dict(zip(places, engine.fit(table, together, recipe, done=done), strict=True))
        return [fits[place] for place in range(len(jobs))]
