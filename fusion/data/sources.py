"""What `data=` may be: a manifest to extract from, or vectors that are there already. Both load the same way."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np
import pandas as pd

from extractors.errors import InputError
from extractors.types import Clip, Extractor, Modality
from fusion.data.features import LabelNames, load_features
from fusion.data.manifest import clips_of, read_manifest
from fusion.data.table import FeatureTable

if TYPE_CHECKING:
    from extractors.store import EmbeddingStore
    from extractors.summary import ExtractionSummary
    from fusion.predictor import Prediction, Predictor

log = logging.getLogger(__name__)

Extractors = Mapping[Modality, Callable[[], Extractor]]


class Source(Protocol):
    """Where rows come from. Extractors and store are given as functions, and only called where they are needed.

    `check`, if given, is called before anything is extracted, with a table that has all but the vectors and the hashes
    of the audio: what is wrong with the split or the labels is then known before hours of work, not after.

    `frames`: the table is to have `sequences`, for a head that reads them. `notice`, after `load`: what whoever reads the
    results must know of the data.
    """

    notice: str | None

    def load(
        self,
        *,
        extractors: Extractors,
        store: Callable[[], EmbeddingStore],
        modalities: Sequence[Modality],
        run_dir: Path,
        max_failed: float = 0.05,
        workers: int | None = None,
        check: Callable[[FeatureTable], object] | None = None,
        frames: bool = False,
    ) -> FeatureTable: ...

    def predict(
        self, predictor: Predictor, *, store: Callable[[], EmbeddingStore], run_dir: Path
    ) -> list[Prediction]: ...


class Extracted(NamedTuple):
    """A manifest, and of each modality that it has the encoder's description and what became of its rows."""

    frame: pd.DataFrame
    done: dict[Modality, tuple[dict[str, Any], ExtractionSummary]]


class ManifestSource:
    """A manifest (see `read_manifest` for the first six arguments).

    Args:
        labels: the order of the classes; by default their names, sorted.
        notice: what whoever reads the results must know of this data; it stands wherever they are shown.
    """

    def __init__(
        self,
        *,
        path: str | os.PathLike[str],
        columns: Mapping[str, str] | None = None,
        extra_columns: Sequence[str] | str = (),
        require_label: bool = True,
        check_audio: bool = True,
        delimiter: str | None = None,
        labels: Sequence[str] | None = None,
        notice: str | None = None,
    ) -> None:
        self.notice = notice
        self.path, self.columns, self.delimiter = Path(path).expanduser(), dict(columns or {}), delimiter
        self.extra_columns = extra_columns if isinstance(extra_columns, str) else tuple(extra_columns)
        self.require_label, self.check_audio = require_label, check_audio
        self.labels = None if labels is None else tuple(map(str, labels))

    def read(self, *, workers: int | None = None, check_audio: bool = True) -> pd.DataFrame:
        """The checked manifest. Audio is looked at only if both the source's setting and `check_audio` say so."""
        return read_manifest(
            self.path,
            columns=self.columns,
            extra_columns=self.extra_columns,
            require_label=self.require_label,
            check_audio=self.check_audio and check_audio,
            delimiter=self.delimiter,
            workers=workers,
        )

    def load(
        self,
        *,
        extractors: Extractors,
        store: Callable[[], EmbeddingStore],
        modalities: Sequence[Modality],
        run_dir: Path,
        max_failed: float = 0.05,
        workers: int | None = None,
        check: Callable[[FeatureTable], object] | None = None,
        frames: bool = False,
    ) -> FeatureTable:
        """Read, extract what the store lacks, and look up the rest. The table's `features` are the modalities found."""
        from fusion.data.assemble import outline, table_from_manifest

        frame = self.read(workers=workers, check_audio="speech" in modalities)
        if check is not None:
            check(outline(frame, modalities, labels=self.labels))
        return table_from_manifest(
            frame,
            {modality: extractors[modality] for modality in modalities},
            store(),
            labels=self.labels,
            max_failed=max_failed,
            workers=workers,
            run_dir=run_dir,
            frames=frames,
        )

    def extract(
        self,
        *,
        extractors: Extractors,
        store: Callable[[], EmbeddingStore],
        run_dir: Path | None,
        max_failed: float = 0.05,
        workers: int | None = None,
        frames: bool = False,
        check: Callable[[Sequence[Clip]], object] | None = None,
    ) -> Extracted:
        """Fill the store, and no more. `frames`: with the sequences. `check` is called with the clips, before any work."""
        from fusion.data.assemble import extract_frame

        frame = self.read(workers=workers, check_audio="speech" in extractors)
        if check is not None:
            check(clips_of(frame))
        done = extract_frame(
            frame, extractors, store(), max_failed=max_failed, workers=workers, run_dir=run_dir, frames=frames
        )
        return Extracted(frame, done)

    def predict(self, predictor: Predictor, *, store: Callable[[], EmbeddingStore], run_dir: Path) -> list[Prediction]:
        """A prediction a row, in the manifest's order; audio that cannot be read costs its own row and no other."""
        return predictor.predict_clips(clips_of(self.read(check_audio=False)), store())


class FeaturesSource:
    """An .npz of vectors (see `load_features`). No extractor and no store is ever built."""

    def __init__(
        self,
        *,
        path: str | os.PathLike[str],
        arrays: Mapping[str, str | None] | None = None,
        label_names: LabelNames | None = None,
        labels: Sequence[str] | None = None,
        require_label: bool = True,
        notice: str | None = None,
    ) -> None:
        self.notice = notice
        self.path, self.arrays, self.label_names = Path(path).expanduser(), dict(arrays or {}), label_names
        self.labels = None if labels is None else tuple(map(str, labels))
        self.require_label = require_label

    def read(self) -> FeatureTable:
        """The checked table, all its modalities."""
        return load_features(
            self.path,
            arrays=self.arrays,
            label_names=self.label_names,
            labels=self.labels,
            require_label=self.require_label,
        )

    def load(
        self,
        *,
        extractors: Extractors,
        store: Callable[[], EmbeddingStore],
        modalities: Sequence[Modality],
        run_dir: Path,
        max_failed: float = 0.05,
        workers: int | None = None,
        check: Callable[[FeatureTable], object] | None = None,
        frames: bool = False,
    ) -> FeatureTable:
        """The table seen through those of `modalities` that it has. Raises InputError where it has none of them, or
        where sequences are wanted.
        """
        if frames:
            raise InputError(
                f"{self.path.name} holds pooled vectors, and this head reads sequences",
                hint="Take a head of pooled vectors, such as head=gated, or train from a manifest: data=manifest.",
            )
        table = self.read()
        there = [modality for modality in modalities if modality in table.features]
        if not there:
            raise InputError(
                f"{self.path.name} has no vectors of {' or '.join(modalities)}; it has {', '.join(table.features)}",
                hint=f"Set modalities=[{','.join(table.features)}].",
            )
        if absent := [modality for modality in modalities if modality not in there]:
            log.warning("%s has no vectors of %s: training on %s.", self.path.name, *map(", ".join, (absent, there)))
        seen = table.only(there)
        rows = np.flatnonzero(np.any([seen.present[modality] for modality in there], axis=0))
        if len(rows) < len(seen):
            log.warning("%d of %d rows have none of %s: left out", len(seen) - len(rows), len(seen), ", ".join(there))
            seen = seen.take(rows)
        if check is not None:
            check(seen)
        return seen

    def predict(self, predictor: Predictor, *, store: Callable[[], EmbeddingStore], run_dir: Path) -> list[Prediction]:
        """A prediction a row, in the file's order; a row with nothing that the bundle can use says so."""
        if predictor.sequences:
            raise InputError(
                f"{self.path.name} holds pooled vectors, and this bundle reads sequences",
                hint="Predict from a manifest of audio and text: data=manifest data.path=clips.csv.",
            )
        table = self.read()
        dims = predictor.info.dims
        if not set(dims) & set(table.features):
            raise InputError(f"the bundle needs {' or '.join(dims)}; {self.path.name} has {', '.join(table.features)}")
        features = {m: table.features.get(m, np.zeros((len(table), dim), np.float32)) for m, dim in dims.items()}
        present = {m: table.present.get(m, np.zeros(len(table), bool)) for m in dims}
        heard = np.any(list(present.values()), axis=0)
        predictions = predictor.predict_features(table.rows["id"].tolist(), features, present)
        return [
            prediction if known else type(prediction)(id=prediction.id, error="nothing to go by")
            for prediction, known in zip(predictions, heard, strict=True)
        ]
