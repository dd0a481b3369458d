"""What Hydra calls as jobs begin and end: a sweep leaves a table of its jobs and its best configuration."""

from __future__ import annotations

import csv
import io
import logging
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra.core.utils import JobReturn, JobStatus
from hydra.experimental.callback import Callback
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from extractors.errors import InputError
from extractors.files import write_text
from extractors.writable import check_writable_folder
from fusion.tracking.best import BEST, write_best
from fusion.tracking.jobs import Configuration, SweepJob, configurations, read_jobs, records, varied

log = logging.getLogger(__name__)

TABLE, SUMMARY = "sweep.csv", "sweep.md"
SHOWN = 15  # configurations on the terminal
HONEST = (
    "Ranked by the unweighted accuracy on validation rows; test rows chose nothing. Where folds take turns, a row that "
    "validates in one is tested in another, so that the test figures of the best are a little too good."
)


class SweepRecord(Callback):
    """Keeps the record of a sweep, whatever sweeper and launcher it has: sweep.csv, sweep.md, experiment/best.yaml.

    They are written anew as each job ends, so that a sweep that was stopped has them too. Also notes in a run's
    environment.json when it ended.
    """

    def __init__(self) -> None:
        self._began = time.monotonic()

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Refuse a folder that cannot be written, or that holds a sweep already."""
        folder = Path(str(config.hydra.sweep.dir))
        try:
            _check_folder(folder)
        except InputError as error:
            sys.stderr.write(f"\nerror: {error}\n")  # Hydra turns what a callback raises into a warning
            raise SystemExit(error.exit_code) from None
        folder.mkdir(parents=True, exist_ok=True)  # a study's database is made before any job is

    def on_job_start(self, config: DictConfig, **kwargs: Any) -> None:
        self._began = time.monotonic()

    def on_job_end(self, config: DictConfig, job_return: JobReturn, **kwargs: Any) -> None:
        folder = Path(str(config.hydra.runtime.output_dir))
        completed = job_return.status == JobStatus.COMPLETED
        _finish(folder, "completed" if completed else "failed")
        if config.hydra.mode != RunMode.MULTIRUN:
            return
        returned = job_return._return_value
        _record(config, returned, completed, time.monotonic() - self._began).write(folder)
        write_sweep(Path(str(config.hydra.sweep.dir)), verb=str(config.hydra.job.name))

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        folder = Path(str(config.hydra.sweep.dir))
        tried = write_sweep(folder, verb=str(config.hydra.job.name))
        if not any(one.mean is not None for one in tried):
            return
        from rich.console import Console

        from fusion.tracking.sweep_table import sweep_view

        Console().print(sweep_view(tried, shown=SHOWN, note=HONEST))
        log.info("all jobs  %s\nbest      %s", folder / TABLE, folder / BEST)


def write_sweep(folder: Path, *, verb: str = "train") -> list[Configuration]:
    """Write sweep.csv, sweep.md and experiment/best.yaml from what the jobs in `folder` left. Returns best first."""
    jobs = read_jobs(folder)
    tried = configurations(jobs)
    if not jobs:
        return tried
    write_text(folder / TABLE, _csv(jobs))
    if tried[0].mean is not None:
        from fusion.tracking.sweep_table import sweep_markdown

        write_text(folder / SUMMARY, sweep_markdown(tried, note=HONEST))
        write_best(folder, tried[0], verb)
    return tried


def _check_folder(folder: Path) -> None:
    check_writable_folder(folder, "hydra.sweep.dir")
    if records(folder):  # job 0 of this one would write over its job 0
        raise InputError(
            f"hydra.sweep.dir: {folder} holds the jobs of an earlier sweep",
            hint="Leave it to its default, which is a new folder. A study goes on with hydra.sweeper.storage=…",
        )


def _record(config: DictConfig, returned: Any, completed: bool, seconds: float) -> SweepJob:
    number = isinstance(returned, int | float) and not isinstance(returned, bool)
    choices = OmegaConf.to_container(config.hydra.runtime.choices)
    assert isinstance(choices, dict)
    return SweepJob(
        number=int(config.hydra.job.num),
        overrides=tuple(str(override) for override in config.hydra.overrides.task),
        choices={str(group): choice for group, choice in choices.items()},
        status="completed" if completed else "failed",
        validation=float(returned) if completed and number else None,
        error=None if completed else f"{type(returned).__name__}: {returned}",
        seconds=round(seconds, 3),
    )


def _finish(folder: Path, status: str) -> None:
    if (folder / "environment.json").is_file():
        from fusion.tracking.environment import finish_environment  # heavy, and other verbs record none

        finish_environment(folder, status)


def _csv(jobs: Sequence[SweepJob]) -> str:
    keys = varied(jobs)
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(["job", *keys, "validation_ua", "status", "seconds", "error"])
    for job in jobs:
        values = (job.settings.get(key, "") for key in keys)
        writer.writerow([job.number, *values, job.validation, job.status, job.seconds, job.error])
    return table.getvalue()
