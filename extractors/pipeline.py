"""Clips to store: hash, decode, embed, write, all at once and in bounded memory.

clips ─► content hash ─► known? ─► decode ─► batches of similar length ─► extractor ─► store
         threads                   threads   a look ahead                 this thread  a thread
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterable, Iterator, Sized
from contextlib import suppress
from pathlib import Path

from extractors.ahead import computed_ahead
from extractors.batching import LengthBatcher
from extractors.decode import Decoded, Source, open_source
from extractors.decoded import DecodedFile
from extractors.embed import Embedder
from extractors.errors import InputError, StoreError
from extractors.keys import KnownKeys
from extractors.progress import ProgressReport
from extractors.store import EmbeddingStore
from extractors.summary import ExtractionSummary, Failure, write_failures
from extractors.tally import Tally, TooManyFailuresError
from extractors.types import Clip, Embedding, Extractor
from extractors.writer import StoreWriter

__all__ = ["ExtractionSummary", "Failure", "TooManyFailuresError", "extract_to_store"]

log = logging.getLogger(__name__)

MAX_FAILED = 0.05  # share of the clips that may fail


def extract_to_store(
    clips: Iterable[Clip],
    extractor: Extractor,
    store: EmbeddingStore,
    *,
    max_failed: float = MAX_FAILED,
    failures_path: str | os.PathLike[str] | None = None,
    frames: bool = False,
    workers: int | None = None,
    batch_budget: float | None = None,
    decoded: Iterable[DecodedFile] = (),
    progress: bool = True,
) -> ExtractionSummary:
    """Embed what the store does not have yet of `clips`, and say what became of each.

    Content decides: a renamed file, a second clip of the same bytes and span, or a second run compute nothing. Commits
    every few seconds; after `kill -9` or Ctrl-C, running again goes on from there. However long the manifest, at most
    85 minutes of audio (330 MB) are held, or a few of the longest clips; of each clip, only its key stays.

    clips         : a sequence, or any iterable; without a length, time left is unknown and `max_failed` is judged last
    extractor     : where its modality is "speech", clips without `audio` are absent; so for "text", and blank texts
    max_failed    : share (0 to 1) of the clips with this modality that may fail; one more raises
                    `TooManyFailuresError` as soon as it is certain. Failed clips never get a vector.
    failures_path : CSV of the failed clips (id, path, reason), written at the end and before `TooManyFailuresError`
    frames        : keep the sequences too; an embedding stored without counts as missing
    workers       : threads that decode; None: as many as cores, up to 16
    batch_budget  : seconds of audio, or characters, per call of `extract`; None: steered to about 2 s of work
    decoded       : files that are in memory already: their clips are cut from there and not decoded again
    progress      : a bar on a terminal, otherwise a log line every 10 s

    Raises `TooManyFailuresError` (an InputError with the first reasons), `StoreError` where the disk is full; whatever
    was embedded before is kept. KeyboardInterrupt goes through after the last commit.

    >>> import tempfile, numpy as np
    >>> from extractors.types import Embedding
    >>> class Length:
    ...     name, modality, dim, frame_rate, fingerprint = "length", "text", 1, None, "a1"
    ...     def describe(self): return {"name": self.name}
    ...     def extract(self, clips, *, frames=False):
    ...         return [Embedding(np.array([len(text)], np.float32)) for text in clips]
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     store = EmbeddingStore(folder)
    ...     done = extract_to_store([Clip("a", text="yes"), Clip("b"), Clip("c", text="yes")], Length(), store)
    ...     done.new, done.reused, done.absent, store.read_vectors([key for key in done.keys if key])
    (1, 1, 1, array([[3.], [3.]], dtype=float32))
    """
    started = time.perf_counter()
    _check_settings(max_failed, workers, batch_budget)
    total = len(clips) if isinstance(clips, Sized) else None
    failures = None if failures_path is None else Path(failures_path)
    tally = Tally(total=total, max_failed=max_failed, failures_path=failures)
    source = open_source(extractor.modality, workers, decoded)
    batcher: LengthBatcher[Decoded] = LengthBatcher(
        cost=lambda item: item.cost,
        budget=batch_budget or source.budget,
        limit=None if batch_budget else source.limit,
    )
    embed = Embedder(extractor, frames=frames, on_out_of_memory=batcher.shrink)
    known = store.known(extractor.fingerprint, frames=frames)
    audio_seconds = 0.0
    try:
        with (
            source,
            StoreWriter(store, extractor) as writer,
            ProgressReport(extractor.name, total=total, unit=source.unit, shown=progress) as report,
            computed_ahead(
                batcher.batches(_decoded(clips, source, tally, known, extractor.fingerprint, report)), size=1
            ) as batches,
        ):
            for batch in batches:
                before = embed.seconds
                answers = embed([item.payload for item in batch])
                cost = sum(item.cost for item in batch)
                batcher.observe(cost, embed.seconds - before)
                pairs = list(zip((item.job for item in batch), answers, strict=True))
                good = [(job.key, answer) for job, answer in pairs if isinstance(answer, Embedding)]
                writer.write([key for key, _ in good], [embedding for _, embedding in good])
                tally.new += len(good)
                for job, answer in pairs:
                    if isinstance(answer, Exception):
                        tally.fail(job, answer)
                audio_seconds += cost if extractor.modality == "speech" else 0.0
                report.show(tally.done, cost if extractor.modality == "speech" else len(batch))
        tally.close()
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            log.warning("%s: interrupted; %d new embeddings are kept, run again to go on", extractor.name, tally.new)
        if failures is not None:
            with suppress(OSError):  # the first error is the one to tell
                write_failures(failures, tally.failed)
        raise
    if failures is not None:
        write_failures(failures, tally.failed)
    if tally.new:
        _compact(store)
    return ExtractionSummary(
        extractor=extractor.name,
        modality=extractor.modality,
        new=tally.new,
        reused=tally.reused,
        absent=tally.absent,
        failed=tally.failed,
        keys=tally.keys,
        seconds=time.perf_counter() - started,
        encoder_seconds=embed.seconds,
        audio_seconds=audio_seconds,
    )


def _decoded(
    clips: Iterable[Clip], source: Source, tally: Tally, known: KnownKeys, fingerprint: str, report: ProgressReport
) -> Iterator[Decoded]:
    """What is to be embedded, decoded; runs in a thread of its own."""
    jobs = tally.jobs(source.contents(clips), known, fingerprint, seen=lambda: report.show(tally.done))
    for job, answer in source.decode(jobs):
        if isinstance(answer, Exception):
            tally.fail(job, answer)
        else:
            yield answer


def _check_settings(max_failed: float, workers: int | None, batch_budget: float | None) -> None:
    problems = []
    if not 0 <= max_failed <= 1:
        problems.append(f"max_failed is a share of the clips from 0 to 1, got {max_failed}")
    if workers is not None and workers < 1:
        problems.append(f"workers is a number of threads from 1, or null for as many as cores, got {workers}")
    if batch_budget is not None and not batch_budget > 0:
        problems.append(f"batch_budget is seconds of audio or characters above 0, or null, got {batch_budget}")
    if problems:
        raise InputError("extraction: settings that cannot be", problems)


def _compact(store: EmbeddingStore) -> None:
    try:
        store.compact()
    except StoreError as error:  # all vectors are in; tidying up can wait for the next run
        log.warning("%s", error)
