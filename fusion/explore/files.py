"""Vectors in .npy files, as FunASR, the WebUI and `export=` write them; read without trust, a file at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
import pandas as pd

from extractors.errors import InputError
from extractors.fingerprint import fingerprint
from extractors.importing.arrays import ArrayError, check_array, read_embedding
from extractors.importing.found import FoundVector, find_vectors
from extractors.importing.vectors import PUBLISHED_DIMS, short_name
from extractors.types import Embedding
from fusion.explore.collection import Collection, Maker, check_unique, metadata_of

ARRAY = ".npy"


class FileVectors:
    """Vectors in .npy files, as FunASR, the WebUI and `export=` write them; read safely, a file at a time.

    folder   : as `emofuse import` reads it
    model    : the model that they are said to be of; vectors of another are never compared with them
    dim      : width; None: the published width of `model`, or else that of most files
    metadata : rows with a column `id`; None: what the folder itself says

    `collect` holds the vectors and one file's frames at a time, whatever the files add up to.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     np.save(f"{folder}/x.npy", np.eye(2, 3, dtype=np.float16))  # (frames, dim)
    ...     np.save(f"{folder}/y.npy", np.ones(3, np.float32))  # (dim,)
    ...     files = FileVectors(Path(folder), model="my-model")
    ...     files.collect().vectors, files.maker.dim
    (array([[0.5, 0.5, 0. ], [1. , 1. , 1. ]], dtype=float32), 3)
    """

    def __init__(
        self, folder: Path, *, model: str, dim: int | None = None, metadata: pd.DataFrame | None = None
    ) -> None:
        self.folder, self.model, self.metadata = folder, short_name(model), metadata
        if not folder.is_dir():
            what = "is a file; expected a folder" if folder.exists() else "is not there"
            raise InputError(f"vectors: {folder} {what}", hint="Give a folder of .npy files: vectors=FOLDER.")
        found, problems = find_vectors(folder)
        if problems:
            raise InputError(f"{folder}: cannot be read", problems)
        _check_one_maker(folder, found)
        self.found = found
        self.dim = dim or PUBLISHED_DIMS.get(self.model) or _usual_width([vector.path for vector in found])

    @property
    def maker(self) -> Maker:
        return Maker(self.model, "speech", self.dim, fingerprint({"files": True, "model": self.model, "dim": self.dim}))

    def collect(self) -> Collection:
        """All problems of all files together, as an InputError; only the vectors are held, never the frames."""
        vectors = np.empty((len(self.found), self.dim), np.float32)
        problems = []
        for row, found in enumerate(self.found):  # frames are let go of before the next file
            if other := _other_model(found.result, self.model):
                problems.append(f"{found.path.name}: is of {other}, not of {self.model}")
                continue
            try:
                check_array(found.path, self.dim)
                vectors[row] = read_embedding(found.path).vector
            except ArrayError as error:
                problems.append(f"{found.path.name}: {error}")
        if problems:
            raise InputError(
                f"{self.folder}: {len(problems)} of {len(self.found)} files cannot be used",
                problems,
                hint="Expected float arrays of one model: (dim,), (1, dim) or (frames, dim). These are said to be of "
                f"{self.model}, whose vectors have {self.dim} values: if they are of another, name it (vectors_model=).",
            )
        ids = [found.names[0] for found in self.found]
        check_unique(ids)
        return Collection(tuple(ids), vectors, self._metadata(ids), self.maker)

    def frames_of(self, collection: Collection, row: int) -> Embedding:
        """Of the row's own file; `.frames` is None where that holds a vector."""
        path = next(found.path for found in self.found if found.names[0] == collection.ids[row])
        return array_embedding(path, self.dim, model=self.model)

    def _metadata(self, ids: Sequence[str]) -> pd.DataFrame:
        if self.metadata is not None:
            known = self.metadata.set_index("id")
            if strangers := [id for id in ids if id not in known.index]:
                raise InputError(f"{len(strangers)} files are of no row of the manifest", strangers)
            return metadata_of(known.loc[list(ids)].reset_index())
        audio = [None if found.audio is None else str(found.audio) for found in self.found]
        return pd.DataFrame({"id": list(ids), "audio": audio}, dtype=object)

    def embed(
        self,
        *,
        audio: Path | None = None,
        text: str | None = None,
        start: float | None = None,
        end: float | None = None,
        frames: bool = False,
    ) -> Embedding:
        """An .npy file of the same model; there is no encoder here to hear anything else."""
        if audio is None or audio.suffix != ARRAY:
            raise InputError(f"expected an {ARRAY} file: these vectors came as files, without their encoder")
        return array_embedding(audio, self.dim, model=self.model)


def array_embedding(path: Path, dim: int, *, model: str, made_by: str | None = None) -> Embedding:
    """An .npy file of (dim,), (1, dim) or (frames, dim). InputError, with the reason, for anything else, and where what
    lies beside the file says that it is of another model than `model`, or of other settings than those of fingerprint
    `made_by`."""
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    said = next((found.result for found in find_vectors(path.parent)[0] if found.path == path), {})
    known = said.get("fingerprint") if made_by is not None else None
    other = _other_model(said, model) if known is None else None if known == made_by else f"fingerprint {known}"
    if other is not None:
        these = model if known is None else f"{model}, fingerprint {made_by}"
        raise InputError(f"{path}: is of {other}, not of {these}: vectors of different models are never compared")
    try:
        check_array(path, dim)
        return read_embedding(path)
    except ArrayError as error:
        raise InputError(f"{path}: {error}") from error


def _check_one_maker(folder: Path, found: Sequence[FoundVector]) -> None:
    """Raise InputError where what lies beside the files says that they were made in several ways."""
    said = [(vector.result.get("fingerprint"), vector.path) for vector in reversed(found)]
    first = {made_by: path for made_by, path in said if isinstance(made_by, str)}
    makers = [f"{path.parent.name}/{path.name}: {made_by}" for made_by, path in first.items()]
    if len(makers) > 1:
        raise InputError(
            f"{folder}: vectors of different models are never compared; these are of {len(makers)} fingerprints",
            makers[::-1],
            hint="Model, weights and settings make a fingerprint. Give each its own folder.",
        )


def _usual_width(paths: Sequence[Path]) -> int:
    """That of most files, so that one file of another width is the one to be refused; only headers are read."""
    widths: Counter[int] = Counter()
    for path in paths:
        with suppress(Exception):  # a damaged header fails in many ways; `collect` tells of it, with all others
            widths.update(np.lib.format.open_memmap(path, mode="r").shape[-1:])
    if not widths:
        raise InputError(
            f"{paths[0].parent}: none of {len(paths)} files is an {ARRAY} file of numbers",
            hint="Expected float arrays of one model: (dim,), (1, dim) or (frames, dim).",
        )
    return widths.most_common(1)[0][0]


def _other_model(result: Mapping[str, object], model: str) -> str | None:
    """The model that a file is said to be of, where that is another."""
    said = result.get("model")
    return short_name(said) if isinstance(said, str) and short_name(said).casefold() != model.casefold() else None
