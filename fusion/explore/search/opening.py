"""A collection made searchable: in memory where it is small, by an index in the store where it is large."""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import Any

from extractors.errors import InputError
from fusion.explore.search.columns import metadata_columns
from fusion.explore.search.exact import ExactRows
from fusion.explore.search.filters import checked, columns_to_filter
from fusion.explore.search.hits import Rows
from fusion.explore.search.index import PROBES, REFINE, VectorIndex, index_folder
from fusion.explore.search.record import Record, read_record
from fusion.explore.search.streams import Stream
from fusion.explore.space import space_of

log = logging.getLogger(__name__)

EXACT_UP_TO = 50_000  # rows; benchmarks/search.py: up to here one matrix product is as fast as the index
USES = ("auto", "always", "never")


def open_rows(
    stream: Stream,
    store: Path,
    *,
    space: str = "centred",
    use: str = "auto",
    above: int = EXACT_UP_TO,
    update: str | bool = "auto",
    rebuild: bool = False,
    probes: int = PROBES,
    refine: int = REFINE,
    language: str | None = None,
    where: str | None = None,
) -> Rows:
    """The rows of a stream, to be searched.

    store   : folder that keeps indexes and spaces
    use     : "never": exactly, all vectors in memory; "always": by an index; "auto": by an index above so many rows
    update  : "auto": look for new and changed rows where the manifest, the store's number of rows or the files' states
              have changed; True: look in any case; False: take the index as it is
    rebuild : make the index anew, with statistics of what there is now
    where   : a filter that will be asked for: where rows have to be embedded first, it is checked before

    Raises InputError for settings that there are not, and what building or reading raise.
    """
    _check(use, above, update, rebuild)
    if use == "never":
        _check_filter(where, stream)
        return _exact(stream, store, space, language)
    folder = index_folder(store, stream, space)
    options: dict[str, Any] = {"store": store, "probes": probes, "refine": refine}
    record = None if rebuild else read_record(folder)
    if record is None:
        _check_filter(where, stream)
        if use == "auto" and stream.count() <= above:
            return _exact(stream, store, space, language)
        return _built(folder, stream, space, language, options)
    if reason := _stale(record, stream, language):
        log.info("index: %s; it is built anew", reason)
        return _built(folder, stream, space, language, options)
    index = VectorIndex.open(folder, stream.maker, **options)
    if update is True or (update == "auto" and stream.state() != record.state):
        index.update(stream)
    return index


def _check_filter(where: str | None, stream: Stream) -> None:
    if where is not None:
        checked(where, columns_to_filter(metadata_columns(stream.metadata())))


def _exact(stream: Stream, store: Path, space: str, language: str | None) -> ExactRows:
    collection = stream.source.collect()
    moved = space_of(collection.vectors, space, fingerprint=collection.maker.fingerprint, store=store)
    return ExactRows(collection, moved, language=language)


def _built(folder: Path, stream: Stream, space: str, language: str | None, options: dict[str, Any]) -> VectorIndex:
    log.info("index: building %s", folder)
    began = time.monotonic()
    index = VectorIndex.build(folder, stream, space=space, language=language, **options)
    log.info("index: %s rows in %.0f s", f"{len(index):,}", time.monotonic() - began)
    return index


def _stale(record: Record, stream: Stream, language: str | None) -> str | None:
    """Why an index cannot be brought up to date."""
    if record.maker.fingerprint != stream.maker.fingerprint:
        return f"it is of {record.maker.name} with other settings"
    if record.language != language:
        return f"its keywords are of language {record.language}, not {language}"
    return None


def _check(use: object, above: object, update: object, rebuild: object) -> None:
    problems = []
    if use not in USES:
        problems.append(f"index.use: expected {', '.join(USES)}, got {use!r}")
    if isinstance(above, bool) or not isinstance(above, int) or above < 0:
        problems.append(f"index.above: expected a number of rows, at least 0, got {above!r}")
    if not (isinstance(update, bool) or update == "auto"):
        problems.append(f"index.update: expected auto, true or false, got {update!r}")
    if not isinstance(rebuild, bool):
        problems.append(f"index.rebuild: expected true or false, got {rebuild!r}")
    if problems:
        raise InputError("settings of the index", problems)
