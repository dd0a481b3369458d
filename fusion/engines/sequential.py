"""The reference: one fit after the other, each a Lightning run of its own."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from fusion.data.table import FeatureTable
from fusion.engines.base import Job
from fusion.training import FittedFold, fit_fold

log = logging.getLogger(__name__)


class SequentialEngine:
    """Every head, every callback, every device that Lightning knows; see `Engine`."""

    def fit(
        self,
        table: FeatureTable,
        jobs: Sequence[Job],
        recipe: Mapping[str, Any],
        *,
        done: Callable[[Job, FittedFold], None],
    ) -> list[FittedFold]:
        fits = []
        for job in jobs:
            if job.checkpoint is not None:
                log.info("going on from %s", job.checkpoint)
            fitted = fit_fold(
                table,
                job.fold,
                modalities=job.modalities,
                run_dir=job.place,
                ckpt_path=job.checkpoint,
                seed=job.seed,
                **recipe,
            )
            done(job, fitted)
            fits.append(fitted)
        return fits
