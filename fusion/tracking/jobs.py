"""The jobs of a sweep, as each of them left its record, and the configurations that they tried."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from extractors.files import write_text

RECORD = "sweep_job.json"
SEED = "seed"  # jobs that differ in nothing else tried the same configuration


@dataclass(frozen=True)
class SweepJob:
    """One job of a sweep.

    number     : in the sweep, from 0; also the order in which they began
    overrides  : as the command line would have had them
    choices    : config group -> choice, as Hydra composed them
    status     : "completed" or "failed"
    validation : what `train` returned, the UA on validation rows; None where it failed, or where the verb returns none
    error      : why it failed
    seconds    : wall time
    """

    number: int
    overrides: tuple[str, ...]
    choices: Mapping[str, Any]
    status: str
    validation: float | None
    error: str | None
    seconds: float

    def write(self, folder: Path) -> None:
        write_text(folder / RECORD, json.dumps(asdict(self), ensure_ascii=False, indent=2) + "\n")

    @property
    def settings(self) -> dict[str, str]:
        """Key -> value of its overrides, as text.

        >>> SweepJob(0, ("head=late", "+a.b=1", "~c"), {}, "completed", 0.5, None, 1.0).settings
        {'head': 'late', 'a.b': '1', 'c': ''}
        """
        pairs = (override.lstrip("+~").partition("=") for override in self.overrides)
        return {key: value for key, _, value in pairs}

    @property
    def configuration(self) -> tuple[str, ...]:
        """Its overrides but for the seed."""
        return tuple(override for override in self.overrides if override.lstrip("+").partition("=")[0] != SEED)


@dataclass
class Configuration:
    """What the jobs have in common that differ in their seed alone."""

    jobs: list[SweepJob] = field(default_factory=list)

    @property
    def mean(self) -> float | None:
        """Over its seeds; None as long as one of them has no figure: a configuration is not better for a seed that failed."""
        values = [job.validation for job in self.jobs if job.validation is not None]
        return fmean(values) if len(values) == len(self.jobs) else None

    @property
    def spread(self) -> float | None:
        """Sample standard deviation over its seeds."""
        values = [job.validation for job in self.jobs if job.validation is not None]
        return stdev(values) if len(values) > 1 else None


def records(sweep: Path) -> list[Path]:
    """The records of a sweep's jobs; not looked for among all the files of their fits."""
    return [*sweep.glob(f"*/{RECORD}"), *sweep.glob(f"*/*/{RECORD}")]


def read_jobs(sweep: Path) -> list[SweepJob]:
    """The records in the folders of a sweep, by number."""
    jobs: list[SweepJob] = []
    for path in records(sweep):
        fields = json.loads(path.read_text(encoding="utf-8"))
        jobs.append(SweepJob(**{**fields, "overrides": tuple(fields["overrides"])}))
    return sorted(jobs, key=lambda job: job.number)


def configurations(jobs: Iterable[SweepJob]) -> list[Configuration]:
    """What was tried, best first; what has no figure last."""
    found: dict[tuple[str, ...], Configuration] = {}
    for job in jobs:
        found.setdefault(job.configuration, Configuration()).jobs.append(job)
    return sorted(found.values(), key=lambda tried: (tried.mean is None, -(tried.mean or 0.0), tried.jobs[0].number))


def varied(jobs: Iterable[SweepJob]) -> list[str]:
    """The keys in which the jobs differ, in the order of the command line."""
    settings = [job.settings for job in jobs]
    keys = dict.fromkeys(key for of_one in settings for key in of_one)
    return [key for key in keys if len({of_one.get(key) for of_one in settings}) > 1]
