"""FunASR's `output_dir`: one KEY.npy for each clip."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from extractors.errors import InputError
from extractors.export.names import file_name, name_problems
from extractors.export.publish import new_entries, refuse_existing
from extractors.export.stored import StoredClips
from extractors.types import Clip, Modality

SUFFIX = ".npy"
DESCRIPTION = "export.json"
SCORES = "scores.jsonl"


class NpyExport:
    """`KEY.npy` as FunASR's `generate(…, output_dir=…)` writes it: (dim,) float32, or (frames, dim) at frame granularity.

    KEY is the clip's id, made a safe file name by `extractors.export.names.file_name`. (FunASR takes the audio file's
    stem, lets equal ones overwrite each other, and has no name for a span.) Beside them `export.json` says which
    model and settings made the vectors, and `scores.jsonl` holds a line `{"key", "labels", "scores"}` for each clip,
    as `generate` returns them, where the model classifies. No program that reads `*.npy` sees these two.

    path : folder; files that are there already are refused
    """

    def __init__(self, *, path: str | os.PathLike[str], modality: Modality = "speech") -> None:
        self.path, self.modality = Path(path).expanduser(), modality

    def check(self, clips: Sequence[Clip]) -> None:
        """Raises InputError with all ids that cannot be files beside each other, or all files that exist."""
        ids = [clip.id for clip in clips]
        if problems := name_problems(ids, suffix=SUFFIX):
            raise InputError(
                "export: these ids cannot be the names of files in one folder",
                problems,
                "Change them in the manifest, or use export=parquet or safetensors, which keep ids as they are.",
            )
        refuse_existing(self.path, [file_name(id) + SUFFIX for id in ids] + [DESCRIPTION, SCORES])

    def write(self, stored: StoredClips) -> Path:
        """All files, or none. Returns the folder."""
        self.check(stored.clips)
        with new_entries(self.path) as folder:
            described = json.dumps(stored.describe(), ensure_ascii=False, indent=2) + "\n"
            (folder / DESCRIPTION).write_text(described, encoding="utf-8")
            with (folder / SCORES).open("w", encoding="utf-8") as scores:
                for row in stored:
                    np.save(folder / (file_name(row.clip.id) + SUFFIX), np.asarray(row.array, np.float32))
                    if row.scores is not None:
                        line = {"key": row.clip.id, "labels": stored.labels, "scores": row.scores.tolist()}
                        scores.write(json.dumps(line, ensure_ascii=False) + "\n")
            if not (folder / SCORES).stat().st_size:
                (folder / SCORES).unlink()
        return self.path
