"""One safetensors file: plain arrays that any framework loads, and nothing that could run."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from extractors.export.publish import new_entries, refuse_existing
from extractors.export.stored import StoredClips
from extractors.types import Clip, Modality


class SafetensorsExport:
    """`<modality>.safetensors`, clips in the manifest's order.

    vectors : (clips, dim) float32
    scores  : (clips, classes) float32 where the model classifies; a row of NaN has none
    frames  : (all frames, dim) float32, at frame granularity only; clip i has rows offsets[i] to offsets[i + 1]
    offsets : (clips + 1,) int64, with frames

    Metadata: `ids` and `labels` (JSON lists), `emofuse` (JSON: model, fingerprint, granularity, dim, frame_rate).

    The format's library writes from memory: all vectors, and frames where asked for, must fit there twice. For more,
    use Parquet.

    path : folder; a file of that name in it is refused
    """

    def __init__(self, *, path: str | os.PathLike[str], modality: Modality = "speech") -> None:
        self.path, self.modality = Path(path).expanduser(), modality

    @property
    def name(self) -> str:
        return f"{self.modality}.safetensors"

    def check(self, clips: Sequence[Clip]) -> None:
        """Ids are data here, so any will do; the file must not exist."""
        refuse_existing(self.path, [self.name])

    def write(self, stored: StoredClips) -> Path:
        """Returns the file."""
        self.check(stored.clips)
        tensors = {"vectors": np.empty((len(stored), stored.extractor.dim), np.float32)}
        if stored.labels:
            tensors["scores"] = np.full((len(stored), len(stored.labels)), np.nan, np.float32)
        frames = []
        for place, row in enumerate(stored):
            tensors["vectors"][place] = row.vector
            if row.scores is not None:
                tensors["scores"][place] = row.scores
            if row.frames is not None:
                frames.append(row.frames)
        if frames:
            tensors["offsets"] = np.cumsum([0, *map(len, frames)], dtype=np.int64)
            tensors["frames"] = np.concatenate(frames)
        metadata = {
            "ids": json.dumps([clip.id for clip in stored.clips], ensure_ascii=False),
            "labels": json.dumps(stored.labels, ensure_ascii=False),
            "emofuse": json.dumps(stored.describe(), ensure_ascii=False),
        }
        with new_entries(self.path) as folder:
            save_file(tensors, folder / self.name, metadata)
        return self.path / self.name
