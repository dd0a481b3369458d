"""Where the pipeline's input comes from: what a clip's content is, and the decoded content, a bounded look ahead.

One class per modality, with the same three verbs, so that the pipeline has no branches.
"""

from __future__ import annotations

import os
import unicodedata
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from types import TracebackType
from typing import Any, Protocol, Self

from extractors.audio import SAMPLE_RATE, content_hash, load_audio
from extractors.decoded import DecodedFile
from extractors.keys import text_hash
from extractors.types import Clip, Float32, Modality

CHUNK = 64  # clips whose content is hashed while the 64 before them are decoded
FILES_REMEMBERED = 2**18  # hashes kept, so that a file of many spans is read once; about 60 MB at most
LOOK_AHEAD = 300.0  # s of audio decoded ahead of the batches, as far as the longest clip so far tells
MOST_WORKERS = 16

Content = str | Exception | None  # hash of the content · why it cannot be read · no such modality in this clip


@dataclass(frozen=True, slots=True)
class Job:
    """One content to embed, for the clip at `index` of the run."""

    index: int
    clip: Clip
    key: str


@dataclass(frozen=True, slots=True)
class Decoded:
    """A job's content: (samples,) float32 or str. `cost` is seconds of audio, or characters."""

    job: Job
    payload: Any
    cost: float


class Source(Protocol):
    """`contents` hashes; `decode` reads. Both keep the order and stay a bounded number of clips ahead."""

    unit: str
    budget: float  # cost of a first batch
    limit: float  # cost of the largest batch

    def contents(self, clips: Iterable[Clip]) -> Iterator[tuple[Clip, Content]]: ...
    def decode(self, jobs: Iterable[Job]) -> Iterator[tuple[Job, Decoded | Exception]]: ...
    def __enter__(self) -> Self: ...
    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None: ...


def open_source(modality: Modality, workers: int | None, decoded: Iterable[DecodedFile] = ()) -> Source:
    """The source of a modality. `workers` threads decode; None: as many as there are cores, up to 16.

    decoded : decoded already, so that clips of their files are cut from memory
    """
    if modality == "text":
        return TextSource()
    return SpeechSource(workers or min(available_cores(), MOST_WORKERS), decoded)


def available_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class TextSource:
    """Texts, composed to NFC: what has one key reads the same. A blank text is none."""

    unit, budget, limit = "texts", 8_192.0, 524_288.0  # characters

    def contents(self, clips: Iterable[Clip]) -> Iterator[tuple[Clip, Content]]:
        """Hash of each text."""
        return ((clip, text_hash(clip.text) if clip.text and not clip.text.isspace() else None) for clip in clips)

    def decode(self, jobs: Iterable[Job]) -> Iterator[tuple[Job, Decoded | Exception]]:
        """The texts themselves."""
        for job in jobs:
            text = unicodedata.normalize("NFC", job.clip.text or "")
            yield job, Decoded(job, text, float(len(text)))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        return None


class SpeechSource:
    """Audio files, hashed and decoded in threads (libsndfile, soxr and hashlib let go of the interpreter lock)."""

    unit, budget, limit = "audio s", 60.0, 480.0  # seconds

    def __init__(self, workers: int, decoded: Iterable[DecodedFile] = ()) -> None:
        self._workers = workers
        self._decoded = {str(file.path): file for file in decoded}
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="emofuse-decode")
        self._hash_pool = ThreadPoolExecutor(workers, thread_name_prefix="emofuse-hash")  # decoding never queues for it
        self._hashes: dict[str, Future[str] | str | Exception] = {}

    def contents(self, clips: Iterable[Clip]) -> Iterator[tuple[Clip, Content]]:
        """Hash of each clip's file, read once per file. The chunk after the one being handed out is under way."""
        clips = iter(clips)
        waiting: list[Clip] = []
        while chunk := list(islice(clips, CHUNK)):
            self._start_hashing(chunk)
            yield from self._hashed(waiting)
            waiting = chunk
        yield from self._hashed(waiting)

    def decode(self, jobs: Iterable[Job]) -> Iterator[tuple[Job, Decoded | Exception]]:
        """Samples of each job, in order. The longest clip so far limits how many are decoded ahead."""
        jobs = iter(jobs)
        ahead: deque[tuple[Job, Future[Float32]]] = deque()
        longest, most = 0.0, 2
        while True:
            for job in islice(jobs, max(0, most - len(ahead))):
                ahead.append((job, self._pool.submit(self._load, job.clip)))
            if not ahead:
                return
            job, future = ahead.popleft()
            try:
                samples = future.result()
            except Exception as error:
                yield job, error
                continue
            seconds = len(samples) / SAMPLE_RATE
            longest = max(seconds, 0.99 * longest)
            most = max(1, min(most + 1, 4 * self._workers, int(LOOK_AHEAD / longest)))
            yield job, Decoded(job, samples, seconds)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._hash_pool.shutdown(cancel_futures=True)
        self._pool.shutdown(cancel_futures=True)

    def _load(self, clip: Clip) -> Float32:
        file = self._decoded.get(str(clip.audio))
        if file is not None:
            return file.span(clip.start, clip.end)
        return load_audio(str(clip.audio), clip.start, clip.end)

    def _start_hashing(self, clips: list[Clip]) -> None:
        for path in dict.fromkeys(str(clip.audio) for clip in clips if clip.audio is not None):
            known = self._hashes.pop(path, None)  # and in again at the end, for the oldest are forgotten first
            self._hashes[path] = self._hash_pool.submit(content_hash, path) if known is None else known

    def _hashed(self, clips: list[Clip]) -> Iterator[tuple[Clip, Content]]:
        for clip in clips:
            if clip.audio is None:
                yield clip, None
                continue
            found = self._hashes[str(clip.audio)]
            if isinstance(found, Future):
                try:
                    found = found.result()
                except Exception as error:
                    found = error.with_traceback(None)
                self._hashes[str(clip.audio)] = found
            yield clip, found
        while len(self._hashes) > FILES_REMEMBERED:
            self._hashes.pop(next(iter(self._hashes)))
