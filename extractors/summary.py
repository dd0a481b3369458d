"""What a run of extraction came to: new, reused, failed."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from extractors.files import atomic_path
from extractors.types import Modality


@dataclass(frozen=True, slots=True)
class Failure:
    """A clip that has no embedding, and why, in one line."""

    id: str
    reason: str
    path: str = ""

    def __str__(self) -> str:
        return f"{self.id} ({self.path}): {self.reason}" if self.path else f"{self.id}: {self.reason}"


@dataclass(frozen=True, slots=True)
class ExtractionSummary:
    """What `extract_to_store` did. Counts are clips; `new + reused + len(failed) + absent` is all of them.

    reused          : in the store before, or the same content as an earlier clip of this run
    absent          : clips without this modality
    keys            : (clips,) the store key of each, None where it failed or is absent
    seconds         : the whole run; `encoder_seconds` of it inside the extractor
    audio_seconds   : speech embedded now; 0 for text
    """

    extractor: str
    modality: Modality
    new: int
    reused: int
    absent: int
    failed: tuple[Failure, ...]
    keys: list[str | None]
    seconds: float
    encoder_seconds: float
    audio_seconds: float

    def __str__(self) -> str:
        """
        >>> print(ExtractionSummary("acoustic", "speech", 1200, 230, 0, (), [], 34.2, 33.1, 3600.0))
        acoustic: 1,200 new, 230 reused, 0 failed in 34.2 s (60 min of audio, 105 × real time; 97 % inside the encoder)
        """
        counts = f"{self.extractor}: {self.new:,} new, {self.reused:,} reused, {len(self.failed):,} failed"
        if self.absent:
            counts += f", {self.absent:,} without {self.modality}"
        if not self.new:
            return f"{counts} in {self.seconds:.1f} s"
        share = f"{self.encoder_seconds / self.seconds:.0%} inside the encoder".replace("%", " %")
        if self.modality == "speech":
            return f"{counts} in {self.seconds:.1f} s ({_length(self.audio_seconds)} of audio, {self._rate}; {share})"
        return f"{counts} in {self.seconds:.1f} s ({self._rate}; {share})"

    @property
    def _rate(self) -> str:
        if self.modality == "speech":
            return f"{_short(self.audio_seconds / self.seconds)} × real time"
        return f"{_short(self.new / self.seconds)} texts/s"


def write_failures(path: Path, failures: Iterable[Failure]) -> None:
    """CSV with the columns id, path, reason; only the header where nothing failed."""
    with atomic_path(path) as draft, draft.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["id", "path", "reason"])
        writer.writerows([failure.id, failure.path, failure.reason] for failure in failures)


def _length(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:,.1f} h"


def _short(rate: float) -> str:
    return f"{rate:.1f}" if rate < 10 else f"{rate:,.0f}"
