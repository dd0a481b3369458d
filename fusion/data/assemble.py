"""A manifest's rows through the extractors and the store, into the table that everything downstream sees."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from extractors.errors import InputError
from extractors.types import Extractor, Modality
from fusion.data.labels import encode_labels, soft_targets
from fusion.data.manifest import clips_of
from fusion.data.sequences import StoreSequences
from fusion.data.table import FeatureTable

if TYPE_CHECKING:
    from extractors.store import EmbeddingStore
    from extractors.summary import ExtractionSummary

log = logging.getLogger(__name__)

COLUMN: dict[Modality, str] = {"speech": "audio", "text": "text"}  # of a manifest, that a modality comes from


def extract_frame(
    frame: pd.DataFrame,
    extractors: Mapping[Modality, Callable[[], Extractor]],
    store: EmbeddingStore,
    *,
    max_failed: float = 0.05,
    workers: int | None = None,
    run_dir: Path | None = None,
    progress: bool = True,
    frames: bool = False,
) -> dict[Modality, tuple[dict[str, Any], ExtractionSummary]]:
    """Embed a manifest's rows into the store, one modality after the other; only what the store lacks is computed.

    An extractor is built when its turn comes, only if some row has its modality, and is let go afterwards: two large
    models need not fit in memory together. Failed clips are listed in `run_dir/failures_<modality>.csv`. With `frames`,
    the sequences are kept too; InputError where the speech encoder has none.

    Returns modality -> (the extractor's fingerprint and description, summary with the store keys).
    """
    from extractors.pipeline import extract_to_store

    clips = clips_of(frame)
    done: dict[Modality, tuple[dict[str, Any], ExtractionSummary]] = {}
    for modality, build in extractors.items():
        if frame[COLUMN[modality]].isna().all():
            log.warning("No row has %s: the %s encoder is not used.", COLUMN[modality], modality)
            continue
        extractor = build()
        if frames and modality == "speech" and extractor.frame_rate is None:
            hint = "Use granularity=utterance, a head of pooled vectors, or speech=emotion2vec_plus_large."
            raise InputError(f"{extractor.name} describes whole clips; it has no frames", hint=hint)
        failures = None if run_dir is None else run_dir / f"failures_{modality}.csv"
        summary = extract_to_store(
            clips,
            extractor,
            store,
            max_failed=max_failed,
            workers=workers,
            failures_path=failures,
            progress=progress,
            frames=frames,
        )
        log.info("%s", summary)
        if summary.failed and failures is not None:
            log.warning("%d clips have no %s; why is in %s", len(summary.failed), modality, failures)
        done[modality] = {"fingerprint": extractor.fingerprint, "describe": extractor.describe()}, summary
        del extractor
    return done


def table_from_manifest(
    frame: pd.DataFrame,
    extractors: Mapping[Modality, Callable[[], Extractor]],
    store: EmbeddingStore,
    *,
    labels: Sequence[str] | None = None,
    max_failed: float = 0.05,
    workers: int | None = None,
    run_dir: Path | None = None,
    progress: bool = True,
    frames: bool = False,
) -> FeatureTable:
    """The rows of `read_manifest` as a table of pooled vectors; a clip that failed has no such modality.

    With `frames`, the table's `sequences` read the frames of speech and the tokens of text from the store.

    Args:
        frame: as `read_manifest` gives it.
        extractors: modality -> a function that makes its extractor. A modality that no row has is left out.
        store: where vectors are kept and looked up.
        labels: the order of the classes; sorted by name unless given.
        max_failed: share of the clips of a modality that may fail before the run stops.
        workers: threads that decode audio.
        run_dir: where the lists of failed clips go.
        progress: show it.
        frames: whether sequences are extracted too.

    Raises:
        InputError: too many failures, a class none of whose rows could be used, wrong `labels`.

    Rows with neither modality left are dropped, and counted in the log.
    """
    targets, ordered = encode_labels(frame["label"], labels)  # before hours of extraction, not after
    done = extract_frame(
        frame,
        extractors,
        store,
        max_failed=max_failed,
        workers=workers,
        run_dir=run_dir,
        progress=progress,
        frames=frames,
    )
    features: dict[Modality, NDArray[np.float32]] = {}
    present: dict[Modality, NDArray[np.bool_]] = {}
    for modality, (_, summary) in done.items():
        present[modality] = np.array([key is not None for key in summary.keys], dtype=bool)
        if present[modality].any():
            vectors = store.read_vectors([key for key in summary.keys if key is not None])
            features[modality] = np.zeros((len(frame), vectors.shape[1]), np.float32)
            features[modality][present[modality]] = vectors
    present = {modality: present[modality] for modality in features}
    if not features:
        raise InputError(f"no row has any of {', '.join(extractors)} that could be used")
    # within one run, the same speech key is the same audio span by content
    content = done["speech"][1].keys if "speech" in done else [None] * len(frame)
    encoders = {modality: done[modality][0] for modality in features}
    soft = soft_targets(frame["label"], ordered)
    table = FeatureTable(features, present, targets, ordered, _rows(frame, content), encoders, soft=soft)
    if frames:
        table = replace(table, sequences={m: StoreSequences(store, done[m][1].keys) for m in features})
    return _only_usable(table)


def outline(
    frame: pd.DataFrame, modalities: Sequence[Modality], *, labels: Sequence[str] | None = None
) -> FeatureTable:
    """The table that `table_from_manifest` would make if nothing failed, but with vectors of no width and no `content`."""
    there = [modality for modality in modalities if frame[COLUMN[modality]].notna().any()]
    targets, ordered = encode_labels(frame["label"], labels)
    present = {modality: frame[COLUMN[modality]].notna().to_numpy(dtype=bool) for modality in there}
    features = {modality: np.zeros((len(frame), 0), np.float32) for modality in there}
    soft = soft_targets(frame["label"], ordered)
    return FeatureTable(features, present, targets, ordered, _rows(frame, [None] * len(frame)), soft=soft)


def _rows(frame: pd.DataFrame, content: Sequence[str | None]) -> pd.DataFrame:
    """The manifest's columns, text as plain objects with None where it is missing, and the content."""
    columns = {
        name: values.astype(object).where(values.notna(), None) if isinstance(values.dtype, pd.StringDtype) else values
        for name, values in frame.items()
    }
    return pd.DataFrame(columns | {"content": pd.Series(list(content), index=frame.index, dtype=object)})


def _only_usable(table: FeatureTable) -> FeatureTable:
    """Without the rows that have nothing to go by."""
    usable = np.any(list(table.present.values()), axis=0)
    if usable.all():
        return table
    log.warning("%d of %d rows have neither speech nor text that could be used: left out", (~usable).sum(), len(table))
    kept = table.take(np.flatnonzero(usable))
    left = np.bincount(kept.targets[kept.targets >= 0], minlength=len(table.labels))
    if lost := [f"{label!r}: none of its rows" for label, count in zip(table.labels, left, strict=True) if not count]:
        raise InputError("classes of which no row could be used", lost, "The lists of failed clips say why.")
    return kept
