"""The books of one run: which clip has which key, what is still to do, what failed, and when it is too much."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from threading import Lock

from extractors.decode import CHUNK, Content, Job
from extractors.errors import InputError
from extractors.keys import KnownKeys, embedding_key
from extractors.summary import Failure
from extractors.types import Clip


class TooManyFailuresError(InputError):
    """More clips failed than `max_failed` allows. What was embedded before is in the store."""


class Tally:
    """Keeps count of every clip that passes. Threads may call it at once.

    `total` is the number of clips, None where it is not known before the end: then the limit is judged at the end.
    """

    def __init__(self, *, total: int | None, max_failed: float, failures_path: Path | None) -> None:
        self.keys: list[str | None] = []
        self._failed: dict[int, Failure] = {}
        self.new = self.reused = self.absent = 0
        self._total, self._max_failed, self._failures_path = total, max_failed, failures_path
        self._begun: set[str] = set()
        self._repeats: list[tuple[int, Clip, str]] = []
        self._reasons: dict[str, str] = {}
        self._lock = Lock()

    @property
    def present(self) -> int:
        """Clips seen so far that have the modality."""
        return len(self.keys) - self.absent

    @property
    def done(self) -> int:
        """Clips of which nothing more is expected but the end."""
        return self.new + self.reused + self.absent + len(self._failed) + len(self._repeats)

    @property
    def failed(self) -> tuple[Failure, ...]:
        """In the order of the clips."""
        return tuple(failure for _, failure in sorted(self._failed.items(), key=lambda item: item[0]))

    def jobs(
        self,
        contents: Iterable[tuple[Clip, Content]],
        known: KnownKeys,
        fingerprint: str,
        seen: Callable[[], None] = lambda: None,
    ) -> Iterator[Job]:
        """What must be embedded: neither stored nor begun in this run. Calls `seen` now and then."""
        contents = iter(contents)
        while chunk := list(islice(contents, CHUNK)):
            keys = [self._key(clip, content, fingerprint) for clip, content in chunk]
            stored = dict(zip(wanted := [k for k in keys if isinstance(k, str)], known.contains(wanted), strict=True))
            for (clip, _), key in zip(chunk, keys, strict=True):
                index = len(self.keys)
                self.keys.append(key if isinstance(key, str) else None)
                if key is None:
                    self.absent += 1
                elif isinstance(key, Exception):
                    self.fail(Job(index, clip, ""), key)
                elif stored[key]:
                    self.reused += 1
                elif key in self._begun:
                    self._repeats.append((index, clip, key))
                else:
                    self._begun.add(key)
                    yield Job(index, clip, key)
            seen()

    def fail(self, job: Job, error: Exception) -> None:
        """Note a failure. Raises TooManyFailuresError as soon as the limit is certain to be passed."""
        with self._lock:
            reason = _one_line(error)
            self.keys[job.index] = None
            self._reasons[job.key] = reason
            self._failed[job.index] = _failure(job.clip, reason)
            if self._total is not None:
                self._judge(self._total - self.absent)

    def close(self) -> None:
        """The input is at its end: settle the repeats of earlier clips and judge the failures."""
        for index, clip, key in self._repeats:
            if key in self._reasons:
                self.keys[index] = None
                self._failed[index] = _failure(clip, self._reasons[key])
            else:
                self.reused += 1
        self._repeats.clear()
        self._judge(self.present)

    def _judge(self, clips: int) -> None:
        allowed = math.floor(self._max_failed * clips + 1e-6)  # 0.29 of 100 is 29, whatever floats say
        if len(self._failed) > allowed:
            where = f" All are listed in {self._failures_path}." if self._failures_path else ""
            raise TooManyFailuresError(
                f"{len(self._failed):,} of {clips:,} clips failed; max_failed={self._max_failed:g} allows {allowed:,}",
                [str(failure) for failure in self.failed],
                f"Mend or remove them, or raise max_failed. What was embedded is kept.{where}",
            )

    @staticmethod
    def _key(clip: Clip, content: Content, fingerprint: str) -> Content:
        if not isinstance(content, str):
            return content
        try:
            return embedding_key(content, clip.start, clip.end, fingerprint)
        except ValueError as error:
            return error


def _failure(clip: Clip, reason: str) -> Failure:
    return Failure(clip.id, reason, str(clip.audio or ""))


def _one_line(error: Exception) -> str:
    reason = getattr(error, "reason", None)
    text = reason if isinstance(reason, str) else f"{type(error).__name__}: {error}"
    return " ".join(text.split())[:500]
